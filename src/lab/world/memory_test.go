package world

import (
	"maps"
	"runtime"
	"slices"
	"time"
	"unsafe"
	"weak"
)

// most is what an ingestor of this world holds at most, in bytes: no report longer than
// its deadline and the call that it was given up with, and a fleet of 54 devices cannot say
// more in that time.
const most = 128 << 10

// weigh looks every ten seconds at what ingestors and processors hold, until over is closed.
func (w *world) weigh(over <-chan struct{}) {
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-over:
			return
		case <-ticker.C:
		}
		for _, h := range w.hosts {
			d := h.running()
			if d == nil {
				continue
			}
			if held := d.in.Stats().HeldBytes; held > most {
				w.faulty("%s holds %d bytes", h.name, held)
			}
		}
		w.processor.weigh()
	}
}

// weigh looks at what the containers hold.
func (f *function) weigh() {
	f.mu.Lock()
	defer f.mu.Unlock()
	containers := append(slices.Collect(maps.Keys(f.busy)), f.free...)
	for _, c := range containers {
		if held := c.held(); held > f.world.plan.cache {
			f.world.faulty("a container of the %s holds %d bytes, and may hold %d", f.name, held, f.world.plan.cache)
		} else if held > f.world.plan.cache*3/4 {
			f.world.count("containers almost full")
		}
	}
}

// lend remembers weakly that an invocation was given a body, the first of its event; f.mu is
// held.
func (f *function) lend(body string) {
	if len(f.lent) < 1000 {
		f.lent = append(f.lent, weak.Make(unsafe.StringData(body)))
	}
}

// checkGarbage finds what containers keep of events that are over: a replicator nothing at
// all, and a processor what it remembers of shadows, which is weighed.
func (f *function) checkGarbage() {
	runtime.GC()
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := 0
	for _, body := range f.lent {
		if body.Value() != nil {
			kept++
		}
	}
	if kept > 0 {
		f.world.faulty("the containers of the %s keep %d of the first %d bodies that they were given", f.name, kept, len(f.lent))
	}
}
