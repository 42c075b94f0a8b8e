package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// hedgeAfter is how long one queue may keep a load before the other gets it too: ten
	// times what SQS takes within a region, and early enough that a call to another
	// continent, 100 ms and twice that for a new connection, ends within 700 ms.
	hedgeAfter = 250 * time.Millisecond

	// leastPatience is how long a queue is given at least, however little is left of a
	// load's time, before its silence means anything.
	leastPatience = 100 * time.Millisecond

	// warmEvery is the pace at which the connection to an idle fallback queue is used. AWS
	// does not say for how long SQS keeps an idle one; its load balancers do for 60 s.
	warmEvery = 20 * time.Second

	// warmTimeout bounds one such call, with DNS, TLS and the credentials.
	warmTimeout = 2 * time.Second
)

var (
	// errOpen is the fate of a report that was not sent because neither queue works.
	errOpen = errors.New("queue: both queues are down")

	// errBeaten is what a queue has shown that lost its head start.
	errBeaten = errors.New("queue: the fallback queue was quicker, although it was asked later")
)

// A route is the way to a queue and perhaps a second one, in another region.
type route struct {
	queues [2]*Queue // queues[fallback] is nil if there is none
	log    *slog.Logger
	probes sync.WaitGroup // the calls that outlive their delivery

	mu       sync.Mutex // guards the following
	breakers [2]breaker
	bundles  uint64    // sent to the fallback queue, probes included
	used     time.Time // when the fallback queue was last sent to
}

// choose decides about a load. A queue without an alternative has no breaker: to refuse
// in its name could only lose reports.
func (r *route) choose(now time.Time) choice {
	if r.queues[fallback] == nil {
		return choice{first: own, second: none}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return choose(&r.breakers, now)
}

// A delivery is a load on its way. One goroutine owns it; each call has its own, and
// answers on a channel that has room for all of them.
type delivery struct {
	route    *route
	patience time.Duration
	messages []Outgoing
	answers  chan answer
	calls    sync.WaitGroup // all but probes
	settle   func(i, q int, err error)

	left    int     // messages that are not settled
	settled []bool  // by message
	waits   []int   // calls that may still confirm the message
	errs    []error // of the calls that have not confirmed it
}

// An answer is what came of one call.
type answer struct {
	queue int
	of    []int // the messages that it carried
	errs  []error
}

// deliver carries a load to the queues and calls settle exactly once for each message,
// from the caller's goroutine, as soon as its fate is known: when the first queue has
// confirmed or refused it, or when none is left that could. ctx has the deadline of the
// load. When deliver returns no call is under way, except probes.
func (r *route) deliver(ctx context.Context, messages []Outgoing, settle func(i, q int, err error)) {
	start := time.Now()
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithCancel(ctx)
	d := &delivery{
		route: r, messages: messages, settle: settle,
		patience: max(min(hedgeAfter, deadline.Sub(start)/2), leastPatience),
		answers:  make(chan answer, 4),
		left:     len(messages),
		settled:  make([]bool, len(messages)),
		waits:    make([]int, len(messages)),
		errs:     make([]error, len(messages)),
	}
	defer d.calls.Wait()
	defer cancel()

	c := r.choose(start)
	for _, q := range c.probes {
		r.probes.Add(1)
		d.send(ctx, q, []int{0}, func(send func(context.Context)) {
			defer r.probes.Done()
			ctx, cancel := context.WithDeadline(context.Background(), deadline)
			defer cancel()
			send(ctx)
		})
	}
	call := func(q int, of []int) {
		d.calls.Add(1)
		d.send(ctx, q, of, func(send func(context.Context)) {
			defer d.calls.Done()
			send(ctx)
		})
	}
	if c.first != none {
		call(c.first, d.open())
	}
	hedge := time.NewTimer(d.patience)
	defer hedge.Stop()
	for d.giveUp(c.second == none); d.left > 0; d.giveUp(c.second == none) {
		var rest []int
		select {
		case a := <-d.answers:
			d.take(a)
			if a.queue != c.first {
				continue
			}
			rest = d.open()
		case <-hedge.C:
			rest = d.open()
		}
		if c.second != none && len(rest) > 0 {
			call(c.second, rest)
			c.second = none
		}
	}
}

// open are the messages that are not settled.
func (d *delivery) open() []int {
	var of []int
	for i, settled := range d.settled {
		if !settled {
			of = append(of, i)
		}
	}
	return of
}

// send starts a call with some of the messages; run runs it, with a context. load is the
// context of the delivery.
func (d *delivery) send(load context.Context, q int, of []int, run func(send func(context.Context))) {
	part := make([]Outgoing, len(of))
	for k, i := range of {
		part[k] = d.messages[i]
		d.waits[i]++
	}
	d.route.sending(q, len(of))
	go run(func(ctx context.Context) {
		start := time.Now()
		errs := d.route.queues[q].Send(ctx, part)
		patient := time.Since(start) >= d.patience
		beaten := patient && errors.Is(load.Err(), context.Canceled) // the load was settled without it
		switch {
		case beaten && q == own:
			d.route.judge(q, errBeaten)
		case works(errs):
			d.route.judge(q, nil)
		case ctx.Err() == nil, patient && !beaten:
			d.route.judge(q, errs[0])
		}
		d.answers <- answer{q, of, errs}
	})
}

// take settles what a call has confirmed or refused.
func (d *delivery) take(a answer) {
	for k, i := range a.of {
		d.waits[i]--
		switch err := a.errs[k]; {
		case d.settled[i]:
		case err == nil || errors.Is(err, ErrRefused):
			d.end(i, a.queue, err)
		case d.errs[i] != nil:
			d.errs[i] = fmt.Errorf("%w; the other queue: %w", d.errs[i], err)
		default:
			d.errs[i] = err
		}
	}
}

// giveUp settles the messages that nobody can confirm any more; last says that there is
// no further queue to ask.
func (d *delivery) giveUp(last bool) {
	for i, settled := range d.settled {
		if settled || d.waits[i] > 0 || !last {
			continue
		}
		err := d.errs[i]
		if err == nil {
			err = errOpen
		}
		d.end(i, none, err)
	}
}

func (d *delivery) end(i, q int, err error) {
	d.settled[i] = true
	d.left--
	d.settle(i, q, err)
}

func (r *route) sending(q, bundles int) {
	if q != fallback {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bundles += uint64(bundles)
	r.used = time.Now()
}

// works reports whether a call shows that its queue works: what is refused as the
// sender's fault has been read.
func works(errs []error) bool {
	return slices.ContainsFunc(errs, func(err error) bool { return err == nil || errors.Is(err, ErrRefused) })
}

// judge tells a queue's breaker what came of a call, nil if that shows that the queue
// works; a change of state is logged.
//
// The sender's own queue has the first claim on a load, and forfeits it when it is slow: what the
// fallback has settled in the meantime is a miss, and a probe that is as slow does not
// close the breaker, or the two would take turns. A fallback is only asked to confirm, so
// however slow both are one of them gets reports.
func (r *route) judge(q int, err error) {
	if r.queues[fallback] == nil {
		return
	}
	r.mu.Lock()
	changed := r.breakers[q].report(err == nil, time.Now())
	r.mu.Unlock()
	url := r.queues[q].url
	switch {
	case !changed:
	case err == nil:
		r.log.Info("a queue confirms again and gets reports", "queue", url)
	default:
		r.log.Error("a queue does not confirm and gets only probes: see to SQS, the network and the role's permissions", "queue", url, "error", err)
	}
}

// answered takes that the fallback has answered a call without reports.
func (r *route) answered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.breakers[fallback].answered()
}

// keepWarm keeps a connection to the fallback queue, and the credentials for it, until
// ctx is done, so that the first report that needs them waits for neither.
func (r *route) keepWarm(ctx context.Context) {
	ticker := time.NewTicker(warmEvery)
	defer ticker.Stop()
	for {
		r.mu.Lock()
		idle := time.Since(r.used) >= warmEvery
		r.mu.Unlock()
		if idle {
			call, cancel := context.WithTimeout(ctx, warmTimeout)
			err := r.queues[fallback].Warm(call)
			cancel()
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				r.answered()
			} else {
				r.judge(fallback, err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
