package local

import (
	"container/heap"
	"maps"
	"slices"
	"sync"
	"time"
)

// maxInFlight is SQS's quota of messages that are received and not yet deleted.
const maxInFlight = 120_000

// A queue is the state of one SQS queue. Its methods are plain transitions: they take the
// time, touch nothing but the queue, and are called with mu held.
//
// A message is in exactly one of ready and hidden, and always in messages and aged.
type queue struct {
	// set once
	id      uint64 // random; part of receipt handles and store keys
	region  string
	name    string
	arn     string
	created time.Time

	mu sync.Mutex // guards the following

	settings settings
	tags     map[string]string
	modified time.Time
	purged   time.Time // the last PurgeQueue
	deleted  bool      // by DeleteQueue; late callers find it so
	commit   *commit   // what makes its last change durable; nil: it is

	lastSeq  uint64
	messages map[uint64]*message
	ready    messageHeap // may be received now; lowest seq first
	hidden   messageHeap // delayed or in flight; first to become visible first
	aged     messageHeap // all; first sent first
	delayed  int         // how many of hidden are delayed, not in flight

	waiters []chan struct{} // long polls, the longest first; each has a buffer of one
}

func newQueue(id uint64, region, account, name string, now time.Time, set settings) *queue {
	return &queue{
		id:       id,
		region:   region,
		name:     name,
		arn:      queueARN(region, account, name),
		created:  now,
		modified: now,
		settings: set,
		tags:     make(map[string]string),
		messages: make(map[uint64]*message),
		ready:    messageHeap{less: bySeq, place: placeOf},
		hidden:   messageHeap{less: byVisible, place: placeOf},
		aged:     messageHeap{less: bySent, place: agePlaceOf},
	}
}

func queueARN(region, account, name string) string {
	return "arn:aws:sqs:" + region + ":" + account + ":" + name
}

// add puts m into the queue, to be received from visible on, and gives it its seq.
func (q *queue) add(m *message, now, visible time.Time) {
	q.lastSeq++
	m.seq = q.lastSeq
	m.receipt, m.receivesHere, m.received = 0, 0, time.Time{}
	q.insert(m, now, visible)
}

// insert puts m, whose seq is set, into the queue.
func (q *queue) insert(m *message, now, visible time.Time) {
	q.messages[m.seq] = m
	heap.Push(&q.aged, m)
	m.visible = visible
	if m.delayed = m.receipt == 0 && visible.After(now); m.delayed {
		q.delayed++
	}
	if visible.After(now) {
		q.hide(m)
		return
	}
	q.show(m)
}

func (q *queue) hide(m *message) {
	m.hidden = true
	heap.Push(&q.hidden, m)
}

// show makes m ready and wakes one long poll.
func (q *queue) show(m *message) {
	m.hidden = false
	heap.Push(&q.ready, m)
	q.wake()
}

// wake ends the wait of the long poll that has waited longest, if there is one.
func (q *queue) wake() {
	if len(q.waiters) > 0 {
		q.waiters[0] <- struct{}{}
		q.waiters = slices.Delete(q.waiters, 0, 1)
	}
}

// lift takes m out of the heap it is in, for the caller to hide or show it.
func (q *queue) lift(m *message) {
	if m.hidden {
		heap.Remove(&q.hidden, m.place)
		if m.delayed {
			m.delayed = false
			q.delayed--
		}
		return
	}
	heap.Remove(&q.ready, m.place)
}

// remove takes m out of the queue altogether.
func (q *queue) remove(m *message) {
	q.lift(m)
	heap.Remove(&q.aged, m.agePlace)
	delete(q.messages, m.seq)
}

// advance does what time does to a queue: messages past their retention go, and those
// whose delay or visibility timeout is over become ready. It returns what went.
func (q *queue) advance(now time.Time) (expired []*message) {
	oldest := now.Add(-q.settings.retention)
	for len(q.aged.of) > 0 && !q.aged.of[0].sent.After(oldest) {
		m := q.aged.of[0]
		q.remove(m)
		expired = append(expired, m)
	}
	for len(q.hidden.of) > 0 && !q.hidden.of[0].visible.After(now) {
		m := q.hidden.of[0]
		q.lift(m)
		q.show(m)
	}
	return expired
}

// receive takes up to n ready messages in flight for the time of visibility. Messages that
// have been received as often as the redrive policy allows are removed instead, and
// returned as dead: they are the caller's to move.
//
// Call advance before.
func (q *queue) receive(now time.Time, n int, visibility time.Duration, redrive bool) (got, dead []*message) {
	for len(got) < n && len(q.ready.of) > 0 {
		m := q.ready.of[0]
		if redrive && m.receivesHere >= q.settings.redrive.maxReceives {
			q.remove(m)
			dead = append(dead, m)
			continue
		}
		q.lift(m)
		m.receives++
		m.receivesHere++
		m.receipt = newReceipt()
		m.received = now
		if m.firstReceived.IsZero() {
			m.firstReceived = now
		}
		got = append(got, m)
		m.visible = now.Add(visibility)
		if visibility == 0 {
			defer q.show(m) // not before the loop ends, or it would be received twice at once
			continue
		}
		q.hide(m)
	}
	return got, dead
}

// find returns the message that a handle stands for; nil if it is gone, or if the handle
// is not of its last receive.
func (q *queue) find(h receiptHandle) *message {
	m := q.messages[h.seq]
	if m == nil || m.receipt != h.receipt {
		return nil
	}
	return m
}

// inFlight tells whether m is received and hidden.
func (m *message) inFlight() bool { return m.hidden && !m.delayed }

// reschedule sets a new visibility timeout for m, which is in flight, counted from now.
func (q *queue) reschedule(m *message, now time.Time, visibility time.Duration) {
	q.lift(m)
	m.visible = now.Add(visibility)
	if visibility == 0 {
		q.show(m)
		return
	}
	q.hide(m)
}

// purge removes all messages and returns them.
func (q *queue) purge(now time.Time) (gone []*message) {
	q.purged = now
	gone = append(gone, q.aged.of...)
	clear(q.messages)
	q.ready.of, q.hidden.of, q.aged.of, q.delayed = nil, nil, nil, 0
	return gone
}

// drop marks the queue deleted and wakes all long polls.
func (q *queue) drop() {
	q.deleted = true
	for len(q.waiters) > 0 {
		q.wake()
	}
}

// nextVisible returns when the next hidden message becomes ready; ok is false if none is hidden.
func (q *queue) nextVisible() (at time.Time, ok bool) {
	if len(q.hidden.of) == 0 {
		return at, false
	}
	return q.hidden.of[0].visible, true
}

// wait registers a long poll; its channel gets one value when a message becomes ready or
// the queue is deleted.
func (q *queue) wait() chan struct{} {
	w := make(chan struct{}, 1)
	q.waiters = append(q.waiters, w)
	return w
}

// unwait ends the wait of a long poll. If it was woken meanwhile and leaves without looking
// into the queue again, its turn goes to another.
func (q *queue) unwait(w chan struct{}, leaves bool) {
	if i := slices.Index(q.waiters, w); i >= 0 {
		q.waiters = slices.Delete(q.waiters, i, i+1)
		return
	}
	if leaves && len(q.ready.of) > 0 {
		q.wake()
	}
}

// A queueSet is the queues of one region.
type queueSet struct {
	mu      sync.RWMutex // guards the following; taken before a queue's own
	byName  map[string]*queue
	deleted map[string]time.Time // names that DeleteQueue freed, and when
}

func newQueueSet() queueSet {
	return queueSet{byName: make(map[string]*queue), deleted: make(map[string]time.Time)}
}

func (s *queueSet) get(name string) *queue {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byName[name]
}

// all returns the queues of the region, in no order.
func (s *queueSet) all() []*queue {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*queue, 0, len(s.byName))
	for q := range maps.Values(s.byName) {
		out = append(out, q)
	}
	return out
}
