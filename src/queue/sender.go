package queue

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"coap-for-aws-iot/src/envelope"
)

var (
	// ErrFull reports that the sender already holds all it may. The ingestor answers
	// 5.03 with Max-Age, so that the device goes to its next endpoint (RFC 7252,
	// section 5.9.3.4).
	ErrFull = errors.New("queue: sender full")

	// ErrClosed reports a Put after the context of Run was done.
	ErrClosed = errors.New("queue: sender closed")

	// ErrUnconfirmed reports that SQS did not confirm a report in time. Whether it
	// holds the report is unknown.
	ErrUnconfirmed = errors.New("queue: not confirmed in time")
)

// maxInFlight bounds the calls that one sender has open at a time. At 20 ms a call
// and 1,200 reports in each, 16 calls carry 960,000 reports a second.
const maxInFlight = 16

// maxHeld bounds what is allocated for the bundles that a sender holds, waiting and in
// flight together, in bytes: bodies and lists, with the room in them that is not used. A
// report takes 79 bytes of body at least and 19 of list, so 16 MiB hold at most 172,000.
//
// A load in flight holds its bodies, of less than 256 KiB, once more as strings, and as the
// JSON of the request, of two bytes at most for each of theirs, in a buffer that is up to
// twice as large: 16 loads x 256 KiB x (1 + 4) = 20 MiB. If it is on its way to both queues
// there are two requests: 16 MiB more, and for each queue a probe of one bundle: 1 MiB. In
// all 53 MiB; without a fallback queue 36 MiB.
const maxHeld = 16 << 20

// Options say what a sender does. Queue and Origin are required.
type Options struct {
	Queue  *Queue
	Origin envelope.Origin

	// Fallback is a second queue, in another region, with a client that signs for that
	// region. It gets what Queue has failed with, what Queue has not confirmed within
	// 250 ms, and everything while Queue is down. Nil means that there is none.
	Fallback *Queue

	// Log hears of each queue that goes down or comes back; required with Fallback.
	Log *slog.Logger

	// Linger is the least time between the starts of two calls, unless a bundle is
	// full. A report that finds the sender idle for that long goes at once, so an
	// idle sender adds no delay and a busy one packs. 0 means that each report goes
	// at once as long as a call is free.
	Linger time.Duration

	// Deadline is how long after its Put a report waits for SQS at most. 0 means
	// 700 ms.
	Deadline time.Duration
}

// A Sender packs reports into bundles and sends them to a queue, or to either of two.
type Sender struct {
	route    route
	header   []byte // of every bundle
	linger   time.Duration
	deadline time.Duration
	wake     chan struct{} // capacity 1: something changed for Run to look at

	mu sync.Mutex // guards the following
	// open is being filled, nil if there is nothing in it. full are the bundles that
	// wait for a free call, oldest first.
	open   *bundle
	full   []*bundle
	held   int    // bytes that all bundles have allocated, in flight included
	room   room   // of the next bundle
	line   []byte // of the last report
	flying int    // calls
	// started is when the last call was started.
	started time.Time
	closed  bool
	stats   Stats
}

// Stats counts what a sender has done since it was made, and what it holds.
type Stats struct {
	Calls     uint64 // loads that were started, each of one call to a queue, or to both
	Bundles   uint64 // sent in those calls
	HeldBytes int    // allocated for the bundles that it holds
	InFlight  int    // loads

	FallbackBundles uint64 // sent to the fallback queue
	FallbackStored  uint64 // reports that the fallback queue was the first to confirm
	QueueDown       bool   // the queue gets only probes
	FallbackDown    bool   // the fallback queue gets only probes
}

// NewSender returns a sender that does nothing until Run is called.
func NewSender(o Options) *Sender {
	if o.Deadline == 0 {
		o.Deadline = 700 * time.Millisecond
	}
	return &Sender{
		route:    route{queues: [2]*Queue{own: o.Queue, fallback: o.Fallback}, log: o.Log},
		header:   envelope.AppendHeader(nil, o.Origin),
		linger:   o.Linger,
		deadline: o.Deadline,
		wake:     make(chan struct{}, 1),
		room:     leastRoom,
	}
}

// Put hands over a report and never blocks on the network: it runs on the packet
// path. After nil, done is called exactly once, from a goroutine of Run and no
// later than Deadline plus the time that an abandoned call takes to return; it
// must not block. Its argument is nil if SQS holds the report, wraps ErrRefused if
// it never will, and means unknown otherwise. After ErrFull or ErrClosed, done is
// never called. The sender keeps neither r nor what it points to.
func (s *Sender) Put(r *envelope.Report, done func(error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.held+mostRoom.held() > maxHeld { // one bundle more, at most
		return ErrFull
	}
	s.line = envelope.AppendReport(s.line[:0], r)
	if s.open != nil && len(s.open.body)+len(s.line) > envelope.MaxBundle {
		s.full = append(s.full, s.takeOpen())
	}
	before := 0
	if s.open == nil {
		s.open = newBundle(s.room, s.header, time.Now().Add(s.deadline))
		s.signal() // Run has to plan for it
	} else {
		before = s.open.room().held()
	}
	s.open.add(s.line, done)
	s.held += s.open.room().held() - before
	return nil
}

// takeOpen takes the bundle away that is being filled. s.mu is held.
func (s *Sender) takeOpen() *bundle {
	b := s.open
	s.open = nil
	s.room = b.next()
	return b
}

func (s *Sender) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Stats returns the counters.
func (s *Sender) Stats() Stats {
	s.mu.Lock()
	stats := s.stats
	stats.HeldBytes, stats.InFlight = s.held, s.flying
	s.mu.Unlock()
	s.route.mu.Lock()
	defer s.route.mu.Unlock()
	stats.FallbackBundles = s.route.bundles
	stats.QueueDown, stats.FallbackDown = s.route.breakers[own].open(), s.route.breakers[fallback].open()
	return stats
}

// Run sends until ctx is done; then it refuses new reports, sends at once what it
// holds, and returns when each report's done has been called: after Deadline at
// most. It is called once.
func (s *Sender) Run(ctx context.Context) {
	var calls sync.WaitGroup
	if s.route.queues[fallback] != nil {
		calls.Go(func() { s.route.keepWarm(ctx) })
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	stop := ctx.Done()
	for {
		late, load, next, idle := s.plan(time.Now())
		for _, b := range late {
			s.settle(b, none, ErrUnconfirmed)
		}
		if len(load) > 0 {
			calls.Go(func() { s.call(load) })
		}
		if len(load) > 0 || len(late) > 0 {
			continue // what was planned before that is out of date
		}
		if idle && stop == nil {
			break
		}
		timer.Reset(next)
		select {
		case <-stop:
			stop = nil
			s.mu.Lock()
			s.closed = true
			s.mu.Unlock()
		case <-s.wake:
		case <-timer.C:
		}
	}
	calls.Wait()
	s.route.probes.Wait()
}

// plan decides what happens now. late are bundles whose deadline has passed before
// they got a call; load is what the next call carries, empty if none is to be
// started; next is when plan should be asked again if nothing else happens; idle
// says that nothing is held.
func (s *Sender) plan(now time.Time) (late, load []*bundle, next time.Duration, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.full) && !now.Before(s.full[n].deadline) {
		n++
	}
	late = s.shift(n)
	if s.open != nil && !now.Before(s.open.deadline) {
		late = append(late, s.takeOpen())
	}
	next = time.Hour
	switch {
	case s.open == nil && len(s.full) == 0:
		return late, nil, next, s.held == 0
	case s.flying == maxInFlight:
		oldest := s.open
		if len(s.full) > 0 {
			oldest = s.full[0]
		}
		return late, nil, oldest.deadline.Sub(now), false
	}
	if wait := s.started.Add(s.linger).Sub(now); len(s.full) == 0 && wait > 0 && !s.closed {
		return late, nil, wait, false
	}
	// A full bundle has at least MaxBundle less MaxLine, so four and the open one are the
	// most that fit: maxEntries is not reached.
	size := 0
	for n = 0; n < len(s.full) && size+s.full[n].size() <= maxCallBytes; n++ {
		size += s.full[n].size()
	}
	load = s.shift(n)
	if s.open != nil && len(s.full) == 0 && size+s.open.size() <= maxCallBytes {
		load = append(load, s.takeOpen())
	}
	s.started = now
	s.flying++
	s.stats.Calls++
	s.stats.Bundles += uint64(len(load))
	return late, load, 0, false
}

// shift takes the first n full bundles away, so that nothing of them stays reachable. s.mu
// is held.
func (s *Sender) shift(n int) []*bundle {
	first := slices.Clone(s.full[:n])
	s.full = slices.Delete(s.full, 0, n)
	return first
}

// call sends a load of bundles and settles them, within the deadline of the oldest.
func (s *Sender) call(load []*bundle) {
	// The context is of the sender's own making: what it holds when Run's context
	// ends is still to be sent.
	ctx, cancel := context.WithDeadline(context.Background(), load[0].deadline)
	s.deliver(ctx, load)
	cancel()
	s.mu.Lock()
	s.flying--
	s.mu.Unlock()
	s.signal()
}

// deliver sends bundles and settles each of them. A bundle that SQS refuses for
// what it holds is cut in two until the report that it objects to is alone; the
// others do not wait for that.
func (s *Sender) deliver(ctx context.Context, load []*bundle) {
	messages := make([]Outgoing, len(load))
	for i, b := range load {
		messages[i].Body = string(b.body)
	}
	var cuts sync.WaitGroup
	s.route.deliver(ctx, messages, func(i, q int, err error) {
		b := load[i]
		switch {
		case errors.Is(err, ErrRefused) && len(b.reports) > 1:
			first, second := b.cut(s.header)
			s.grow(first.room().held() + second.room().held() - b.room().held())
			cuts.Go(func() {
				s.deliver(ctx, []*bundle{first})
				s.deliver(ctx, []*bundle{second})
			})
		case err != nil && ctx.Err() != nil:
			s.settle(b, q, ErrUnconfirmed)
		default:
			s.settle(b, q, err)
		}
	})
	cuts.Wait()
}

func (s *Sender) grow(n int) {
	s.mu.Lock()
	s.held += n
	s.mu.Unlock()
}

// settle ends the life of a bundle: frees its place and tells those who
// wait. q is the queue that has confirmed it, if err is nil.
func (s *Sender) settle(b *bundle, q int, err error) {
	s.mu.Lock()
	if err == nil && q == fallback {
		s.stats.FallbackStored += uint64(len(b.reports))
	}
	s.held -= b.room().held()
	s.mu.Unlock()
	for _, report := range b.reports {
		report.done(err)
	}
}
