package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A lambda runs a function as AWS Lambda does: containers are started when there is work,
// up to the plan's concurrency, used again, one invocation at a time, killed when they
// exceed the timeout, and replaced when they die.
type lambda struct {
	// set once
	spec Function
	// start starts container number n with api as its AWS_LAMBDA_RUNTIME_API.
	start func(n int, api string) (running, error)
	slots chan struct{} // one for each invocation that may run

	mu         sync.Mutex // guards the following
	idle       []*container
	containers map[int]*container // by number, the starting ones are nil
	closed     bool
	stats      Invocations
}

// Invocations counts what became of a function's invocations.
type Invocations struct {
	Started  uint64 `json:"started"`
	Failed   uint64 `json:"failed"`   // error, crash or timeout, in sum
	TimedOut uint64 `json:"timedOut"` // of those
}

func newLambda(spec Function, start func(n int, api string) (running, error)) *lambda {
	return &lambda{
		spec: spec, start: start,
		slots:      make(chan struct{}, spec.Concurrency),
		containers: map[int]*container{},
	}
}

var errClosed = errors.New("the function is shut down")

// invoke runs the function once with event and returns its response. An error is the
// function's own, or says that a container crashed, timed out or could not start. ctx
// ends the wait for a container, never an invocation.
func (l *lambda) invoke(ctx context.Context, event []byte) ([]byte, error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.count(func(s *Invocations) { s.Started++ })
	for {
		c, err := l.take(ctx)
		if err != nil {
			l.count(func(s *Invocations) { s.Failed++ })
			return nil, fmt.Errorf("start a container: %w", err)
		}
		response, handed, err := c.invoke(&invocation{
			id: rand.Text(), arn: l.spec.ARN(),
			deadline: time.Now().Add(l.spec.Timeout),
			event:    event, outcome: make(chan outcome, 1),
		}, l.spec.Timeout)
		l.giveBack(c)
		if !handed && !c.alive() {
			continue // it died idle and has not seen the event
		}
		if err != nil {
			l.count(func(s *Invocations) {
				s.Failed++
				if errors.Is(err, errTimedOut) {
					s.TimedOut++
				}
			})
		}
		return response, err
	}
}

func (l *lambda) count(change func(*Invocations)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.stats)
}

// take returns a container that nobody uses, a new one if need be.
func (l *lambda) take(ctx context.Context) (*container, error) {
	l.mu.Lock()
	l.prune()
	if l.closed {
		l.mu.Unlock()
		return nil, errClosed
	}
	if n := len(l.idle); n > 0 {
		c := l.idle[n-1] // the last used: the others stay cold, as in the cloud
		l.idle = l.idle[:n-1]
		l.mu.Unlock()
		return c, nil
	}
	number := 1
	for _, used := l.containers[number]; used; _, used = l.containers[number] {
		number++
	}
	l.containers[number] = nil
	l.mu.Unlock()

	c, err := startContainer(ctx, number, func(api string) (running, error) { return l.start(number, api) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		delete(l.containers, number)
		return nil, err
	}
	l.containers[number] = c
	if l.closed {
		c.end()
		return nil, errClosed
	}
	return c, nil
}

func (l *lambda) giveBack(c *container) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, c)
	l.prune()
}

// prune forgets the dead among the idle containers. l.mu is held.
func (l *lambda) prune() {
	alive := l.idle[:0]
	for _, c := range l.idle {
		if c.alive() {
			alive = append(alive, c)
			continue
		}
		c.server.Close()
		delete(l.containers, c.number)
	}
	l.idle = alive
}

// kill kills a container by its number, all of them for 0, as kill -9 does, and returns
// how many there were.
func (l *lambda) kill(number int) int {
	l.mu.Lock()
	var victims []*container
	for n, c := range l.containers {
		if c != nil && c.alive() && (number == 0 || number == n) {
			victims = append(victims, c)
		}
	}
	l.mu.Unlock()
	for _, c := range victims {
		c.child.kill()
		<-c.child.done()
	}
	return len(victims)
}

// close kills all containers; there will be no new ones. Invocations that run fail.
func (l *lambda) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.kill(0)
	l.mu.Lock()
	l.prune()
	l.mu.Unlock()
}

// snapshot returns the counters and the number of living containers.
func (l *lambda) snapshot() (Invocations, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prune()
	n := 0
	for _, c := range l.containers {
		if c != nil && c.alive() {
			n++
		}
	}
	return l.stats, n
}
