package local

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Hits counts what a fault has done something to, and not what it might have.
func TestFaultHits(t *testing.T) {
	for _, tt := range []struct {
		fault  Fault
		random float64 // of each question
		want   int
	}{
		{Fault{Kind: Error, Service: "sqs"}, 0, 2},
		{Fault{Kind: Error, Service: "sqs", Region: "eu-west-1"}, 0, 0},
		{Fault{Kind: Error, Operation: "SendMessageBatch", After: true}, 0, 2},
		{Fault{Kind: Error, Share: 0.5}, 0.4, 2},
		{Fault{Kind: Error, Share: 0.5}, 0.6, 0},
		{Fault{Kind: Throttled, Rate: 1}, 0, 1},
		{Fault{Kind: Partial, Share: 0.5}, 0.4, 6},
		{Fault{Kind: Partial, Share: 0.5}, 0.6, 0},
		{Fault{Kind: Partial, After: true}, 0, 6},
		{Fault{Kind: Partial, Service: "iot"}, 0, 0},
	} {
		t.Run(fmt.Sprintf("%+v", tt.fault), func(t *testing.T) {
			s, c := start(t, Options{Random: func() float64 { return tt.random }})
			url := makeQueue(t, c, "q", nil)
			addFault(t, s, tt.fault)
			for range 2 {
				var entries []types.SendMessageBatchRequestEntry
				for _, id := range []string{"a", "b", "c"} {
					entries = append(entries, types.SendMessageBatchRequestEntry{Id: &id, MessageBody: aws.String("m")})
				}
				c.sqs.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries})
			}
			if got := s.Faults()[0].Hits; got != tt.want {
				t.Errorf("it has hit %d times, want %d", got, tt.want)
			}
		})
	}
}

// Updated hears of what took effect, and of nothing else.
func TestUpdated(t *testing.T) {
	var heard []string
	s, c := start(t, Options{Updated: func(thing string, request []byte) {
		heard = append(heard, thing+" "+string(request))
	}})
	update := func(request string, name *string) {
		c.data.UpdateThingShadow(t.Context(), &iotdataplane.UpdateThingShadowInput{ThingName: aws.String("a"), ShadowName: name, Payload: []byte(request)})
	}
	update(`{"state":{"reported":{"n":1}}}`, nil)
	update(`{"state":{"reported":{"n":2}},"version":7}`, nil) // a conflict
	update(`{"state":{"reported":{"n":3}}}`, aws.String("named"))
	addFault(t, s, Fault{Kind: Error, Times: 1})
	update(`{"state":{"reported":{"n":4}}}`, nil)
	addFault(t, s, Fault{Kind: Error, Times: 1, After: true})
	update(`{"state":{"reported":{"n":5}}}`, nil)
	addFault(t, s, Fault{Kind: Dead, Times: 1, After: true})
	update(`{"state":{"reported":{"n":null}}}`, nil)
	want := []string{`a {"state":{"reported":{"n":1}}}`, `a {"state":{"reported":{"n":5}}}`, `a {"state":{"reported":{"n":null}}}`}
	if !slices.Equal(heard, want) {
		t.Errorf("heard\n%q, want\n%q", heard, want)
	}
}
