package world

import (
	"net/netip"
	"time"

	"coap-for-aws-iot/src/local"
)

const (
	primary   = "us-east-1"
	secondary = "eu-west-1"
)

// fate decides about each datagram, by the weather of the seed and by what is cut.
func (w *world) fate(from, to netip.AddrPort, _ []byte) []time.Duration {
	here, there := w.place(from), w.place(to)
	name := "net " + from.Addr().String() + ">" + to.Addr().String()
	answer := here != "devices"
	if answer {
		w.answered(from, to)
	}
	if w.cut(here, there) || w.chance.happens(name, w.plan.loss) {
		w.count("datagrams lost")
		if answer {
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
	for _, h := range w.hosts {
		if h.addr.Addr() == at.Addr() {
			return h.region
		}
	}
	return "devices"
}

// cut reports whether nothing passes between two places, in either direction.
func (w *world) cut(a, b string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cuts[[2]string{a, b}] > 0 || w.cuts[[2]string{b, a}] > 0
}

func (w *world) sever(a, b string, by int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts[[2]string{a, b}] += by
}

// A fault begins something and returns what ends it, or nil if it is over at once.
type fault struct {
	name        string
	least, most time.Duration
	begin       func(w *world) (end func())
}

// standstill lasts its time even if the fleet has nothing more to say and all other faults
// have ended: what waits is hours late then.
const standstill = "poller stands still"

// unnoticed is how far a clock may be behind without harm to the order: a device without
// numbers leaves a minute beside what the network may hold its datagrams, and one with
// numbers is believed within 262 s.
const unnoticed = 45 * time.Second

// faults are all that the world can do to the system, beside what the network does to
// each datagram.
var faults = []fault{
	{"ingestor killed", time.Second, 2 * time.Minute, func(w *world) func() {
		h := w.anyHost()
		h.kill()
		return h.start
	}},
	{"ingestor stopped", time.Second, 30 * time.Second, func(w *world) func() {
		h := w.anyHost()
		h.drain()
		return h.start
	}},
	{"processor killed", 0, 1, func(w *world) func() { return w.crash(w.processor) }},
	{"replicator killed", 0, 1, func(w *world) func() { return w.crash(w.replicator) }},
	{"processor cold", 0, 1, func(w *world) func() { w.processor.chill(); return nil }},
	{"devices cut from a region", 10 * time.Second, 20 * time.Minute, func(w *world) func() { return w.partition("devices", w.anyRegion()) }},
	{"regions cut from each other", time.Minute, 2 * time.Hour, func(w *world) func() { return w.partition(primary, secondary) }},
	{"ingestor cut from its queue", 10 * time.Second, 20 * time.Minute, func(w *world) func() {
		h := w.anyHost()
		return w.partition(h.name, h.region)
	}},
	{"ingestor cut from both queues", 10 * time.Second, 10 * time.Minute, func(w *world) func() { return w.partition(w.anyHost().name, "sqs") }},
	{"replicator cut from its queue", 10 * time.Second, 10 * time.Minute, func(w *world) func() { return w.partition("replicator", secondary) }},
	{"processor cut from its queue", 10 * time.Second, 10 * time.Minute, func(w *world) func() { return w.partition("processor", "sqs") }},
	{"processor cut from AWS IoT", 10 * time.Second, time.Hour, func(w *world) func() { return w.partition("processor", "iotdata") }},
	{standstill, 10 * time.Minute, 4 * time.Hour, func(w *world) func() {
		p := w.pollers[w.chance.below("pollers", len(w.pollers))]
		p.pause()
		return p.resume
	}},
	{"clock fast", time.Minute, time.Hour, func(w *world) func() {
		h := w.anyHost()
		h.skew.Store(int64(time.Hour))
		return func() { h.skew.Store(0) }
	}},
	{"clock slow", time.Minute, time.Hour, func(w *world) func() {
		// The kernel knows that it is wrong, so the ingestor refuses reports.
		h := w.anyHost()
		h.unset.Store(true)
		time.Sleep(2 * time.Second)
		h.skew.Store(-int64(time.Hour))
		return func() {
			h.skew.Store(0)
			h.unset.Store(false)
		}
	}},
	{"clock slow, and nobody knows", time.Minute, time.Hour, func(w *world) func() {
		h := w.anyHost()
		h.skew.Store(-int64(unnoticed))
		return func() { h.skew.Store(0) }
	}},
	awsFault("queue dead", local.Fault{Service: "sqs", Kind: local.Dead}),
	awsFault("queue hangs", local.Fault{Service: "sqs", Kind: local.Hang}),
	awsFault("queue slow", local.Fault{Service: "sqs", Kind: local.Slow, Median: local.Delay(300 * time.Millisecond), P99: local.Delay(3 * time.Second)}),
	awsFault("queue throttled", local.Fault{Service: "sqs", Kind: local.Throttled, Rate: 1}),
	awsFault("queue errs before", local.Fault{Service: "sqs", Kind: local.Error, Share: 0.4}),
	awsFault("queue errs after", local.Fault{Service: "sqs", Kind: local.Error, Share: 0.4, After: true}),
	awsFault("queue partial", local.Fault{Service: "sqs", Kind: local.Partial, Share: 0.3}),
	awsFault("shadows dead", local.Fault{Service: "iot-data", Kind: local.Dead}),
	awsFault("shadows hang", local.Fault{Service: "iot-data", Kind: local.Hang}),
	awsFault("shadows slow", local.Fault{Service: "iot-data", Kind: local.Slow, Median: local.Delay(300 * time.Millisecond), P99: local.Delay(3 * time.Second)}),
	awsFault("shadows throttled", local.Fault{Service: "iot-data", Kind: local.Throttled, Rate: 1}),
	awsFault("shadows err before", local.Fault{Service: "iot-data", Kind: local.Error, Share: 0.4}),
	awsFault("shadows err after", local.Fault{Service: "iot-data", Kind: local.Error, Share: 0.4, After: true}),
	awsFault("registry errs", local.Fault{Service: "iot", Kind: local.Error, Share: 0.5}),
}

// awsFault is a fault of the local AWS, of queues in either region.
func awsFault(name string, f local.Fault) fault {
	return fault{name, 10 * time.Second, 10 * time.Minute, func(w *world) func() {
		f := f
		if f.Service == "sqs" {
			f.Region = w.anyRegion()
		}
		id, err := w.local.AddFault(f)
		if err != nil {
			panic(err)
		}
		return func() { w.local.RemoveFault(id) }
	}}
}

// chaos lets faults happen until the fleet has said all, and then ends those that last.
func (w *world) chaos(done <-chan struct{}) {
	running := 0
	ended := make(chan struct{}, 64)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for open := true; open || running > 0; {
		select {
		case <-done:
			open, done = false, nil
			timer.Stop()
			close(w.heal)
		case <-ended:
			running--
		case <-timer.C:
			timer.Reset(w.chance.between("chaos", time.Second, 2*w.plan.calm))
			f := faults[w.chance.below("chaos", len(faults))]
			lasts := w.chance.between("chaos", f.least, f.most)
			w.count("fault: " + f.name)
			if f.name == standstill {
				end := f.begin(w)
				w.still.Go(func() { time.Sleep(lasts); end() })
				continue
			}
			running++
			go func() {
				if end := f.begin(w); end != nil {
					select {
					case <-time.After(lasts):
					case <-w.heal:
					}
					end()
				}
				ended <- struct{}{}
			}()
		}
	}
}

func (w *world) anyHost() *host    { return w.hosts[w.chance.below("hosts", len(w.hosts))] }
func (w *world) anyRegion() string { return []string{primary, secondary}[w.chance.below("regions", 2)] }
func (w *world) crash(f *function) func() {
	if !f.crash(1 + w.chance.below("fuses", 12)) {
		w.count("nothing to kill")
	}
	return nil
}

func (w *world) partition(a, b string) func() {
	w.sever(a, b, 1)
	return func() { w.sever(a, b, -1) }
}
