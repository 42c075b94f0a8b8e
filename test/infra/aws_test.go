//go:build aws

package infra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane/types"
	"github.com/gruntwork-io/terratest/modules/terraform"

	"coap-for-aws-iot/test/stand"
)

// TestRegionFailoverInAccount is TestRegionFailover in the account to which live/us-east-1
// and live/eu-west-1 of this tree have been applied, with faults = { on = {} }. It stops the
// instances of a region and denies its queue, by AWS FIS, for ten minutes each:
//
//	go -C test test ./infra -tags aws -run InAccount -timeout 2h -v
func TestRegionFailoverInAccount(t *testing.T) {
	stand.Need(t, "aws", "pip install awscli")
	for _, region := range []string{primary, secondary} {
		t.Run(region, func(t *testing.T) {
			failOver(t, accountSite(t), region, 24)
		})
	}
}

// liveRoot is a root of this tree with the state of its owner: nothing is copied, nothing
// applied.
func liveRoot(t *testing.T, region string) *terraform.Options {
	t.Helper()
	return &terraform.Options{
		TerraformBinary: stand.Terraform(t),
		TerraformDir:    filepath.Join(stand.Root(t), "live", region),
		NoColor:         true,
	}
}

func accountSite(t *testing.T) site {
	t.Helper()
	s := site{healthy: time.Minute, without: 12 * time.Minute, healed: 5 * time.Minute}
	for _, e := range endpoints(t, liveRoot(t, primary)) {
		s.addresses = append(s.addresses, netip.AddrPortFrom(netip.MustParseAddr(e.Address), 5683))
	}
	s.down = func(ctx context.Context, region string) (func(context.Context) error, error) {
		return experiments(ctx, t, region)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(primary))
	if err != nil {
		t.Fatal(err)
	}
	s.reported = func(ctx context.Context, things []string) (map[string]json.RawMessage, error) {
		return shadows(ctx, cfg, things)
	}
	return s
}

// experiments starts the region's templates and returns what stops them.
func experiments(ctx context.Context, t *testing.T, region string) (func(context.Context) error, error) {
	t.Helper()
	var templates struct{ On map[string]string }
	terraform.OutputStructContext(t, ctx, liveRoot(t, region), "faults", &templates)
	if len(templates.On) == 0 {
		return nil, fmt.Errorf("live/%s has no experiments: set faults = { on = {} } and apply", region)
	}
	var started []string
	up := func(ctx context.Context) error {
		for _, id := range started {
			// One that is over by itself is no fault.
			exec.CommandContext(ctx, "aws", "fis", "stop-experiment", "--region", region, "--id", id).Run()
		}
		return nil
	}
	for name, id := range templates.On {
		out, err := exec.CommandContext(ctx, "aws", "fis", "start-experiment", "--region", region,
			"--experiment-template-id", id, "--query", "experiment.id", "--output", "text").CombinedOutput()
		if err != nil {
			up(ctx)
			return nil, fmt.Errorf("start %s in %s: %w\n%s", name, region, err, out)
		}
		started = append(started, strings.TrimSpace(string(out)))
	}
	return up, nil
}

// shadows reads the shadows of things, as far as they have any.
func shadows(ctx context.Context, cfg aws.Config, things []string) (map[string]json.RawMessage, error) {
	endpoint, err := iot.NewFromConfig(cfg).DescribeEndpoint(ctx, &iot.DescribeEndpointInput{EndpointType: aws.String("iot:Data-ATS")})
	if err != nil {
		return nil, fmt.Errorf("ask for the IoT endpoint: %w", err)
	}
	data := iotdataplane.NewFromConfig(cfg, func(o *iotdataplane.Options) {
		o.BaseEndpoint = aws.String("https://" + *endpoint.EndpointAddress)
	})
	all := map[string]json.RawMessage{}
	for _, name := range things {
		out, err := data.GetThingShadow(ctx, &iotdataplane.GetThingShadowInput{ThingName: &name})
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the shadow of %s: %w", name, err)
		}
		var document struct {
			State struct{ Reported json.RawMessage }
		}
		if err := json.Unmarshal(out.Payload, &document); err != nil {
			return nil, fmt.Errorf("read the shadow of %s: %w", name, err)
		}
		all[name] = document.State.Reported
	}
	return all, nil
}
