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
		got, wake, until, err := r.try(deadline)
		if err != nil || wake == nil {
			return got, err
		}
		timer := time.NewTimer(until)
		left := false
		select {
		case <-wake:
		case <-timer.C:
		case <-r.c.ctx.Done():
			left = true
		case <-r.s.closed:
			left = true
		}
		timer.Stop()
		r.q.mu.Lock()
		r.q.unwait(wake)
		r.q.mu.Unlock()
		if left {
			return nil, nil
		}
	}
}

// try receives what is there. If there is nothing and time is left, it returns a channel
// that tells of a new message, and how long to wait for it at most.
func (r *receiver) try(deadline time.Time) (got []message, wake chan struct{}, until time.Duration, _ *apiError) {
	q := r.q
	now := r.s.clock()
	dlq := r.c.region.deadLetterQueue(q)

	q.mu.Lock()
	if q.deleted {
		q.mu.Unlock()
		return nil, nil, 0, noQueue()
	}
	q.advance(now)
	room := maxInFlight - (q.hidden.Len() - q.delayed)
	if room <= 0 && !r.long {
		q.mu.Unlock()
		return nil, nil, 0, fail(http.StatusForbidden, "OverLimit", "Too many messages in flight; the limit is %d.", maxInFlight)
	}
	taken, dead := q.receive(now, min(r.n, room), r.visibility, dlq != nil)
	for _, m := range taken {
		got = append(got, *m)
	}
	if left := deadline.Sub(now); len(got) == 0 && len(dead) == 0 && left > 0 {
		wake, until = q.wait(), left
		if at, ok := q.nextVisible(); ok {
			until = min(until, at.Sub(now))
		}
	}
	q.mu.Unlock()

	if len(dead) > 0 {
		r.bury(dead, dlq, now)
		if len(got) == 0 {
			return r.try(deadline)
		}
	}
	return got, wake, until, nil
}

// deadLetterQueue returns where q's redrive policy points; nil if it has none, or the
// queue is gone.
func (g *region) deadLetterQueue(q *queue) *queue {
	q.mu.Lock()
	target := q.settings.redrive.target
	q.mu.Unlock()
	if target == "" {
		return nil
	}
	g.queues.mu.RLock()
	defer g.queues.mu.RUnlock()
	return g.queues.byARN(target)
}

// bury puts messages that r.q gave up into its DLQ. Their time of sending stays
// (SQS developer guide, "Using dead-letter queues": the enqueue timestamp is unchanged).
func (r *receiver) bury(dead []*message, dlq *queue, now time.Time) {
	dlq.mu.Lock()
	defer dlq.mu.Unlock()
	for _, m := range dead {
		m.source = r.q.arn
		dlq.add(m, now, now)
	}
}
