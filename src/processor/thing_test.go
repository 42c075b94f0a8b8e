package processor

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/metric"
)

// The usual report costs one call of AWS IoT; many of one thing in an event cost one.
func TestCalls(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		expect := func(what string, want float64) {
			t.Helper()
			if got := w.counts()[metric.Calls]; got != want {
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
		if counts[metric.Calls] != 1 || counts[metric.Applied] != 2 || counts[metric.Superseded] != 8 {
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
			return w.counts()[metric.Calls]
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
		if counts[metric.Conflicts] < rounds || counts[metric.Applied]+counts[metric.Superseded] != 4*rounds {
			t.Errorf("counts %v", counts)
		}
		if !others[0].hits.low() {
			t.Error("a container that misses each time does not read first")
		}
	})
}

// Against somebody who never stops writing the shadow a write is tried so often, with
// pauses between, and then its report is sent again.
func TestConflictsWithoutEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.send(says(bubbleTime, `{"t":0}`))
		w.run()
		w.counts()
		end := w.fault(local.Fault{Operation: "UpdateThingShadow", Kind: local.Error, Code: "ConflictException", Status: 409})
		w.send(says(bubbleTime+1, `{"t":1}`))
		start := time.Now()
		w.run()
		// Seven pauses of 20 ms, doubling to 1.28 s, at most.
		if took := time.Since(start); took < 10*time.Millisecond || took > 2540*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if counts := w.counts(); counts[metric.Conflicts] != maxConflicts || counts[metric.Resent] != 1 {
			t.Errorf("counts %v", counts)
		}
		end()
		time.Sleep(6 * time.Second)
		w.run()
		w.expect("a1", `{"t":1}`)
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

// What docs/order.md promises: so many bytes of fields fit, however far apart they were set
// and however much the bookkeeping has to say about that.
func TestFieldsThatAlwaysFit(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		const bytes = 5900
		for i := range maxFields {
			r := says(bubbleTime+int64(i)*5*hour-14*day, fmt.Sprintf(`{"field-%02d":%q}`, i, strings.Repeat("x", bytes/maxFields-len(`"field-00":"",`))))
			r.Type = strings.Repeat("t", 128)
			r.Seq, r.Numbered = uint64(i)<<57, true
			w.send(r)
		}
		w.run()
		w.expectDead("")
		if got := len(w.reported("a1")); got < bytes-maxFields || got > bytes+2 {
			t.Errorf("%d bytes of fields", got)
		}
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
