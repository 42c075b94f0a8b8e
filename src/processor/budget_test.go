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

func TestBudget(t *testing.T) {
	b := budget{perMinute: 2}
	minute := time.Unix(60*1000, 0)
	expect := func(name string, after time.Duration, want grant) {
		t.Helper()
		if got := b.take(asked{name, "th"}, minute.Add(after)); got != want {
			t.Errorf("%s after %v: got %v, want %v", name, after, got, want)
		}
	}
	expect("a", 0, addIt)
	expect("b", 0, addIt)
	expect("c", 0, findIt)
	expect("d", 0, findIt)
	expect("e", 0, refuseIt)
	for range 3 { // each takes once
		expect("a", 30*time.Second, addIt)
		expect("c", 30*time.Second, findIt)
	}
	b.existed(asked{"a", "th"})
	expect("a", 31*time.Second, findIt)
	expect("e", 31*time.Second, refuseIt) // four have been asked about
	b.forget(asked{"c", "th"})
	expect("e", 32*time.Second, addIt) // a was not added
	b.forget(asked{"e", "th"})
	expect("f", 33*time.Second, addIt)
	expect("g", 34*time.Second, refuseIt)
	expect("g", time.Minute, addIt)
	expect("a", time.Minute, addIt)
	expect("b", time.Minute, findIt)
	b.perMinute = 0
	expect("z", time.Minute, addIt)
}

// What is new or exists is not refused for trouble: each of these has a budget that is
// just enough, and ends without a dead letter.
func TestBudgetIsForThingsThatAreAdded(t *testing.T) {
	report := func(w *world, things ...string) {
		for _, thing := range things {
			w.send(by(thing, says(time.Now().UnixMilli(), `{"t":1}`)))
		}
		w.run()
	}
	create := func(t *testing.T, w *world, thing string, attributes map[string]string) {
		t.Helper()
		in := &iot.CreateThingInput{ThingName: &thing, ThingTypeName: aws.String("th"), AttributePayload: &types.AttributePayload{Attributes: attributes}}
		if _, err := w.iot.CreateThing(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	createType := func(t *testing.T, w *world) {
		t.Helper()
		if _, err := w.iot.CreateThingType(t.Context(), &iot.CreateThingTypeInput{ThingTypeName: aws.String("th")}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		budget int
		run    func(t *testing.T, w *world)
		things []string
	}{
		{"somebody else writes the shadow at the same time", 1, func(t *testing.T, w *world) {
			_, err := w.data.UpdateThingShadow(t.Context(), &iotdataplane.UpdateThingShadowInput{
				ThingName: aws.String("a1"), Payload: []byte(`{"state":{"desired":{"led":"on"}}}`),
			})
			if err != nil {
				t.Fatal(err)
			}
			w.fault(local.Fault{Operation: "UpdateThingShadow", Kind: local.Error, Code: "ConflictException", Status: 409, Times: 1})
			report(w, "a1")
		}, []string{"a1"}},
		{"the shadow cannot be written for a moment, and its report comes again", 2, func(t *testing.T, w *world) {
			report(w, "b1") // so AWS IoT works
			w.fault(local.Fault{Operation: "UpdateThingShadow", Kind: local.Error, Times: maxTries})
			report(w, "a1")
			time.Sleep(6 * time.Second)
			w.run()
		}, []string{"a1", "b1"}},
		{"the registry does not answer for one of them", 1, func(t *testing.T, w *world) {
			createType(t, w)
			w.fault(local.Fault{Operation: "CreateThing", Kind: local.Error, Times: maxTries})
			report(w, "b1")
			report(w, "a1")
			time.Sleep(time.Minute)
			w.run()
		}, []string{"a1", "b1"}},
		{"registered by hand, as the processor would", 1, func(t *testing.T, w *world) {
			createType(t, w)
			create(t, w, "a1", nil)
			create(t, w, "b1", nil)
			report(w, "a1", "b1")
		}, []string{"a1", "b1"}},
		{"registered by hand in another way, and one that is new", 1, func(t *testing.T, w *world) {
			createType(t, w)
			create(t, w, "a1", map[string]string{"by": "hand"})
			report(w, "a1")
			report(w, "b1")
		}, []string{"a1", "b1"}},
		{"shadows that were deleted", 2, func(t *testing.T, w *world) {
			things := []string{"a1", "b1", "c1", "d1"}
			for _, thing := range things {
				report(w, thing)
				time.Sleep(time.Minute)
			}
			for _, thing := range things {
				if _, err := w.data.DeleteThingShadow(t.Context(), &iotdataplane.DeleteThingShadowInput{ThingName: &thing}); err != nil {
					t.Fatal(err)
				}
			}
			w.restart()
			report(w, things...)
		}, []string{"a1", "b1", "c1", "d1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.cfg.CreatePerMinute = tt.budget
				w.restart()
				tt.run(t, w)
				w.expectDead("")
				for _, thing := range tt.things {
					w.expect(thing, `{"t":1}`)
				}
			})
		})
	}
}

// A flood of forged names costs the registry so many calls a minute and no more, under
// however many types each of them comes.
func TestBudgetBoundsTheCallsOfAFlood(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		const perMinute, forged = 3, 50
		w.cfg.CreatePerMinute = perMinute
		w.restart()
		report := says(bubbleTime, `{"t":1}`)
		w.send(report)
		w.run()
		time.Sleep(time.Minute)
		w.counts()
		var reports []envelope.Report
		for i := range forged {
			r := by(fmt.Sprint("forged-", i), report)
			again := r
			again.Type = "other"
			reports = append(reports, r, again)
		}
		w.send(reports...)
		w.run()
		counts := w.counts()
		// Each is read. Three are added: first write, read, write. Three more are asked for.
		if got, most := counts[metric.Calls], float64(forged+2*perMinute+3*perMinute); got > most {
			t.Errorf("%v calls, want %v at most", got, most)
		}
		things, err := w.iot.ListThings(t.Context(), &iot.ListThingsInput{})
		if err != nil || len(things.Things) != 1+perMinute {
			t.Errorf("%d things, want %d, %v", len(things.Things), 1+perMinute, err)
		}
		for _, r := range w.receive(w.cfg.DLQURL) {
			switch got := attribute(r, envelope.AttributeReason); got {
			case "create-budget", "type-conflict: the thing is of type th":
			default:
				t.Errorf("dead letter: %s", got)
			}
		}
	})
}
