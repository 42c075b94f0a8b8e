package queue

import "time"

const (
	// openAfter is how many calls in a row must have confirmed nothing until a breaker
	// opens.
	openAfter = 3

	// probeEvery is how long an open breaker waits between two probes. It bounds how long
	// a queue that works again is left alone.
	probeEvery = time.Second
)

// The two queues of a sender, and no queue.
const (
	own = iota
	fallback
	none = -1
)

// A breaker is what the calls to one queue have shown of its health. Its zero value is
// closed: the queue gets reports.
type breaker struct {
	misses int       // calls in a row that have confirmed nothing
	probed time.Time // when it opened, or when the last probe began
}

// open reports whether the queue gets nothing but probes.
func (b *breaker) open() bool { return b.misses >= openAfter }

// probe reports whether a probe is due at now; the caller then makes one.
func (b *breaker) probe(now time.Time) bool {
	if !b.open() || now.Sub(b.probed) < probeEvery {
		return false
	}
	b.probed = now
	return true
}

// report takes what a call has shown, and reports whether that has opened or closed
// the breaker.
func (b *breaker) report(works bool, now time.Time) (changed bool) {
	was := b.open()
	switch {
	case works:
		b.misses = 0
	case !was:
		b.misses++
		b.probed = now
	}
	return b.open() != was
}

// answered takes that the queue has answered a call that it had nothing to store of, which
// it may have refused before it asked for permissions or keys. That ends a row of misses,
// and is not enough to close the breaker.
func (b *breaker) answered() {
	if !b.open() {
		b.misses = 0
	}
}

// A choice says where a load goes.
type choice struct {
	first  int   // gets it at once
	second int   // gets what first has failed with, and after a while all that first has not confirmed
	probes []int // each gets the first bundle at once, to see whether it works again
}

// choose decides about a load at now. A queue whose breaker is open is neither first
// nor second, so no report waits for it as long as the other one works.
func choose(breakers *[2]breaker, now time.Time) choice {
	c := choice{first: none, second: none}
	for q := range breakers {
		switch b := &breakers[q]; {
		case b.probe(now):
			c.probes = append(c.probes, q)
		case b.open():
		case c.first == none:
			c.first = q
		default:
			c.second = q
		}
	}
	return c
}
