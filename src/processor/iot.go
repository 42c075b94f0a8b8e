package processor

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
)

// Calls in flight, of reads and of writes, and together no more than maxThings. One
// shadow call takes about 20 ms, so 96 of them are 4,800 a second, more than the quota of
// an account (AWS General Reference, AWS IoT Core: 4,000 shadow requests/s in the large
// regions); a registry call about 50 ms, so 8 of them are 160 a second (CreateThing: 100).
const (
	maxShadowCalls   = 96
	maxRegistryCalls = 8
)

// An iotClient makes the calls of AWS IoT, each once.
type iotClient struct {
	reads     *service // of shadows
	writes    *service // of shadows
	registry  *service
	publishes *service
	control   *iot.Client
	config    aws.Config

	mu   sync.Mutex // guards the following
	data *iotdataplane.Client
}

func newIoT(cfg Config, c aws.Config) *iotClient {
	i := &iotClient{
		reads:     newService("read shadow", maxShadowCalls),
		writes:    newService("write shadow", maxShadowCalls),
		registry:  newService("registry", maxRegistryCalls),
		publishes: newService("publish", maxShadowCalls),
		config:    c,
		control:   iot.NewFromConfig(c, func(o *iot.Options) { o.Retryer = aws.NopRetryer{} }),
	}
	data := i.newData(cfg.IoTEndpoint)
	if data.Options().BaseEndpoint != nil {
		i.data = data
	}
	return i
}

// services returns the parts of AWS IoT that are called.
func (i *iotClient) services() []*service {
	return []*service{i.reads, i.writes, i.registry, i.publishes}
}

func (i *iotClient) newData(endpoint string) *iotdataplane.Client {
	return iotdataplane.NewFromConfig(i.config, func(o *iotdataplane.Options) {
		o.Retryer = aws.NopRetryer{}
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})
}

// dataPlane returns the client of the data plane. If no endpoint is configured it
// asks for the account's, once.
func (i *iotClient) dataPlane(ctx context.Context) (*iotdataplane.Client, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.data != nil {
		return i.data, nil
	}
	out, err := i.control.DescribeEndpoint(ctx, &iot.DescribeEndpointInput{EndpointType: aws.String("iot:Data-ATS")})
	if err != nil {
		return nil, fmt.Errorf("ask for the IoT endpoint: %w", err)
	}
	i.data = i.newData("https://" + aws.ToString(out.EndpointAddress))
	return i.data, nil
}

// getShadow returns the shadow document of a thing. The error may be a
// ResourceNotFoundException.
func (i *iotClient) getShadow(ctx context.Context, thing string) (document []byte, err error) {
	err = i.reads.do(ctx, func(ctx context.Context) error {
		client, err := i.dataPlane(ctx)
		if err != nil {
			return err
		}
		out, err := client.GetThingShadow(ctx, &iotdataplane.GetThingShadowInput{ThingName: &thing})
		if err == nil {
			document = out.Payload
		}
		return err
	})
	return document, err
}

// updateShadow writes a shadow and returns its new version. Whether it is written is
// unknown after an error that is none of AWS IoT's answers.
func (i *iotClient) updateShadow(ctx context.Context, thing string, request []byte) (version int64, err error) {
	err = i.writes.do(ctx, func(ctx context.Context) error {
		client, err := i.dataPlane(ctx)
		if err != nil {
			return err
		}
		out, err := client.UpdateThingShadow(ctx, &iotdataplane.UpdateThingShadowInput{ThingName: &thing, Payload: request})
		if err != nil {
			return err
		}
		version, err = parseUpdated(out.Payload)
		return err
	})
	return version, err
}
