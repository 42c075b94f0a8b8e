package local

import (
	"net/http"
	"time"
)

// A receiver is one ReceiveMessage that may wait.
type receiver struct {
	s          *Service
	c          *call
	q          *queue
	n          int
	visibility time.Duration
	long       bool
}

// poll returns copies of what it received; none if nothing came until the deadline, or the
// caller went away.
func (r *receiver) poll(deadline time.Time) ([]message, *apiError) {
	for {
		t, err := r.try(deadline)
		switch {
		case err != nil || len(t.got) > 0:
			return t.got, err
		case t.again:
			continue
		case t.wake == nil:
			return nil, nil
		}
		timer := time.NewTimer(t.wait)
		left := false
		select {
		case <-t.wake:
		case <-timer.C:
		case <-r.c.request.Context().Done():
			left = true
		case <-r.s.closed:
			left = true
		}
		timer.Stop()
		r.q.mu.Lock()
		r.q.unwait(t.wake, left)
		r.q.mu.Unlock()
		if left {
			return nil, nil
		}
	}
}

// A tried is what came of one look into the queue.
type tried struct {
	got   []message
	again bool          // nothing, but messages went to the DLQ: there may be others
	wake  chan struct{} // nothing, and time is left: tells of a new message
	wait  time.Duration // how long to wait for it at most
}

// try receives what is there.
func (r *receiver) try(deadline time.Time) (t tried, _ *apiError) {
	q, queues := r.q, &r.c.region.queues
	now := r.s.now(r.c.region)
	queues.mu.RLock() // the DLQ is not deleted meanwhile
	defer queues.mu.RUnlock()

	q.mu.Lock()
	if q.deleted {
		q.mu.Unlock()
		return t, noQueue()
	}
	r.s.advance(q, now)
	room := maxInFlight - (q.hidden.Len() - q.delayed)
	if room <= 0 && !r.long {
		q.mu.Unlock()
		return t, fail(http.StatusForbidden, "OverLimit", "Too many messages in flight; the limit is %d.", maxInFlight)
	}
	dlq := queues.byARN(q.settings.redrive.target)
	taken, dead := q.receive(now, min(r.n, room), r.visibility, dlq != nil)
	for _, m := range taken {
		t.got = append(t.got, *m)
		if r.s.journal != nil {
			r.s.journal.addLazily(m.savedReceives(q))
		}
	}
	if left := deadline.Sub(now); len(t.got) == 0 && len(dead) == 0 && left > 0 {
		t.wake, t.wait = q.wait(), left
		if at, ok := q.nextVisible(); ok {
			t.wait = min(t.wait, at.Sub(now))
		}
	}
	q.mu.Unlock()

	r.bury(dead, dlq, now)
	t.again = len(dead) > 0
	return t, nil
}

// bury puts messages that r.q gave up into its DLQ. Their time of sending stays
// (SQS developer guide, "Using dead-letter queues": the enqueue timestamp is unchanged).
func (r *receiver) bury(dead []*message, dlq *queue, now time.Time) {
	if len(dead) == 0 {
		return
	}
	dlq.mu.Lock()
	defer dlq.mu.Unlock()
	var changes []change
	for _, m := range dead {
		changes = append(changes, m.removed(r.q)...)
		m.source = r.q.arn
		dlq.add(m, now, now)
		if r.s.journal != nil {
			changes = append(changes, m.saved(dlq))
		}
	}
	r.s.journal.addLazily(changes...) // all or none: the message is never in both, or in neither
}
