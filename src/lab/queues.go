package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coap-for-aws-iot/src/sdk"
)

// Config is the SDK's configuration for the lab's AWS. It reads no environment and no
// files, so that nobody's real account can be meant.
func (l *Lab) Config(region string) aws.Config {
	return aws.Config{
		Region:       region,
		Credentials:  credentials.NewStaticCredentialsProvider("lab", "lab", ""),
		BaseEndpoint: aws.String(l.plan.Endpoint()),
		HTTPClient:   sdk.Keep(l.client), // one for all, so that connections are kept
	}
}

// queueClient returns an SQS client that tries once.
func (l *Lab) queueClient(region string) *sqs.Client {
	return sqs.NewFromConfig(l.Config(region), func(o *sqs.Options) { o.Retryer = aws.NopRetryer{} })
}

// makeQueues makes the queues of the plan, as Terraform does in the cloud. Those that
// are there already stay as they are.
func (l *Lab) makeQueues(ctx context.Context) error {
	for _, dlqs := range []bool{true, false} { // a redrive policy names a DLQ that is there
		for _, q := range l.plan.Queues {
			if dlqs != (q.DLQ == "") {
				continue
			}
			_, err := l.queueClient(q.Region).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &q.Name, Attributes: q.attributes()})
			if err != nil {
				return fmt.Errorf("make queue %s in %s: %w", q.Name, q.Region, err)
			}
		}
	}
	return nil
}

func (q Queue) attributes() map[string]string {
	attributes := map[string]string{
		"VisibilityTimeout":      seconds(q.Visibility),
		"MessageRetentionPeriod": seconds(q.Retention),
	}
	if q.DLQ != "" {
		policy, err := json.Marshal(map[string]any{
			"deadLetterTargetArn": arn(q.Region, q.DLQ), "maxReceiveCount": q.MaxReceives,
		})
		if err != nil {
			panic(err) // a string and a number cannot fail
		}
		attributes["RedrivePolicy"] = string(policy)
	}
	return attributes
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// A Depth is what a queue holds, as far as SQS says: approximately.
type Depth struct {
	Name     string `json:"name"`
	Region   string `json:"region"`
	Visible  int    `json:"visible"`
	InFlight int    `json:"inFlight"` // handed out, neither deleted nor back
	Delayed  int    `json:"delayed"`
}

func (l *Lab) depth(ctx context.Context, q Queue) (Depth, error) {
	out, err := l.queueClient(q.Region).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.URL,
		AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameApproximateNumberOfMessages,
			types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
			types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
		},
	})
	if err != nil {
		return Depth{}, fmt.Errorf("ask for the depth of %s in %s: %w", q.Name, q.Region, err)
	}
	number := func(name types.QueueAttributeName) int {
		n, _ := strconv.Atoi(out.Attributes[string(name)])
		return n
	}
	return Depth{
		Name: q.Name, Region: q.Region,
		Visible:  number(types.QueueAttributeNameApproximateNumberOfMessages),
		InFlight: number(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible),
		Delayed:  number(types.QueueAttributeNameApproximateNumberOfMessagesDelayed),
	}, nil
}
