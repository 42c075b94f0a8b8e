package processor

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/metric"
)

// inBubble runs a test with a world on virtual time.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		test(t, w)
		w.aws.Close()
	})
}

func (w *world) fault(f local.Fault) (end func()) {
	w.t.Helper()
	id, err := w.aws.AddFault(f)
	if err != nil {
		w.t.Fatal(err)
	}
	return func() { w.aws.RemoveFault(id) }
}

func by(thing string, r envelope.Report) envelope.Report {
	r.ID = thing
	return r
}

// bubbleTime is a receive time before the beginning of a bubble's time, 2000-01-01.
const bubbleTime = int64(946_600_000_000)

// The usual report costs one call of AWS IoT; many of one thing in an event cost one.
func TestCalls(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		expect := func(what string, want float64) {
			t.Helper()
			if got := w.counts()[metricCalls]; got != want {
				t.Errorf("%s: %v calls, want %v", what, got, want)
			}
		}
		w.send(says(bubbleTime, `{"t":1,"o":{"x":1}}`))
		w.run()
		// Read, CreateThing, CreateThingType, CreateThing, first write, read, write.
		expect("the first report of a type and thing", 7)
		w.send(by("a2", says(bubbleTime, `{"t":1}`)))
		w.run()
		expect("the first report of a thing", 5)
		for i := range int64(3) {
			w.send(says(bubbleTime+1+i, fmt.Sprintf(`{"t":%d,"o":{"y":%d}}`, i, i)))
			w.run()
			expect("another report", 1)
		}
		w.expect("a1", `{"o":{"y":2},"t":2}`)
		w.send(says(bubbleTime, `{"t":9}`))
		w.run()
		expect("a report that is superseded", 0)
		for i := range int64(5) {
			w.send(says(bubbleTime+10+i, `{"t":5}`), says(bubbleTime+20+i, `{"h":5}`))
		}
		w.counts()
		w.run()
		counts := w.counts()
		if counts[metricCalls] != 1 || counts[metric.Applied] != 2 || counts[metricSuperseded] != 8 {
			t.Errorf("ten reports in one event: %v", counts)
		}
		w.restart()
		w.send(says(bubbleTime+100, `{"t":6,"o":{"z":1}}`))
		w.run()
		expect("the first report after a cold start", 2)
		w.expect("a1", `{"h":5,"o":{"z":1},"t":6}`)
	})
}

// Many calls are in flight at a time, but no more than they may be.
func TestCallsInFlight(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.fault(local.Fault{Service: "iot-data", Kind: local.Slow, Median: local.Delay(100 * time.Millisecond)})
		var reports []envelope.Report
		for i := range 960 {
			thing := fmt.Sprint("thing-", i)
			reports = append(reports, by(thing, says(bubbleTime, `{"t":1}`)))
			shadow := `{"state":{"reported":{"_coap":{"v":1,"type":"th"}}}}`
			if _, err := w.data.UpdateThingShadow(t.Context(), &iotdataplane.UpdateThingShadowInput{ThingName: &thing, Payload: []byte(shadow)}); err != nil {
				t.Fatal(err)
			}
		}
		w.send(reports[:300]...)
		w.send(reports[300:600]...)
		w.send(reports[600:]...)
		start := time.Now()
		w.run()
		// 960 reads and 960 writes of 100 ms, 128 at a time.
		if took := time.Since(start); took < 1500*time.Millisecond || took > 1700*time.Millisecond {
			t.Errorf("took %v, want 1.5 s", took)
		}
		if got := w.counts()[metric.Applied]; got != 960 {
			t.Errorf("%v applied", got)
		}
	})
}

// A container that others overtake reads first, and stops that when it is alone.
func TestHitRate(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		report := func(i int64) float64 {
			w.send(says(bubbleTime+i, `{"t":1}`))
			w.run()
			return w.counts()[metricCalls]
		}
		report(0)
		if got := report(1); got != 1 {
			t.Errorf("alone: %v calls", got)
		}
		for range 100 {
			w.p.hits.count(false)
		}
		if got := report(2); got != 2 {
			t.Errorf("after many misses: %v calls", got)
		}
		for i := range int64(40) {
			report(3 + i)
		}
		if got := report(100); got != 1 {
			t.Errorf("alone again: %v calls", got)
		}
	})
}

// Several containers write one thing at the same time: nothing is lost, and after a
// while they read first.
func TestConflicts(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.fault(local.Fault{Service: "iot-data", Kind: local.Slow, Median: local.Delay(5 * time.Millisecond), P99: local.Delay(50 * time.Millisecond)})
		w.send(says(bubbleTime, `{"t":0}`))
		w.run()
		others := []*Processor{w.p}
		for range 3 {
			w.restart()
			others = append(others, w.p)
		}
		w.counts()
		const rounds = 60
		for round := range int64(rounds) {
			var all sync.WaitGroup
			for i, p := range others {
				w.send(says(bubbleTime+round, fmt.Sprintf(`{"f%d":%d}`, i, round)))
				records := w.receive(w.cfg.QueueURL)
				all.Go(func() { w.handleBy(p, records) })
			}
			all.Wait()
		}
		// What four writers at a time could not bring in at once is sent again.
		time.Sleep(time.Hour)
		w.run()
		w.expect("a1", `{"f0":59,"f1":59,"f2":59,"f3":59,"t":0}`)
		counts := w.counts()
		if counts[metricConflicts] < rounds || counts[metric.Applied]+counts[metricSuperseded] != 4*rounds {
			t.Errorf("counts %v", counts)
		}
		if !others[0].hits.low() {
			t.Error("a container that misses each time does not read first")
		}
	})
}

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

// expectDead takes what is in the dead-letter queue: nothing, or one message with a
// reason that begins like that.
func (w *world) expectDead(want string) {
	w.t.Helper()
	dead := w.receive(w.cfg.DLQURL)
	if want == "" {
		if len(dead) > 0 {
			w.t.Errorf("dead letter: %v", attribute(dead[0], envelope.AttributeReason))
		}
		return
	}
	if len(dead) != 1 {
		w.t.Errorf("%d dead letters, want one: %s", len(dead), want)
		return
	}
	if got := attribute(dead[0], envelope.AttributeReason); !strings.HasPrefix(got, want) {
		w.t.Errorf("dead letter: %s, want %s", got, want)
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
		if got := counts[metricCalls]; got > 6*100+5 {
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

// What is remembered of a shadow refuses nothing, not even if the shadow cannot be
// read just then.
func TestRefusalNeedsAFreshRead(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.send(says(bubbleTime, `{"t":1}`))
		w.run()
		_, err := w.data.UpdateThingShadow(t.Context(), &iotdataplane.UpdateThingShadowInput{
			ThingName: aws.String("a1"), Payload: []byte(`{"state":{"reported":{"_coap":{"type":"door"}}}}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		end := w.fault(local.Fault{Operation: "GetThingShadow", Kind: local.Dead})
		door := says(bubbleTime+1, `{"t":2}`)
		door.Type = "door"
		w.send(door)
		w.run()
		w.expectDead("")
		end()
		time.Sleep(time.Minute)
		w.run()
		w.expect("a1", `{"t":2}`)
	})
}

// Others change the shadow: their fields and the desired section stay.
func TestShadowIsShared(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		update := func(text string) {
			t.Helper()
			if _, err := w.data.UpdateThingShadow(t.Context(), &iotdataplane.UpdateThingShadowInput{ThingName: aws.String("a1"), Payload: []byte(text)}); err != nil {
				t.Fatal(err)
			}
		}
		update(`{"state":{"desired":{"led":"on","o":{"x":1}},"reported":{"serial":7,"o":{"a":1,"b":2}}}}`)
		w.send(says(bubbleTime, `{"o":{"a":2}}`))
		w.run()
		w.expect("a1", `{"o":{"a":2},"serial":7}`)
		if out, err := w.iot.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("a1")}); err != nil || *out.ThingTypeName != "th" {
			t.Errorf("thing %+v, %v", out, err)
		}
		update(`{"state":{"desired":{"led":"off"},"reported":{"o":{"c":3},"t":0}}}`)
		w.send(says(bubbleTime+1, `{"o":{"d":4},"t":1}`))
		w.run()
		w.expect("a1", `{"o":{"d":4},"serial":7,"t":1}`)
		out, err := w.data.GetThingShadow(t.Context(), &iotdataplane.GetThingShadowInput{ThingName: aws.String("a1")})
		if err != nil || !strings.Contains(string(out.Payload), `"desired":{"led":"off","o":{"x":1}}`) {
			t.Errorf("shadow %s, %v", out.Payload, err)
		}
		if _, err := w.data.DeleteThingShadow(t.Context(), &iotdataplane.DeleteThingShadowInput{ThingName: aws.String("a1")}); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.send(says(bubbleTime+2, `{"t":2}`))
		w.run()
		w.expect("a1", `{"t":2}`)
		w.expectDead("")
	})
}

// Only the report that does not fit is refused, however many came with it.
func TestTooLarge(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.send(says(bubbleTime, `{"t":1}`))
		w.run()
		big := fmt.Sprintf(`{"big":%q}`, strings.Repeat("x", 5000))
		also := fmt.Sprintf(`{"also":%q}`, strings.Repeat("x", 5000))
		w.send(says(bubbleTime+1, `{"t":2}`), says(bubbleTime+2, big), says(bubbleTime+3, also), says(bubbleTime+4, `{"t":3}`))
		if failed := w.run(); len(failed) > 0 {
			t.Errorf("failed %v", failed)
		}
		w.expect("a1", fmt.Sprintf(`{"big":%q,"t":3}`, strings.Repeat("x", 5000)))
		w.expectDead("too-large")
	})
}

// Believed only after a fresh read: what the processor remembers is out of date, and
// there is room.
func TestRefusalIsBelievedAfterAFreshRead(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.send(says(bubbleTime, `{"t":1}`))
		w.run()
		w.fault(local.Fault{Operation: "UpdateThingShadow", Kind: local.Error, Code: "RequestEntityTooLargeException", Status: 413, Times: 1})
		w.send(says(bubbleTime+1, `{"t":2}`))
		w.run()
		w.expect("a1", `{"t":2}`)
		w.expectDead("")
		w.fault(local.Fault{Operation: "UpdateThingShadow", Kind: local.Error, Code: "InvalidRequestException", Status: 400, Times: 2})
		w.send(says(bubbleTime+2, `{"t":3}`))
		w.run()
		w.expectDead("refused: the fault was asked for")
	})
}

// What the processor remembers stays within its bound.
func TestCacheIsBounded(t *testing.T) {
	c := newCache(10_000)
	for i := range 100 {
		c.put(fmt.Sprint(i), &state{version: int64(i), fields: map[string]*field{"a": {object: strings.Repeat("x", 500)}}})
		if c.bytes > 10_000 {
			t.Fatalf("%d bytes", c.bytes)
		}
	}
	if c.take("0") != nil {
		t.Error("the oldest is still there")
	}
	n := len(c.of)
	if s := c.take("99"); s == nil || s.version != 99 || c.take("99") != nil {
		t.Errorf("got %+v", s)
	}
	if len(c.of) != n-1 || c.order.Len() != n-1 {
		t.Errorf("%d and %d entries, want %d", len(c.of), c.order.Len(), n-1)
	}
	for i := range 100 {
		c.take(fmt.Sprint(i))
	}
	if c.bytes != 0 {
		t.Errorf("%d bytes of nothing", c.bytes)
	}
	c.put("too big", &state{fields: map[string]*field{"a": {object: strings.Repeat("x", 20_000)}}})
	if c.bytes != 0 || c.take("too big") != nil {
		t.Error("more than the bound is remembered")
	}
}
