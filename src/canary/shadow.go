package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane/types"

	"coap-for-aws-iot/src/dataplane"
)

const (
	readFor     = 20 * time.Second // after the acknowledgement
	readEvery   = 250 * time.Millisecond
	readSlower  = 2 * time.Second // what the pause between two reads grows to: each one costs
	readTimeout = 3 * time.Second // of one read
)

// shadows reads what AWS IoT in the primary region shows. Its methods may be called
// concurrently.
type shadows struct{ data *dataplane.Finder }

func newShadows(cfg Config, c aws.Config) *shadows {
	c.Region = cfg.PrimaryRegion
	return &shadows{dataplane.New(c, cfg.IoTEndpoint)}
}

// wait returns nil as soon as the shadow of a thing shows a report with nonce, and an
// error if that does not come to pass within readFor.
func (s *shadows) wait(ctx context.Context, thing, nonce string) error {
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	latest := errors.New("it was never read")
	for pause := readEvery; ; pause = min(pause*3/2, readSlower) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return latest
		}
		shown, err := s.read(ctx, thing)
		switch {
		case err == nil && shown.Nonce == nonce:
			return nil
		case err == nil:
			latest = fmt.Errorf("its shadow shows the report of %s", shown.Sent.Format(time.RFC3339))
		case ctx.Err() == nil:
			latest = err
		}
	}
}

var errNoShadow = errors.New("it has no shadow")

// read returns the report that the shadow of a thing shows.
func (s *shadows) read(ctx context.Context, thing string) (shown payload, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	client, err := s.data.Client(ctx)
	if err != nil {
		return shown, err
	}
	out, err := client.GetThingShadow(ctx, &iotdataplane.GetThingShadowInput{ThingName: &thing})
	if _, none := errors.AsType[*types.ResourceNotFoundException](err); none {
		return shown, errNoShadow
	}
	if err != nil {
		return shown, fmt.Errorf("read its shadow: %w", err)
	}
	var document struct {
		State struct{ Reported payload }
	}
	if err := json.Unmarshal(out.Payload, &document); err != nil {
		return shown, fmt.Errorf("read its shadow: %w", err)
	}
	return document.State.Reported, nil
}
