package processor

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/metric"
)

func TestRegistry(t *testing.T) {
	register := func(t *testing.T, w *world, thing, kind string) {
		in := &iot.CreateThingInput{ThingName: &thing, AttributePayload: &types.AttributePayload{Attributes: map[string]string{"by": "hand"}}}
		if kind != "" {
			in.ThingTypeName = &kind
			if _, err := w.iot.CreateThingType(t.Context(), &iot.CreateThingTypeInput{ThingTypeName: &kind}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.iot.CreateThing(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		create string
		budget int
		before func(t *testing.T, w *world)
		want   string // reported, empty if there is no shadow
		reason string // of the dead letter
	}{
		{name: "registered by hand with the type", before: func(t *testing.T, w *world) { register(t, w, "a1", "th") }, want: `{"t":1}`},
		{name: "registered by hand without a type", before: func(t *testing.T, w *world) { register(t, w, "a1", "") }, want: `{"t":1}`},
		{name: "registered by hand with another type", before: func(t *testing.T, w *world) { register(t, w, "a1", "door") },
			reason: "type-conflict: registered as door"},
		{name: "only things, the type exists", create: CreateThings, before: func(t *testing.T, w *world) { register(t, w, "other", "th") }, want: `{"t":1}`},
		{name: "only things, the type is new", create: CreateThings, reason: "unknown-type: th"},
		{name: "nothing, the thing exists", create: CreateNone, before: func(t *testing.T, w *world) { register(t, w, "a1", "th") }, want: `{"t":1}`},
		{name: "nothing, the thing has no type", create: CreateNone, before: func(t *testing.T, w *world) { register(t, w, "a1", "") }, want: `{"t":1}`},
		{name: "nothing, the thing is new", create: CreateNone, reason: "unknown-thing"},
		{name: "nothing, the type is another", create: CreateNone, before: func(t *testing.T, w *world) { register(t, w, "a1", "door") },
			reason: "type-conflict: registered as door"},
		{name: "the budget of the minute is spent", budget: 2, before: func(t *testing.T, w *world) {
			w.send(by("b1", says(bubbleTime, "1")), by("b2", says(bubbleTime, "1")))
			w.run()
		}, reason: "create-budget"},
		{name: "in the next minute there is another", budget: 2, before: func(t *testing.T, w *world) {
			w.send(by("b1", says(bubbleTime, "1")), by("b2", says(bubbleTime, "1")))
			w.run()
			time.Sleep(time.Minute)
		}, want: `{"t":1}`},
		{name: "the type is deprecated", before: func(t *testing.T, w *world) {
			register(t, w, "other", "th")
			if _, err := w.iot.DeprecateThingType(t.Context(), &iot.DeprecateThingTypeInput{ThingTypeName: aws.String("th")}); err != nil {
				t.Fatal(err)
			}
		}, reason: "refused: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.cfg.AutoCreate, w.cfg.CreatePerMinute = tt.create, tt.budget
				w.restart()
				if tt.before != nil {
					tt.before(t, w)
				}
				w.send(says(bubbleTime, `{"t":1}`))
				if failed := w.run(); len(failed) > 0 {
					t.Errorf("failed %v", failed)
				}
				w.expect("a1", tt.want)
				w.expectDead(tt.reason)
			})
		})
	}
}

// Many things of a new type in one event create the type once.
func TestTypeIsCreatedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.fault(local.Fault{Service: "iot", Kind: local.Slow, Median: local.Delay(50 * time.Millisecond)})
		var reports []envelope.Report
		for i := range 100 {
			reports = append(reports, by(fmt.Sprint("n", i), says(bubbleTime, "1")))
		}
		w.send(reports...)
		start := time.Now()
		w.run()
		if took := time.Since(start); took < 100/maxRegistryCalls*50*time.Millisecond {
			t.Errorf("100 calls of 50 ms took %v", took)
		}
		counts := w.counts()
		// Of each thing: read, CreateThing, at most once more after the type was there,
		// first write, read, write. And the type,
		// at once or nearly so.
		if got := counts[metric.Applied]; got != 100 {
			t.Errorf("%v applied", got)
		}
		if got := counts[metric.Calls]; got > 6*100+5 {
			t.Errorf("%v calls", got)
		}
	})
}

// A thing has one type: a report under another is refused, and after an operator has
// retyped the thing it is believed although the processor remembers otherwise.
func TestTypeConflict(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.send(says(bubbleTime, `{"t":1}`))
		w.run()
		other := says(bubbleTime+1, `{"t":2}`)
		other.Type = "door"
		w.send(other, says(bubbleTime+2, `{"h":1}`))
		w.run()
		w.expect("a1", `{"h":1,"t":1}`)
		w.expectDead("type-conflict: the thing is of type th")

		_, err := w.data.UpdateThingShadow(t.Context(), &iotdataplane.UpdateThingShadowInput{
			ThingName: aws.String("a1"), Payload: []byte(`{"state":{"reported":{"_coap":{"type":"door"}}}}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.send(other)
		w.run()
		w.expect("a1", `{"h":1,"t":2}`)
		w.expectDead("")
	})
}
