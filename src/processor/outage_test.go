package processor

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"

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
				if receives > n*30 || counts[metricCalls] > tt.calls {
					t.Errorf("%d receives, counts %v", receives, counts)
				}
				if counts[metric.Applied] == 0 && counts[metricOldest] < 6*3600 {
					t.Errorf("oldest %v s", counts[metricOldest])
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
				if counts := w.counts(); counts[metricResent] > 2*n {
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

// AWS IoT comes and goes: what was sent again in a good moment is not taken for a
// report that kills the processor.
func TestFlappingIsNoCrash(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i := range 10 {
			w.send(by(fmt.Sprint("x", i), says(bubbleTime, `{"t":1}`)))
		}
		for range 30 {
			end := w.fault(local.Fault{Operation: "UpdateThingShadow", Kind: local.Dead})
			for range 20 { // reads work, so AWS IoT looks alive
				w.restart()
				w.run()
				time.Sleep(2 * time.Minute)
			}
			end()
			w.expectDead("")
		}
		for range 20 {
			w.run()
			time.Sleep(time.Minute)
		}
		for i := range 10 {
			w.expect(fmt.Sprint("x", i), `{"t":1}`)
		}
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
			done += counts[metric.Applied] + counts[metricDuplicate]
			calls += counts[metricCalls]
			throttled += counts[metricThrottled]
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

// One thing's trouble does not hold up the others of its bundle: its reports are sent
// again, as they were, ever later, and given up after 20 attempts.
func TestRetryAndExhaustion(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		flaky := &failing{next: w.aws.Transport(), path: "/things/bad/"}
		w.useTransport(flaky)
		flaky.on = true
		first := time.Now().UnixMilli()
		bad := by("bad", says(bubbleTime, `{"t":1}`))
		w.send(by("good", says(bubbleTime, `{"t":1}`)), bad)
		if failed := w.run(); len(failed) > 0 {
			t.Errorf("failed %v", failed)
		}
		w.expect("good", `{"t":1}`)
		w.expectCounts("applied 1 resent 1")

		start := time.Now()
		for attempt := 1; attempt <= maxAttempts; attempt++ {
			var records []events.SQSMessage
			waited := time.Now()
			for len(records) == 0 {
				time.Sleep(time.Second)
				records = w.receive(w.cfg.QueueURL)
			}
			if got, want := records[0].Body, string(bundleOf("use1-a", bad)); got != want {
				t.Fatalf("attempt %d: got %s, want %s", attempt, got, want)
			}
			if got := attribute(records[0], envelope.AttributeAttempt); got != fmt.Sprint(attempt) {
				t.Fatalf("attempt %s, want %d", got, attempt)
			}
			if got := attribute(records[0], envelope.AttributeFirstSent); got != fmt.Sprint(first) {
				t.Fatalf("first sent %s, want %d", got, first)
			}
			if d := time.Since(waited); d < retryDelay(attempt)-time.Second || d > retryDelay(attempt)+2*time.Second {
				t.Errorf("attempt %d after %v, want %v", attempt, d, retryDelay(attempt))
			}
			w.put(w.cfg.QueueURL, string(bundleOf("use1-a", by("good", says(bubbleTime+int64(attempt), `{"t":2}`)))))
			w.handle(append(records, w.receive(w.cfg.QueueURL)...))
		}
		if took := time.Since(start); took < 3*time.Hour || took > 4*time.Hour {
			t.Errorf("given up after %v", took)
		}
		w.expectDead("exhausted")

		// Redriven, it starts over.
		flaky.on = false
		time.Sleep(2 * time.Minute)
		w.put(w.cfg.QueueURL, w.receive(w.cfg.DLQURL)[0].Body)
		w.run()
		w.expect("bad", `{"t":1}`)
	})
}

// Bookkeeping of a newer release is left to it, for as long as it takes, and its
// neighbours are not held up.
func TestNewerBookkeepingWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		update := func(text string) {
			t.Helper()
			if _, err := w.data.UpdateThingShadow(t.Context(), &iotdataplane.UpdateThingShadowInput{ThingName: aws.String("a1"), Payload: []byte(text)}); err != nil {
				t.Fatal(err)
			}
		}
		update(`{"state":{"reported":{"t":0,"_coap":{"v":2,"type":"th"}}}}`)
		w.send(says(bubbleTime, `{"t":1}`), by("a2", says(bubbleTime, `{"t":1}`)))
		w.run()
		w.expect("a2", `{"t":1}`)
		for range 48 * 4 {
			time.Sleep(15 * time.Minute)
			w.run()
		}
		w.expect("a1", `{"t":0}`)
		w.expectDead("")
		if counts := w.counts(); counts[metricNewer] < 48*4 {
			t.Errorf("counts %v", counts)
		}
		update(`{"state":{"reported":{"_coap":{"v":1}}}}`)
		time.Sleep(15 * time.Minute)
		w.run()
		w.expect("a1", `{"t":1}`)
	})
}

// So is a bundle of a newer release.
func TestNewerBundleWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.put(w.cfg.QueueURL, `{"coap":2,"new":true}`)
		for range 100 {
			w.run()
			time.Sleep(15 * time.Minute)
		}
		w.expectDead("")
		if counts := w.counts(); counts[metricNewer] < 90 || counts[metricStretched] < 90 {
			t.Errorf("counts %v", counts)
		}
	})
}

// The queues fail, in each way. No report is lost: not the poison one, nor the one
// that has to be sent again, nor the good ones.
func TestQueueFailures(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault local.Fault
	}{
		{"dead", local.Fault{Kind: local.Dead}},
		{"hang", local.Fault{Kind: local.Hang}},
		{"answer lost", local.Fault{Kind: local.Dead, After: true}},
		{"error", local.Fault{Kind: local.Error}},
		{"partly", local.Fault{Kind: local.Partial}},
		{"partly after storing", local.Fault{Kind: local.Partial, After: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				flaky := &failing{next: w.aws.Transport(), path: "/things/bad/", on: true}
				w.useTransport(flaky)
				tt.fault.Operation = "SendMessageBatch"
				end := w.fault(tt.fault)
				w.send(by("good", says(bubbleTime, `{"t":1}`)), by("bad", says(bubbleTime, `{"t":1}`)), says(bubbleTime, `{`))
				for range 3 {
					w.run()
					time.Sleep(2 * time.Minute)
				}
				w.expect("good", `{"t":1}`)
				if counts := w.counts(); counts[metricPoison]+counts[metricResent] > 0 {
					t.Errorf("unconfirmed, but counted: %v", counts)
				}
				end()
				flaky.on = false
				for range 60 {
					w.run()
					time.Sleep(time.Minute)
				}
				w.expect("bad", `{"t":1}`)
				dead := w.receive(w.cfg.DLQURL)
				if len(dead) == 0 {
					t.Error("the poison is lost")
				}
				for _, r := range dead {
					if !strings.HasPrefix(attribute(r, envelope.AttributeReason), "undecodable") {
						t.Errorf("dead letter %v", r)
					}
				}
				if left := w.receive(w.cfg.QueueURL); len(left) > 0 {
					t.Errorf("%d messages left", len(left))
				}
			})
		})
	}
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

// A process that dies leaves nothing but receive counts. The report that kills it
// ends in the dead-letter queue, alone; all the others are applied, although they are
// received with it again and again.
func TestCrashIsIsolated(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		killer := by("killer", says(bubbleTime, `{"t":1}`))
		for i := range 20 {
			var reports []envelope.Report
			for j := range 5 {
				reports = append(reports, by(fmt.Sprintf("x%d-%d", i, j), says(bubbleTime, `{"t":1}`)))
			}
			if i == 7 {
				reports = append(reports, killer)
			}
			w.send(reports...)
		}
		deaths := 0
		for range 240 {
			life := &mortal{next: w.aws.Transport(), path: "/things/killer/"}
			w.useTransport(life)
			records := w.receive(w.cfg.QueueURL)
			failed := w.invoke(w.p, records)
			if life.over() {
				deaths++
			} else {
				w.delete(records, failed)
			}
			time.Sleep(time.Minute)
		}
		if deaths < 12 || deaths > 18 {
			t.Errorf("%d deaths", deaths)
		}
		dead := w.receive(w.cfg.DLQURL)
		if len(dead) != 1 {
			t.Fatalf("%d dead letters, want one", len(dead))
		}
		if got, want := dead[0].Body, string(bundleOf("use1-a", killer)); got != want {
			t.Errorf("dead letter %s, want %s", got, want)
		}
		if got := attribute(dead[0], envelope.AttributeReason); got != "crash: 10 receives" {
			t.Errorf("reason %q", got)
		}
		for i := range 20 {
			for j := range 5 {
				w.expect(fmt.Sprintf("x%d-%d", i, j), `{"t":1}`)
			}
		}
		if left := w.receive(w.cfg.QueueURL); len(left) > 0 {
			t.Errorf("%d messages left", len(left))
		}
	})
}

// Before a suspect is handled all others that are watched are on record elsewhere: if
// it is the last of the process, they are not suspected for having been near.
func TestOthersAreSafeFromTheSuspect(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		once := string(bundleOf("use1-a", by("once", says(bubbleTime, `{"t":1}`))))
		twice := string(bundleOf("use1-a", by("twice", says(bubbleTime, `{"t":1}`))))
		killer := string(bundleOf("use1-a", by("killer", says(bubbleTime, `{"t":1}`))))
		life := &mortal{next: w.aws.Transport(), path: "/things/killer/"}
		w.useTransport(life)
		w.putWith(killer, envelope.AttributeAttempt, "1")
		w.receive(w.cfg.QueueURL) // and its process died
		time.Sleep(61 * time.Second)
		w.putWith(twice, envelope.AttributeAttempt, "1")
		w.receive(w.cfg.QueueURL) // again
		time.Sleep(61 * time.Second)
		w.putWith(once, envelope.AttributeAttempt, "1")
		w.invoke(w.p, w.receive(w.cfg.QueueURL))
		if !life.over() {
			t.Fatal("the suspect was not handled")
		}
		w.expect("once", `{"t":1}`)

		time.Sleep(maxDelay)
		got := map[string]string{}
		for _, r := range w.receive(w.cfg.QueueURL) {
			got[r.Body] += r.Attributes["ApproximateReceiveCount"] + " " + attribute(r, envelope.AttributeAttempt) + ";"
		}
		if len(got) != 2 || got[killer] != "4 1;" || got[twice] != "1 1;" {
			t.Errorf("left on the queue, with receive count and attempt: %q", got)
		}
	})
}

// An invocation that is cut off at any call has either finished a message or not
// deleted it.
func TestCutOffAnywhere(t *testing.T) {
	for calls := range 40 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.aws.Close()
			ctx, cut := context.WithTimeout(t.Context(), time.Minute)
			defer cut()
			w.useTransport(&cutting{next: w.aws.Transport(), left: calls, cut: cut})
			w.send(says(bubbleTime, `{"t":1}`), says(bubbleTime+1, `{"h":1}`), says(bubbleTime, `{`))
			w.send(by("a2", says(bubbleTime, `{"t":1}`)))
			records := w.receive(w.cfg.QueueURL)
			out, err := w.p.Handle(ctx, events.SQSEvent{Records: records})
			if err != nil {
				t.Fatal(err)
			}
			w.useTransport(w.aws.Transport())
			w.delete(records, out.BatchItemFailures)
			for range 20 {
				time.Sleep(time.Minute)
				w.run()
			}
			w.expect("a1", `{"h":1,"t":1}`)
			w.expect("a2", `{"t":1}`)
			if dead := w.receive(w.cfg.DLQURL); len(dead) == 0 {
				t.Errorf("cut off after %d calls: the poison is lost", calls)
			}
		})
	}
}
