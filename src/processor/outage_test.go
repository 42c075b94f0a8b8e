package processor

import (
	"fmt"
	"testing"
	"time"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/metric"
)

// AWS IoT is down for six hours, in each way: nothing goes to the dead-letter queue,
// the calls are few, and all of it is applied within one step of visibility
// afterwards.
func TestOutage(t *testing.T) {
	for _, tt := range []struct {
		name  string
		calls float64 // of AWS IoT, at most
		fault local.Fault
	}{
		{"dead", 200, local.Fault{Service: "iot-data", Kind: local.Dead}},
		{"hang", 200, local.Fault{Service: "iot-data", Kind: local.Hang}},
		{"error", 200, local.Fault{Service: "iot-data", Kind: local.Error}},
		{"throttled", 200, local.Fault{Service: "iot-data", Kind: local.Throttled}},
		{"no access", 200, local.Fault{Service: "iot-data", Kind: local.Error, Code: "ForbiddenException", Status: 403}},
		// Some calls are answered, so each receive costs a read.
		{"registry", 5000, local.Fault{Service: "iot", Kind: local.Dead}},
		{"answer lost", 5000, local.Fault{Service: "iot-data", Kind: local.Dead, After: true}},
		{"no answer to writes", 5000, local.Fault{Operation: "UpdateThingShadow", Kind: local.Dead, After: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				end := w.fault(tt.fault)
				const n = 40
				for i := range n {
					w.send(by(fmt.Sprint("x", i), says(bubbleTime, `{"t":1}`)), by(fmt.Sprint("y", i), says(bubbleTime, `{"t":1}`)))
				}
				receives := 0
				for range 6 * 60 {
					if records := w.receive(w.cfg.QueueURL); len(records) > 0 {
						receives += len(records)
						start := time.Now()
						w.handle(records)
						if took := time.Since(start); took > 55*time.Second {
							t.Fatalf("took %v of a minute", took)
						}
					}
					time.Sleep(time.Minute)
				}
				counts := w.counts()
				// Each message is received 5 times on the way to 15 minutes and then 4 times an
				// hour.
				if receives > n*30 || counts[metric.Calls] > tt.calls {
					t.Errorf("%d receives, counts %v", receives, counts)
				}
				if counts[metric.Applied] == 0 && counts[metric.OldestWaiting] < 6*3600 {
					t.Errorf("oldest %v s", counts[metric.OldestWaiting])
				}
				w.expectDead("")

				end()
				for range 16 {
					time.Sleep(time.Minute)
					w.run()
				}
				for i := range n {
					w.expect(fmt.Sprint("x", i), `{"t":1}`)
					w.expect(fmt.Sprint("y", i), `{"t":1}`)
				}
				w.expectDead("")
				if left := w.receive(w.cfg.QueueURL); len(left) > 0 {
					t.Errorf("%d messages left", len(left))
				}
				if counts := w.counts(); counts[metric.Resent] > 2*n {
					t.Errorf("after recovery: %v", counts)
				}
			})
		})
	}
}

// A container that is new each time, with one report each time, does not use up the
// report's attempts during an outage.
func TestOutageWithColdContainers(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		end := w.fault(local.Fault{Service: "iot-data", Kind: local.Dead})
		w.send(says(bubbleTime, `{"t":1}`))
		for range 24 * 60 {
			w.restart()
			w.run()
			time.Sleep(time.Minute)
		}
		w.expectDead("")
		end()
		for range 20 {
			w.restart()
			w.run()
			time.Sleep(time.Minute)
		}
		w.expect("a1", `{"t":1}`)
		w.expectDead("")
	})
}

// A quota of AWS IoT is a slower processor, and nothing else.
func TestThrottling(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.fault(local.Fault{Service: "iot-data", Kind: local.Slow, Median: local.Delay(20 * time.Millisecond)})
		w.fault(local.Fault{Service: "iot-data", Kind: local.Throttled, Rate: 100})
		const n = 3000
		for i := range n / 100 {
			var reports []envelope.Report
			for j := range 100 {
				reports = append(reports, by(fmt.Sprint("x", 100*i+j), says(bubbleTime, `{"t":1}`)))
			}
			w.send(reports...)
		}
		start := time.Now()
		done := 0.0
		var calls, throttled float64
		for done < n && time.Since(start) < time.Hour {
			w.run()
			counts := w.counts()
			done += counts[metric.Applied] + counts[metric.Duplicate]
			calls += counts[metric.Calls]
			throttled += counts[metric.Throttled]
			time.Sleep(time.Second)
		}
		// 4 calls of the data plane for each, at 100 a second.
		if took := time.Since(start); done < n || took > 10*time.Minute {
			t.Errorf("%v applied in %v, of %d in 2 minutes at the best", done, took, n)
		}
		if throttled > calls/4 {
			t.Errorf("%v of %v calls throttled", throttled, calls)
		}
		w.expectDead("")
	})
}

// The time of an invocation is over before its work is: what is not done stays.
func TestDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.fault(local.Fault{Service: "iot-data", Kind: local.Slow, Median: local.Delay(3 * time.Second)})
		for i := range 10 {
			var reports []envelope.Report
			for j := range 100 {
				reports = append(reports, by(fmt.Sprint("x", 100*i+j), says(bubbleTime, `{"t":1}`)))
			}
			w.send(reports...)
		}
		start := time.Now()
		failed := w.run()
		if took := time.Since(start); len(failed) == 0 || took > 52*time.Second {
			t.Errorf("%d failed after %v", len(failed), took)
		}
		w.expectDead("")
		for range 20 {
			time.Sleep(time.Minute)
			w.run()
		}
		for i := range 1000 {
			w.expect(fmt.Sprint("x", i), `{"t":1}`)
		}
		w.expectDead("")
	})
}
