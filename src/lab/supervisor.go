package lab

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A supervisor keeps one child running: a child that dies is started again after a delay
// that grows while it keeps dying.
type supervisor struct {
	// set once
	name  string
	start func() (running, error)
	// check returns nil if the child does its work; what it does for that is called
	// again and again until it is so, for each new child. ctx ends with the child.
	check func(ctx context.Context) error
	say   func(format string, args ...any) // a line of the lab's log
	wake  chan struct{}                    // capacity 1: something changed for run to look at

	mu      sync.Mutex // guards the following
	wanted  bool
	busy    bool          // the child is being started, runs, or is being stopped
	child   running       // nil: none
	up      bool          // child does its work
	problem error         // what check said last
	failed  int           // times in a row that it ended, or did not start, before it was up
	changed chan struct{} // closed and replaced when anything above changes
}

func newSupervisor(name string, start func() (running, error), check func(context.Context) error, say func(string, ...any)) *supervisor {
	return &supervisor{
		name: name, start: start, check: check, say: say,
		wake: make(chan struct{}, 1), wanted: true, changed: make(chan struct{}),
	}
}

// The delay before a child is started again: doubling from the first to the last while it
// keeps dying, the first again when it has lived for long enough.
const (
	minRestartDelay = 100 * time.Millisecond
	maxRestartDelay = 5 * time.Second
	longLife        = 10 * time.Second
	checkEvery      = 20 * time.Millisecond
)

// run keeps the child running until ctx is done; then it stops the child and returns when
// it has ended. It is called once.
func (s *supervisor) run(ctx context.Context) {
	delay := minRestartDelay
	for ctx.Err() == nil {
		if !s.begin() {
			select {
			case <-s.wake:
			case <-ctx.Done():
			}
			continue
		}
		started := time.Now()
		child, err := s.start()
		if err == nil {
			err = s.attend(ctx, child)
		}
		s.end(err)
		if err == nil {
			continue // it was to stop
		}
		if time.Since(started) >= longLife {
			delay = minRestartDelay
		}
		s.say("%v; starting it again in %v", err, delay)
		pause(ctx, delay)
		delay = min(2*delay, maxRestartDelay)
	}
}

// begin reports whether a child is to be started, and says that it will be.
func (s *supervisor) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = s.wanted
	return s.wanted
}

// end notes that there is no child any more; err says why unless it was to end.
func (s *supervisor) end(err error) {
	s.set(func() {
		if err != nil && !s.up {
			s.failed++
		}
		s.busy, s.child, s.up = false, nil, false
	})
}

// attend waits for the end of a child. It returns nil if the child was to end.
func (s *supervisor) attend(ctx context.Context, child running) error {
	s.set(func() { s.child = child })
	life, over := context.WithCancel(ctx)
	var probe sync.WaitGroup
	probe.Go(func() {
		for life.Err() == nil {
			err := s.check(life)
			if err == nil {
				s.set(func() { s.up, s.failed = true, 0 })
				return
			}
			s.set(func() { s.problem = err })
			pause(life, checkEvery)
		}
	})
	defer func() {
		over()
		probe.Wait()
	}()
	for {
		select {
		case <-child.done():
			if !s.isWanted() {
				return nil
			}
			return fmt.Errorf("ended: %s", child.fate())
		case <-s.wake:
			if s.isWanted() {
				continue
			}
		case <-ctx.Done():
		}
		child.stop(drainLimit)
		return nil
	}
}

// set changes what mu guards and tells those who wait.
func (s *supervisor) set(change func()) {
	s.mu.Lock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	// attend and run look again; one token is enough.
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *supervisor) isWanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wanted
}

// kill ends the child as kill -9 does; it will be started again. It reports whether there
// was one.
func (s *supervisor) kill() bool {
	s.mu.Lock()
	child := s.child
	s.mu.Unlock()
	if child == nil {
		return false
	}
	child.kill()
	s.wait(context.Background(), func() bool { return s.child != child })
	return true
}

// halt stops the child for good and returns when it has ended.
func (s *supervisor) halt(ctx context.Context) error {
	s.set(func() { s.wanted = false })
	return s.wait(ctx, func() bool { return !s.busy })
}

// resume starts a child that was halted, or starts a running one anew, and returns when it
// is up.
func (s *supervisor) resume(ctx context.Context) error {
	if err := s.halt(ctx); err != nil {
		return err
	}
	s.set(func() { s.wanted, s.failed = true, 0 })
	return s.waitUp(ctx)
}

// hopeless is how often in a row a child may die before it is up until nobody waits for it
// any more.
const hopeless = 3

// waitUp waits until the child is up.
func (s *supervisor) waitUp(ctx context.Context) error {
	err := s.wait(ctx, func() bool { return s.up || s.failed >= hopeless })
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.up:
		return nil
	case s.failed >= hopeless:
		return fmt.Errorf("%s ended %d times before it was ready", s.name, s.failed)
	}
	return fmt.Errorf("%s is not ready: %w: %w", s.name, err, s.problem)
}

// wait waits until a condition on what mu guards holds.
func (s *supervisor) wait(ctx context.Context, condition func() bool) error {
	for {
		s.mu.Lock()
		holds, changed := condition(), s.changed
		s.mu.Unlock()
		if holds {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *supervisor) isUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.up
}
