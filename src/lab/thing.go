package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	iottypes "github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane/types"
	"golang.org/x/sync/errgroup"
)

// A Thing is a thing of AWS IoT's and what its classic shadow says.
type Thing struct {
	Name     string          `json:"name"`
	Type     string          `json:"type,omitempty"`
	Version  int64           `json:"version"`            // of the shadow; 0: there is none
	Changed  time.Time       `json:"changed,omitzero"`   // newest time in the shadow's metadata
	Reported json.RawMessage `json:"reported,omitempty"` // the shadow's state.reported
}

// maxThings bounds the things on one page of ListThings (AWS IoT API Reference).
const maxThings = 250

// parallelShadows is how many shadows are read at a time.
const parallelShadows = 8

// Things returns one page of at most n things of an account and region, 250 at most, with
// their shadows, and the token of the next page: empty on the last. An empty token asks
// for the first. The account may be the lab's or a real one.
func Things(ctx context.Context, cfg aws.Config, n int, token string) (things []Thing, next string, err error) {
	in := &iot.ListThingsInput{MaxResults: aws.Int32(int32(min(n, maxThings)))}
	if token != "" {
		in.NextToken = &token
	}
	page, err := iot.NewFromConfig(cfg).ListThings(ctx, in)
	if err != nil {
		return nil, "", fmt.Errorf("list things: %w", err)
	}
	things = make([]Thing, len(page.Things))
	client := iotdataplane.NewFromConfig(cfg)
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(parallelShadows)
	for i, thing := range page.Things {
		reading.Go(func() error {
			var err error
			things[i], err = withShadow(ctx, client, thing)
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return nil, "", err
	}
	return things, aws.ToString(page.NextToken), nil
}

// withShadow returns a thing and its shadow, if there is one.
func withShadow(ctx context.Context, client *iotdataplane.Client, thing iottypes.ThingAttribute) (Thing, error) {
	t := Thing{Name: aws.ToString(thing.ThingName), Type: aws.ToString(thing.ThingTypeName)}
	out, err := client.GetThingShadow(ctx, &iotdataplane.GetThingShadowInput{ThingName: thing.ThingName})
	if _, none := errors.AsType[*types.ResourceNotFoundException](err); none {
		return t, nil
	}
	if err != nil {
		return Thing{}, fmt.Errorf("read the shadow of %s: %w", t.Name, err)
	}
	var document struct {
		State struct {
			Reported json.RawMessage `json:"reported"`
		} `json:"state"`
		Metadata struct {
			Reported any `json:"reported"`
		} `json:"metadata"`
		Version int64 `json:"version"`
	}
	if err := json.Unmarshal(out.Payload, &document); err != nil {
		return Thing{}, fmt.Errorf("read the shadow of %s: %w", t.Name, err)
	}
	t.Version, t.Reported = document.Version, document.State.Reported
	if newest := newestTime(document.Metadata.Reported); newest > 0 {
		t.Changed = time.Unix(newest, 0).UTC()
	}
	return t, nil
}

// newestTime returns the greatest "timestamp" of a shadow's metadata, which has the shape
// of the state with an object for each leaf, in seconds; 0 if there is none.
func newestTime(metadata any) int64 {
	var newest int64
	switch node := metadata.(type) {
	case map[string]any:
		if at, ok := node["timestamp"].(float64); ok {
			newest = int64(at)
		}
		for _, child := range node {
			newest = max(newest, newestTime(child))
		}
	case []any:
		for _, child := range node {
			newest = max(newest, newestTime(child))
		}
	}
	return newest
}
