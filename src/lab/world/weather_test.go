package world

import (
	"net/netip"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"
)

const (
	primary   = "us-east-1"
	secondary = "eu-west-1"
)

// fate decides about each datagram, by the weather of the seed and by what is cut.
func (w *world) fate(from, to netip.AddrPort, datagram []byte) []time.Duration {
	here, there := w.place(from), w.place(to)
	name := "net " + from.Addr().String() + ">" + to.Addr().String()
	answer := here != "devices"
	if answer {
		w.answered(from, to)
	}
	if w.cut(here, there) || w.chance.happens(name, w.plan.loss) {
		w.count("datagrams lost")
		if answer && isACK(datagram) {
			w.count("acks lost")
		}
		return nil
	}
	copies := 1
	if w.chance.happens(name, w.plan.twice) {
		copies = 2
		w.count("datagrams duplicated")
	}
	if !answer {
		w.asked(from, to, copies)
		w.hostAt(to).asked.Add(1)
	}
	delays := make([]time.Duration, copies)
	for i := range delays {
		delays[i] = w.chance.between(name, 5*time.Millisecond, 60*time.Millisecond)
		if w.chance.happens(name, w.plan.slow) {
			delays[i] = w.chance.between(name, time.Second, longestDelay)
			w.count("datagrams delayed")
		}
	}
	return delays
}

// isACK reports whether an answer says 2.04: the report is stored.
func isACK(datagram []byte) bool {
	return len(datagram) > 1 && codes.Code(datagram[1]) == codes.Changed
}

// asked and answered check that there is at most one datagram down for one up. A
// datagram counts as arrived when it is sent, which favours the ingestor.
func (w *world) asked(device, ingestor netip.AddrPort, copies int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owed[[2]netip.AddrPort{ingestor, device}] += copies
}

func (w *world) answered(ingestor, device netip.AddrPort) {
	w.mu.Lock()
	pair := [2]netip.AddrPort{ingestor, device}
	w.owed[pair]--
	left := w.owed[pair]
	w.mu.Unlock()
	if left < 0 {
		w.faulty("%v has sent %d datagrams more to %v than it had from there", ingestor, -left, device)
	}
}

// place is the region of an ingestor's address, or "devices".
func (w *world) place(at netip.AddrPort) string {
	if h := w.hostAt(at); h != nil {
		return h.region
	}
	return "devices"
}

// hostAt returns the host with that address, or nil.
func (w *world) hostAt(at netip.AddrPort) *host {
	for _, h := range w.hosts {
		if h.addr.Addr() == at.Addr() {
			return h
		}
	}
	return nil
}

// A cut is between two places: nothing passes, in either direction.
type cut struct {
	deep    int // faults that hold it
	stopped int // datagrams and calls
}

// cut reports whether nothing passes between two places.
func (w *world) cut(a, b string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if c := w.cuts[pair]; c != nil && c.deep > 0 {
			c.stopped++
			return true
		}
	}
	return false
}

// sever cuts a from b once more, or once less, and returns what the cut has stopped so far.
func (w *world) sever(a, b string, by int) (stopped int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	pair := [2]string{a, b}
	if w.cuts[pair] == nil {
		w.cuts[pair] = &cut{}
	}
	w.cuts[pair].deep += by
	return w.cuts[pair].stopped
}

// partition cuts a from b.
func (w *world) partition(a, b string) (mend func() (touched bool)) {
	before := w.sever(a, b, 1)
	return func() bool { return w.sever(a, b, -1) > before }
}
