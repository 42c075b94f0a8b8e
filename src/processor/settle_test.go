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
				if counts := w.counts(); counts[metric.Poison]+counts[metric.Resent] > 0 {
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

// A message that stays on the queue is not sent again in parts too.
func TestFailedMessageIsNotSentAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.useTransport(&failing{next: w.aws.Transport(), path: "/things/bad/", on: true})
		w.fault(local.Fault{Operation: "SendMessageBatch", Kind: local.Error, Times: 1}) // to the dead-letter queue
		w.send(by("good", says(bubbleTime, `{"t":1}`)), by("bad", says(bubbleTime, `{"t":1}`)), says(bubbleTime, `{`))
		if failed := w.run(); len(failed) != 1 {
			t.Errorf("failed %v", failed)
		}
		w.expectCounts("applied 1 stretched 1")
		time.Sleep(time.Minute)
		if got := len(w.receive(w.cfg.QueueURL)); got != 1 {
			t.Errorf("%d messages on the queue, want the one that failed", got)
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
		if counts := w.counts(); counts[metric.Newer] < 48*4 {
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
		if counts := w.counts(); counts[metric.Newer] < 90 || counts[metric.Stretched] < 90 {
			t.Errorf("counts %v", counts)
		}
	})
}
