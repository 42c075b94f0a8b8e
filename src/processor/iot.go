package processor

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"

	"coap-for-aws-iot/src/dataplane"
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
	data      *dataplane.Finder
}

func newIoT(cfg Config, c aws.Config) *iotClient {
	c.Retryer = func() aws.Retryer { return aws.NopRetryer{} } // see service
	return &iotClient{
		reads:     newService("read shadow", maxShadowCalls),
		writes:    newService("write shadow", maxShadowCalls),
		registry:  newService("registry", maxRegistryCalls),
		publishes: newService("publish", maxShadowCalls),
		control:   iot.NewFromConfig(c),
		data:      dataplane.New(c, cfg.IoTEndpoint),
	}
}

// services returns the parts of AWS IoT that are called.
func (i *iotClient) services() []*service {
	return []*service{i.reads, i.writes, i.registry, i.publishes}
}

// getShadow returns the shadow document of a thing. The error may be a
// ResourceNotFoundException.
func (i *iotClient) getShadow(ctx context.Context, thing string) (document []byte, err error) {
	err = i.reads.do(ctx, func(ctx context.Context) error {
		client, err := i.data.Client(ctx)
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
		client, err := i.data.Client(ctx)
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
