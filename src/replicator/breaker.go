package replicator

import (
	"sync"
	"time"
)

const (
	// openAfter is how many sends must fail as a whole, one after the other, until
	// the breaker opens.
	openAfter = 3

	// probeEvery is how long an open breaker waits between two probes. It bounds how
	// far recovery may be behind what SQS would do by itself: a message that arrives
	// within this time after the primary is back is stretched once more in vain.
	probeEvery = 5 * time.Second
)

// A breaker keeps the calls of an outage few: while the primary queue is down, one
// message every probeEvery is sent to it in place of whole batches.
type breaker struct {
	mu       sync.Mutex // guards the following
	failures int        // in a row
	probed   time.Time  // when the last send began
}

// allow says what may be sent at now: everything, or one message as a probe, or
// nothing.
func (b *breaker) allow(now time.Time) (all, probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < openAfter {
		b.probed = now
		return true, false
	}
	if now.Sub(b.probed) < probeEvery {
		return false, false
	}
	b.probed = now
	return false, true
}

// report tells what came of a send. One message that SQS took or refused shows
// that the queue works.
func (b *breaker) report(works bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if works {
		b.failures = 0
	} else {
		b.failures++
	}
}
