package local

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// States of a message move task (SQS API reference, ListMessageMoveTasksResultEntry).
const (
	taskRunning   = "RUNNING"
	taskCompleted = "COMPLETED"
	taskCancelled = "CANCELLED"
	taskFailed    = "FAILED"
)

// Reasons for which a task fails.
const (
	reasonNoSource = "CouldNotDetermineMessageSource"          // a message was sent to the DLQ, not moved there
	reasonNoQueue  = "AWS.SimpleQueueService.NonExistentQueue" // its destination is gone
)

// maxMoveRate is how many messages a second a task moves at most.
const maxMoveRate = 500

// maxListedTasks is how many tasks of a source can be listed, and so are kept.
const maxListedTasks = 10

// A moveTask takes messages out of a DLQ, to a queue or to where each came from.
type moveTask struct {
	// set once
	ID          string    `json:"id"`
	Source      string    `json:"source"`      // ARN
	Destination string    `json:"destination"` // ARN; empty: each message's own source
	Rate        int       `json:"rate"`        // messages a second; 0: as AWS likes
	Started     time.Time `json:"started"`
	ToMove      int       `json:"toMove"` // when it started

	// guarded by taskSet.mu
	Moved  int    `json:"moved"`
	Status string `json:"status"`
	Reason string `json:"reason"` // of a failure
}

// handle names the task to CancelMessageMoveTask.
func (t *moveTask) handle() string {
	b, _ := json.Marshal(map[string]string{"taskId": t.ID, "sourceArn": t.Source}) // strings cannot fail
	return base64.StdEncoding.EncodeToString(b)
}

// A taskSet is the move tasks of one region.
type taskSet struct {
	mu sync.Mutex // guards the following
	of []*moveTask
}

// running returns the task that runs on a source; nil if none does. The caller holds mu.
func (set *taskSet) running(source string) *moveTask {
	for _, t := range set.of {
		if t.Source == source && t.Status == taskRunning {
			return t
		}
	}
	return nil
}

// add keeps t and forgets the oldest of its source that cannot be listed any more. The
// caller holds mu.
func (set *taskSet) add(t *moveTask) (forgotten *moveTask) {
	set.of = append(set.of, t)
	n := 0
	for i := len(set.of) - 1; i >= 0; i-- {
		if set.of[i].Source != t.Source {
			continue
		}
		if n++; n > maxListedTasks {
			forgotten = set.of[i]
			set.of = slices.Delete(set.of, i, i+1)
		}
	}
	return forgotten
}

// run moves messages until none is left, the task fails or is cancelled, or the service
// closes.
func (s *Service) run(g *region, t *moveTask) {
	defer s.tasks.Done()
	rate := t.Rate
	if rate == 0 {
		rate = maxMoveRate
	}
	pause := max(100*time.Millisecond, time.Second/time.Duration(rate))
	n := max(1, int(time.Duration(rate)*pause/time.Second))
	for s.step(g, t, n) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.closed:
			timer.Stop()
			return
		}
	}
}

// step moves up to n messages and tells whether the task goes on. Each message is gone
// from its DLQ and in its destination at once, as far as the store is concerned.
func (s *Service) step(g *region, t *moveTask, n int) bool {
	now := s.now(g)
	g.queues.mu.RLock() // no queue is deleted meanwhile
	defer g.queues.mu.RUnlock()
	g.tasks.mu.Lock()
	defer g.tasks.mu.Unlock()
	if t.Status != taskRunning {
		return false
	}
	status, reason := t.Status, ""
	source := g.queues.byARN(t.Source)
	if source == nil {
		status, reason = taskFailed, reasonNoQueue
	}
	for ; n > 0 && status == taskRunning; n-- {
		source.mu.Lock()
		s.advance(source, now)
		var m *message
		if len(source.ready.of) > 0 {
			m = source.ready.of[0]
		}
		to := t.Destination
		if m != nil && to == "" {
			to = m.source
		}
		destination := g.queues.byARN(to)
		switch {
		case m == nil:
			status = taskCompleted
		case to == "":
			status, reason = taskFailed, reasonNoSource
		case destination == nil:
			status, reason = taskFailed, reasonNoQueue
		default:
			source.remove(m)
		}
		source.mu.Unlock()
		if status != taskRunning {
			break
		}
		destination.mu.Lock()
		moved := m.redriven(now)
		destination.add(moved, now, now)
		if s.journal != nil {
			s.journal.addLazily(append(m.removed(source), moved.saved(destination))...)
		}
		destination.mu.Unlock()
		t.Moved++
	}
	t.Status, t.Reason = status, reason
	if s.journal != nil {
		s.journal.addLazily(t.saved(g))
	}
	return status == taskRunning
}

// redriven returns m as it leaves a DLQ: a new message, with a new id and time (SQS
// developer guide, "Configure a dead-letter queue redrive").
func (m *message) redriven(now time.Time) *message {
	return &message{id: newID(), body: m.body, attributes: m.attributes, traceID: m.traceID, groupID: m.groupID, sent: now}
}
