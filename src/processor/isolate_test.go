package processor

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
)

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
		deaths := w.liveWithKiller(240, time.Minute)
		if deaths < 16 || deaths > 24 {
			t.Errorf("%d deaths", deaths)
		}
		dead := w.receive(w.cfg.DLQURL)
		if len(dead) != 1 {
			t.Fatalf("%d dead letters, want one", len(dead))
		}
		if got, want := dead[0].Body, string(bundleOf("use1-a", killer)); got != want {
			t.Errorf("dead letter %s, want %s", got, want)
		}
		if got := attribute(dead[0], envelope.AttributeReason); got != "crash: 10 receives, again" {
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
		sent := time.Now().UnixMilli()
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
			got[r.Body] += r.Attributes["ApproximateReceiveCount"] + " " + attribute(r, envelope.AttributeAttempt) + " " + attribute(r, envelope.AttributeFirstSent) + ";"
		}
		if len(got) != 2 || got[killer] != "4 1 ;" || got[twice] != fmt.Sprintf("1 1 %d;", sent) {
			t.Errorf("left on the queue, with receive count, attempt and first SentTimestamp: %q", got)
		}
	})
}

// liveWithKiller handles what comes, so many times with a pause after each, by processes
// of which each dies when it touches the thing killer. It returns how many have died.
func (w *world) liveWithKiller(times int, pause time.Duration) (deaths int) {
	for range times {
		life := &mortal{next: w.aws.Transport(), path: "/things/killer/"}
		w.useTransport(life)
		records := w.receive(w.cfg.QueueURL)
		failed := w.invoke(w.p, records)
		if life.over() {
			deaths++
		} else {
			w.delete(records, failed)
		}
		time.Sleep(pause)
	}
	return deaths
}

// Reports that have been sent again 20 times together are not buried together.
func TestCrashIsIsolatedOnTheLastAttempt(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		killer := by("killer", says(bubbleTime, `{"t":1}`))
		innocent := by("innocent", says(bubbleTime, `{"t":1}`))
		w.putWith(string(bundleOf("use1-a", innocent, killer)), envelope.AttributeAttempt, fmt.Sprint(maxAttempts))
		deaths := w.liveWithKiller(120, 2*time.Minute)
		if deaths < deadCount {
			t.Errorf("%d deaths", deaths)
		}
		w.expect("innocent", `{"t":1}`)
		dead := w.receive(w.cfg.DLQURL)
		if len(dead) != 1 || dead[0].Body != string(bundleOf("use1-a", killer)) {
			t.Errorf("%d dead letters, want the one that kills", len(dead))
		}
		if left := w.receive(w.cfg.QueueURL); len(left) > 0 {
			t.Errorf("%d messages left", len(left))
		}
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

// If Lambda fails to delete what is done it comes again, as a report that kills would.
// Whoever has survived it knows better: it is deleted at once, or its count starts anew.
func TestUndeletedIsNoCrash(t *testing.T) {
	for _, deletes := range []bool{true, false} {
		t.Run(fmt.Sprint(deletes), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				end := func() {}
				if !deletes {
					end = w.fault(local.Fault{Operation: "DeleteMessageBatch", Kind: local.Dead})
				}
				w.putWith(string(bundleOf("use1-a", by("once", says(bubbleTime, `{"t":1}`)))), envelope.AttributeAttempt, "1")
				for range 2 { // the second time it is suspected
					w.invoke(w.p, w.receive(w.cfg.QueueURL))
					time.Sleep(time.Minute + renewDelay)
				}
				end()
				var counts []string
				for _, r := range w.receive(w.cfg.QueueURL) {
					counts = append(counts, r.Attributes["ApproximateReceiveCount"])
				}
				slices.Sort(counts)
				if want := map[bool][]string{true: nil, false: {"1", "3"}}[deletes]; !slices.Equal(counts, want) {
					t.Errorf("left on the queue, with receive counts: %q, want %q", counts, want)
				}
				w.expect("once", `{"t":1}`)
				w.expectDead("")
			})
		})
	}
}

// A queue that hands messages out and does not delete them makes every one a suspect. They
// do not multiply meanwhile, and nothing is buried for it.
func TestUndeletedIsNotMultiplied(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i := range 15 {
			w.send(by(fmt.Sprint("x", i), says(bubbleTime, `{"t":1}`)), by(fmt.Sprint("y", i), says(bubbleTime, `{"t":1}`)))
		}
		end := w.fault(local.Fault{Operation: "DeleteMessageBatch", Kind: local.Dead})
		handle := func(rounds int, deletes bool) {
			for range rounds {
				records := w.receive(w.cfg.QueueURL)
				if len(records) > 15+4*10 { // an event for each quarter of an hour, and the first
					t.Fatalf("%d messages at a time", len(records))
				}
				for part := range slices.Chunk(records, 10) {
					if failed := w.invoke(w.p, part); deletes {
						w.delete(part, failed)
					}
				}
				time.Sleep(time.Minute)
			}
		}
		handle(40, false)
		end()
		handle(120, true)
		for i := range 15 {
			w.expect(fmt.Sprint("x", i), `{"t":1}`)
			w.expect(fmt.Sprint("y", i), `{"t":1}`)
		}
		w.expectDead("")
		if left := w.receive(w.cfg.QueueURL); len(left) > 0 {
			t.Errorf("%d messages left", len(left))
		}
	})
}
