package world

import (
	"slices"
	"time"

	"coap-for-aws-iot/src/local"
)

// A fault begins something and returns what ends it. It counts if it has touched
// something: if it has stopped a call, say, and not only been there while nobody called.
type fault struct {
	name        string
	least, most time.Duration
	begin       func(w *world) (end func() (touched bool))
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
	{"ingestor killed", time.Second, 2 * time.Minute, func(w *world) func() bool {
		h := w.anyHost()
		ran := h.kill()
		return func() bool { h.start(); return ran }
	}},
	{"ingestor stopped", time.Second, 30 * time.Second, func(w *world) func() bool {
		h := w.anyHost()
		ran := h.drain()
		return func() bool { h.start(); return ran }
	}},
	{"processor killed", 0, 1, func(w *world) func() bool { return w.crash(w.processor) }},
	{"replicator killed", 0, 1, func(w *world) func() bool { return w.crash(w.replicator) }},
	{"processor cold", 0, 1, func(w *world) func() bool {
		forgotten := w.processor.chill()
		return func() bool { return forgotten > 0 }
	}},
	{"devices cut from a region", 10 * time.Second, 20 * time.Minute, func(w *world) func() bool { return w.partition("devices", w.anyRegion()) }},
	{"regions cut from each other", time.Minute, 2 * time.Hour, func(w *world) func() bool { return w.partition(primary, secondary) }},
	{"ingestor cut from its queue", 10 * time.Second, 20 * time.Minute, func(w *world) func() bool {
		h := w.anyHost()
		return w.partition(h.name, h.region)
	}},
	{"ingestor cut from both queues", 10 * time.Second, 10 * time.Minute, func(w *world) func() bool { return w.partition(w.anyHost().name, "sqs") }},
	{"replicator cut from its queue", time.Minute, 20 * time.Minute, func(w *world) func() bool { return w.partition("replicator", secondary) }},
	{"processor cut from its queue", 10 * time.Second, 10 * time.Minute, func(w *world) func() bool { return w.partition("processor", "sqs") }},
	{"processor cut from AWS IoT", 10 * time.Second, time.Hour, func(w *world) func() bool { return w.partition("processor", "iotdata") }},
	{"processor cut from the registry", 5 * time.Minute, 20 * time.Minute, func(w *world) func() bool { return w.partition("processor", "iot") }},
	{standstill, 10 * time.Minute, 4 * time.Hour, func(w *world) func() bool {
		i := w.chance.below("pollers", len(w.pollers))
		w.pollers[i].pause()
		return func() bool {
			waited := w.someWait(w.pollers[i].region)
			w.pollers[i].resume()
			return waited
		}
	}},
	{"clock fast", time.Minute, time.Hour, func(w *world) func() bool { return w.turnClock(time.Hour) }},
	{"clock slow", time.Minute, time.Hour, func(w *world) func() bool {
		// The kernel knows that it is wrong, so the ingestor refuses reports.
		h := w.anyHost()
		h.unset.Store(true)
		time.Sleep(2 * time.Second)
		h.skew.Store(-int64(time.Hour))
		asked := h.asked.Load()
		return func() bool {
			h.skew.Store(0)
			h.unset.Store(false)
			return h.asked.Load() > asked
		}
	}},
	{"clock slow, and nobody knows", time.Minute, time.Hour, func(w *world) func() bool { return w.turnClock(-unnoticed) }},
	awsFault("queue", "dead", local.Fault{Kind: local.Dead}),
	awsFault("queue", "hangs", local.Fault{Kind: local.Hang}),
	awsFault("queue", "slow", slow),
	awsFault("queue", "throttled", local.Fault{Kind: local.Throttled, Rate: 1}),
	awsFault("queue", "errs before", local.Fault{Kind: local.Error, Share: 0.4}),
	awsFault("queue", "errs after", local.Fault{Kind: local.Error, Share: 0.4, After: true}),
	awsFault("queue", "partial", local.Fault{Kind: local.Partial, Share: 0.3}),
	awsFault("shadows", "dead", local.Fault{Kind: local.Dead}),
	awsFault("shadows", "hang", local.Fault{Kind: local.Hang}),
	awsFault("shadows", "slow", slow),
	awsFault("shadows", "throttled", local.Fault{Kind: local.Throttled, Rate: 1}),
	awsFault("shadows", "err before", local.Fault{Kind: local.Error, Share: 0.4}),
	awsFault("shadows", "err after", local.Fault{Kind: local.Error, Share: 0.4, After: true}),
	awsFault("registry", "dead", local.Fault{Kind: local.Dead}),
	awsFault("registry", "hangs", local.Fault{Kind: local.Hang}),
	awsFault("registry", "slow", slow),
	awsFault("registry", "throttled", local.Fault{Kind: local.Throttled}),
	awsFault("registry", "errs before", local.Fault{Kind: local.Error, Share: 0.6}),
	awsFault("registry", "errs after", local.Fault{Kind: local.Error, Share: 0.6, After: true}),
}

var slow = local.Fault{Kind: local.Slow, Median: local.Delay(300 * time.Millisecond), P99: local.Delay(3 * time.Second)}

// awsFault is a fault of the local AWS, of queues in either region. The registry is asked
// seldom, so what is wrong with it lasts longer.
func awsFault(service, what string, f local.Fault) fault {
	least, most := 10*time.Second, 10*time.Minute
	switch service {
	case "queue":
		f.Service = "sqs"
	case "shadows":
		f.Service = "iot-data"
	case "registry":
		f.Service = "iot"
		least, most = 5*time.Minute, 20*time.Minute
	}
	return fault{service + " " + what, least, most, func(w *world) func() bool {
		f := f
		if f.Service == "sqs" {
			f.Region = w.anyRegion()
		}
		id, err := w.local.AddFault(f)
		if err != nil {
			panic(err)
		}
		return func() bool {
			hit := slices.ContainsFunc(w.local.Faults(), func(f local.Fault) bool { return f.ID == id && f.Hits > 0 })
			w.local.RemoveFault(id)
			return hit
		}
	}}
}

// turnClock sets an instance's clock wrong.
func (w *world) turnClock(ahead time.Duration) (end func() (touched bool)) {
	h := w.anyHost()
	h.skew.Store(int64(ahead))
	asked := h.asked.Load()
	return func() bool {
		h.skew.Store(0)
		return h.asked.Load() > asked
	}
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
			over := func(end func() bool) {
				if end() {
					w.count("fault: " + f.name)
				}
			}
			if f.name == standstill {
				end := f.begin(w)
				w.still.Go(func() { time.Sleep(lasts); over(end) })
				continue
			}
			running++
			go func() {
				end := f.begin(w)
				select {
				case <-time.After(lasts):
				case <-w.heal:
				}
				over(end)
				ended <- struct{}{}
			}()
		}
	}
}

func (w *world) anyHost() *host    { return w.hosts[w.chance.below("hosts", len(w.hosts))] }
func (w *world) anyRegion() string { return []string{primary, secondary}[w.chance.below("regions", 2)] }

// crash lights the fuse of one of f's containers. It counts when it has burnt down, see wire.
func (w *world) crash(f *function) (end func() (touched bool)) {
	f.crash(1 + w.chance.below("fuses", 12))
	return func() bool { return false }
}
