// Package canary is a synthetic device: once a minute it reports to every address that
// firmware holds, in both regions, and looks whether its reports arrive in AWS IoT. It
// sees what devices see, from outside, and so finds what no counter of the system can: an
// address that is deaf, a region that cannot be reached.
package canary

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"coap-for-aws-iot/src/device/client"
	"coap-for-aws-iot/src/metric"
)

// returnTime is kept free before the deadline of an invocation, to write what was found.
const returnTime = time.Second

// A Canary is a Lambda handler. It makes one invocation at a time.
type Canary struct {
	config  Config
	device  client.Config // what the devices have in common
	shadows *shadows
	sqs     *sqs.Client
	metrics io.Writer
	log     *slog.Logger
}

// New returns a canary whose clients share credentials and HTTP client of c.
func New(cfg Config, c aws.Config) *Canary {
	// The SDK's retries are for the queues: a function that was frozen for a minute finds
	// its connections broken. A shadow is read again anyway.
	queues := sqs.NewFromConfig(c)
	c.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return &Canary{
		config:  cfg,
		device:  client.Config{Type: "canary", Policy: policy},
		shadows: newShadows(cfg, c),
		sqs:     queues,
		metrics: os.Stdout,
		log:     slog.New(slog.NewJSONHandler(os.Stdout, nil)),
	}
}

// Handle probes all endpoints at the same time and touches the queues. What it finds is
// in its metrics, and in the log where it is not good; the error is always nil: an
// endpoint that does not answer is no failure of the canary's.
func (c *Canary) Handle(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-returnTime))
		defer cancel()
	}
	findings := make([]finding, len(c.config.Endpoints))
	untouched := 0
	var probing sync.WaitGroup
	for i, e := range c.config.Endpoints {
		probing.Go(func() { findings[i] = c.probe(ctx, e) })
	}
	probing.Go(func() { untouched = c.touch(ctx) })
	probing.Wait()

	for i, e := range c.config.Endpoints {
		c.report(e, &findings[i])
	}
	c.write(metric.Service("canary"), metric.Value{Name: metric.Untouched, Unit: "Count", N: float64(untouched)})
	return nil
}

// report writes what a probe has found.
func (c *Canary) report(e Endpoint, f *finding) {
	values := []metric.Value{{Name: metric.Answered, Unit: "Count", N: number(f.answered)}}
	if f.answered {
		values = append(values,
			metric.Value{Name: metric.RoundTrip, Unit: "Milliseconds", N: milliseconds(f.roundTrip)},
			metric.Value{Name: metric.Arrived, Unit: "Count", N: number(f.arrived)})
	}
	if f.arrived {
		values = append(values, metric.Value{Name: metric.EndToEnd, Unit: "Milliseconds", N: milliseconds(f.endToEnd)})
	}
	c.write(metric.Dimension{Name: metric.DimensionEndpoint, Value: e.Name}, values...)
	switch {
	case !f.answered:
		c.log.Warn("the endpoint does not acknowledge", "endpoint", e.Name, "address", e.Address.String(), "found", f.said)
	case !f.arrived:
		c.log.Warn("the report does not arrive in its shadow", "endpoint", e.Name, "thing", c.id(e), "found", f.said)
	}
}

func (c *Canary) write(of metric.Dimension, values ...metric.Value) {
	if err := metric.Log(c.metrics, time.Now(), of, values...); err != nil {
		c.log.Error("write metrics", "error", err.Error())
	}
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
