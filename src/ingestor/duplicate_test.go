package ingestor

import (
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// RFC 7252, section 4.5.
func TestDuplicates(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		first := con(1, "th/a1", "one")
		w.device.send(first)
		time.Sleep(10 * time.Millisecond)
		w.device.send(first)
		time.Sleep(time.Second)
		w.device.expect(t, "a duplicate before the store is answered once", changed)
		w.device.send(first)
		w.device.expect(t, "a duplicate after the store hears the same again, at once", changed)
		time.Sleep(time.Second)
		if got := w.sqs.payloads(t); !slices.Equal(got, []string{"one"}) {
			t.Errorf("stored %q", got)
		}

		// Another device behind the same address and port (carrier-grade NAT).
		w.device.send(con(1, "th/a2", "two"))
		w.device.expect(t, "other bytes are not acknowledged before they are stored")
		time.Sleep(time.Second)
		w.device.expect(t, "other bytes", changed)

		// The same bytes from another port.
		elsewhere := w.listen(netip.AddrPortFrom(home.Addr(), 40001))
		defer elsewhere.socket.Close()
		elsewhere.send(first)
		time.Sleep(time.Second)
		elsewhere.expect(t, "another port", changed)
		if got := w.sqs.payloads(t); !slices.Equal(got, []string{"one", "one", "two"}) {
			t.Errorf("stored %q", got)
		}

		w.device.send(non(7, "th/a1", "three"))
		time.Sleep(time.Second)
		w.device.expect(t, "a NON", "NON 2.04 token=a1b2")
		w.device.send(non(7, "th/a1", "three"))
		time.Sleep(time.Second)
		w.device.expect(t, "a duplicate of a NON")

		// 247 s after the first one its Message ID may be used anew.
		time.Sleep(exchangeLifetime)
		w.device.send(first)
		w.device.expect(t, "after EXCHANGE_LIFETIME it is a new message")
		time.Sleep(time.Second)
		w.device.expect(t, "and is stored", changed)
		if got := w.sqs.payloads(t); !slices.Equal(got, []string{"one", "one", "one", "three", "two"}) {
			t.Errorf("stored %q", got)
		}
		if n := w.counter("coap_duplicates_total", ""); n != 3 {
			t.Errorf("%v duplicates counted, want 3", n)
		}
	})
}

// What is stored stays stored: its duplicate hears so also when nothing new is taken (RFC
// 7252, section 4.5).
func TestDuplicateOfTheStored(t *testing.T) {
	var unset atomic.Bool
	inWorld(t, func(c *Config) { c.RequireClock, c.Clock.Synchronised = true, func() bool { return !unset.Load() } }, func(w *world) {
		first := con(1, "th/a1", "x")
		w.device.send(first)
		time.Sleep(time.Second)
		w.device.expect(t, "at first", changed)
		unset.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		w.device.send(first)
		w.device.expect(t, "without a clock", changed)
		w.device.send(con(2, "th/a1", "y"))
		w.device.expect(t, "what is new", "ACK 5.03 mid=0002 token=a1b2 Max-Age")
		unset.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		w.sqs.set(func(f *fakeSQS) { f.delay = 500 * time.Millisecond })
		w.device.send(con(2, "th/a1", "y"))
		synctest.Wait()
		w.stop()
		synctest.Wait()
		w.device.send(first)
		w.device.expect(t, "while it stops", changed)
		w.device.send(con(2, "th/a1", "y"))
		w.device.expect(t, "what is on its way while it stops")
		w.device.send(con(3, "th/a1", "z"))
		w.device.expect(t, "what is new while it stops", "ACK 5.03 mid=0003 token=a1b2 Max-Age")
		<-w.ended
		w.device.expect(t, "what was on its way", "ACK 2.04 mid=0002 token=a1b2")
		if d, r := w.counter("coap_duplicates_total", ""), w.counter("coap_refused_total", "not-ready"); d != 3 || r != 2 {
			t.Errorf("%v duplicates and %v refused, want 3 and 2", d, r)
		}
	})
}

// A retransmission after a failure is a new attempt.
func TestFailureIsForgotten(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.sqs.set(func(f *fakeSQS) { f.before = errors.New("down") })
		w.device.send(con(1, "th/a1", "x"))
		time.Sleep(time.Second)
		w.device.expect(t, "while SQS is down", "ACK 5.03 mid=0001 token=a1b2 Max-Age")
		w.sqs.set(func(f *fakeSQS) { f.before = nil })
		w.device.send(con(1, "th/a1", "x"))
		time.Sleep(time.Second)
		w.device.expect(t, "after it is back", changed)
		if got := w.sqs.payloads(t); !slices.Equal(got, []string{"x"}) {
			t.Errorf("stored %q", got)
		}
	})
}
