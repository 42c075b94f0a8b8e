// Package dataplane finds AWS IoT's data plane, where shadows and topics are. Each account
// has a host name of its own for it (AWS IoT API Reference, DescribeEndpoint).
package dataplane

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
)

// A Finder makes the client of the data plane. Its methods may be called concurrently.
type Finder struct {
	config  aws.Config
	control *iot.Client
	found   atomic.Pointer[iotdataplane.Client]
	asking  chan struct{} // holds a value while somebody asks
}

// New returns a finder of the data plane at endpoint, a URL. Empty means that of the
// SDK's own configuration (AWS_ENDPOINT_URL), and without that the one which AWS IoT
// tells when the client is first wanted. Retries are those of c.
func New(c aws.Config, endpoint string) *Finder {
	f := &Finder{config: c, control: iot.NewFromConfig(c), asking: make(chan struct{}, 1)}
	if client := f.at(endpoint); client.Options().BaseEndpoint != nil {
		f.found.Store(client)
	}
	return f
}

func (f *Finder) at(endpoint string) *iotdataplane.Client {
	return iotdataplane.NewFromConfig(f.config, func(o *iotdataplane.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})
}

// Client returns the client of the data plane. It asks AWS IoT at most once at a time and
// not again after an answer; who waits for another's question waits no longer than ctx.
func (f *Finder) Client(ctx context.Context) (*iotdataplane.Client, error) {
	if client := f.found.Load(); client != nil {
		return client, nil
	}
	select {
	case f.asking <- struct{}{}:
		defer func() { <-f.asking }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the IoT endpoint: %w", ctx.Err())
	}
	if client := f.found.Load(); client != nil {
		return client, nil
	}
	out, err := f.control.DescribeEndpoint(ctx, &iot.DescribeEndpointInput{EndpointType: aws.String("iot:Data-ATS")})
	if err != nil {
		return nil, fmt.Errorf("ask for the IoT endpoint: %w", err)
	}
	if aws.ToString(out.EndpointAddress) == "" {
		return nil, errors.New("ask for the IoT endpoint: the answer names none")
	}
	client := f.at("https://" + *out.EndpointAddress)
	f.found.Store(client)
	return client, nil
}
