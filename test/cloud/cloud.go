// Package cloud is AWS to a process of ours that is configured for the real one: under the
// real host names, through a proxy, with every API call written down as IAM would see it.
//
//	cloud.go        the services behind it, and where their queues are
//	tap.go          one process's proxy, and what it asked for
//	certificate.go  the certificates of the host names
//	call.go         which call a request is
//	log.go          CloudWatch Logs, as far as a daemon that logs needs it
//	function.go     a container of Lambda's
//	event.go        what Lambda makes of messages
//	daemon.go       a daemon, as systemd would run it
//	buffer.go       what a process says
package cloud

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"coap-for-aws-iot/src/local"
)

// Account owns all queues and things; it is moto's too.
const Account = "123456789012"

// A Cloud is the services of all regions.
type Cloud struct {
	Services    *local.Service // queues, registry and shadows
	logs        *logs
	certificate *authority
}

// New returns a cloud that holds nothing yet and ends with the test.
func New(t *testing.T) *Cloud {
	t.Helper()
	services := local.New(local.Options{Account: Account})
	t.Cleanup(func() { services.Close() })
	return &Cloud{Services: services, logs: newLogs(), certificate: newAuthority(t)}
}

// config is the SDK's configuration for a test that asks the services itself, unrecorded.
func (c *Cloud) config(region string) aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String("http://services.test"),
		Credentials:  credentials.NewStaticCredentialsProvider("x", "x", ""),
		HTTPClient:   &http.Client{Transport: c.Services.Transport()},
	}
}

// SQS returns a client of a region's queues for the test itself: its calls are not recorded.
func (c *Cloud) SQS(region string) *sqs.Client { return sqs.NewFromConfig(c.config(region)) }

// IoT returns a client of a region's registry for the test itself.
func (c *Cloud) IoT(region string) *iot.Client { return iot.NewFromConfig(c.config(region)) }

// MakeQueue makes a queue that has only a name.
func (c *Cloud) MakeQueue(ctx context.Context, region, name string) error {
	if _, err := c.SQS(region).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name}); err != nil {
		return fmt.Errorf("make the queue %s in %s: %w", name, region, err)
	}
	return nil
}
