package ingestor

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

func TestHealthFollowsTheQueue(t *testing.T) {
	get := request(message.Confirmable, codes.GET, 1, "health", "")
	inWorld(t, nil, func(w *world) {
		post := func(mid uint16) {
			w.device.send(con(mid, "th/a1", "x"))
			time.Sleep(100 * time.Millisecond)
			w.device.take()
		}
		w.sqs.set(func(f *fakeSQS) { f.before = errors.New("down") })
		post(10)
		post(11)
		w.device.send(get)
		w.device.expect(t, "the queue is down", "ACK 5.03 mid=0001 token=a1b2 Max-Age")
		w.sqs.set(func(f *fakeSQS) { f.before = nil })
		post(12)
		w.device.send(get)
		w.device.expect(t, "the queue is back", "ACK 2.05 mid=0001 token=a1b2")
		time.Sleep(calmFor + time.Second)
		w.sqs.set(func(f *fakeSQS) { f.before, f.refuse = nil, "x" })
		post(13)
		w.device.send(get)
		w.device.expect(t, "the queue refuses a report for what it holds", "ACK 2.05 mid=0001 token=a1b2")
		w.sqs.set(func(f *fakeSQS) { f.before, f.refuse = errors.New("down"), "" })
		post(14)
		time.Sleep(sickFor)
		w.device.send(get)
		w.device.expect(t, "nobody knows any more", "ACK 2.05 mid=0001 token=a1b2")
		if n := strings.Count(w.log.String(), "does not confirm"); n != 2 {
			t.Errorf("%d lines about the outages, want one for each of two:\n%s", n, w.log)
		}
		if n := strings.Count(w.log.String(), "confirms again"); n != 1 {
			t.Errorf("%d lines about the recovery, want one:\n%s", n, w.log)
		}
	})
}

// A queue that fails now and then is one outage in the log, until it has confirmed for ten
// seconds; devices and /health hear the truth of each moment.
func TestFlappingQueue(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		const minute = 60
		for mid := range uint16(10 * minute) {
			var down error
			if mid%2 == 0 {
				down = errors.New("down")
			}
			w.sqs.set(func(f *fakeSQS) { f.before = down })
			w.device.send(con(mid, "th/a1", "x"))
			time.Sleep(100 * time.Millisecond)
			w.device.take()
			if problem := w.in.health.problem(time.Now()); (problem != nil) != (down != nil) {
				t.Fatalf("report %d: health is %v, want %v", mid, problem, down)
			}
		}
		time.Sleep(calmFor + time.Second)
		synctest.Wait()
		lines := slices.Collect(strings.Lines(w.log.String()))
		if len(lines) != 2 || !strings.Contains(lines[0], "does not confirm") ||
			!strings.Contains(lines[1], `confirms again","after":"59.9s"`) || !strings.Contains(lines[1], "00:01:10") {
			t.Errorf("%d lines: %s", len(lines), lines)
		}
	})
}

// An ingestor whose clock cannot be trusted takes nothing, because the receive time
// orders reports.
func TestClock(t *testing.T) {
	var unset atomic.Bool
	unset.Store(true)
	skew := -time.Hour
	inWorld(t, func(c *Config) {
		c.RequireClock = true
		c.Clock = Clock{Now: func() time.Time { return time.Now().Add(skew) }, Synchronised: func() bool { return !unset.Load() }}
	}, func(w *world) {
		w.device.send(con(1, "th/a1", "x")) // it may be there before the ingestor runs
		w.device.expect(t, "before the clock is set", "ACK 5.03 mid=0001 token=a1b2 Max-Age")
		unset.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		w.device.send(con(1, "th/a1", "x"))
		want := time.Now().Add(skew).UnixMilli()
		time.Sleep(time.Second)
		w.device.expect(t, "after it is set", changed)
		if got := w.sqs.reports(t); len(got) != 1 || got[0].Received != want {
			t.Errorf("stored %+v, want one received at %d", got, want)
		}
		unset.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		w.device.send(con(2, "th/a1", "x"))
		w.device.expect(t, "when it is lost again", "ACK 5.03 mid=0002 token=a1b2 Max-Age")
		if n := w.counter("coap_refused_total", "not-ready"); n != 2 {
			t.Errorf("%v refusals counted, want 2", n)
		}
		if n := strings.Count(w.log.String(), "clock is"); n != 3 {
			t.Errorf("%d lines, want one for each change:\n%s", n, w.log)
		}
	})
}
