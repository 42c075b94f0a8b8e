package lab

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeChild ends when it is told to, or when it dies.
type fakeChild struct {
	name  string
	ended chan struct{}
	once  sync.Once
	how   string
}

func newFakeChild(name string) *fakeChild { return &fakeChild{name: name, ended: make(chan struct{})} }

func (c *fakeChild) end(how string) {
	c.once.Do(func() {
		c.how = how
		close(c.ended)
	})
}

func (c *fakeChild) done() <-chan struct{} { return c.ended }
func (c *fakeChild) stop(time.Duration)    { c.end("stopped") }
func (c *fakeChild) kill()                 { c.end("killed") }
func (c *fakeChild) fate() string          { return c.how }

// A nursery starts fake children and remembers when.
type nursery struct {
	mu       sync.Mutex // guards the following
	children []*fakeChild
	starts   []time.Duration // since the first
	lives    func(n int) time.Duration
	began    time.Time
	sick     error
}

func (n *nursery) start() (running, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.children == nil {
		n.began = time.Now()
	}
	c := newFakeChild(fmt.Sprint(len(n.children)))
	n.starts = append(n.starts, time.Since(n.began))
	n.children = append(n.children, c)
	if n.lives != nil {
		time.AfterFunc(n.lives(len(n.children)), func() { c.end("died") })
	}
	return c, nil
}

func (n *nursery) check(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sick
}

func (n *nursery) last() *fakeChild {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.children[len(n.children)-1]
}

// supervising runs a supervisor in a bubble while f runs, then ends it, and returns what
// it has said.
func supervising(t *testing.T, n *nursery, f func(s *supervisor)) []string {
	t.Helper()
	var mu sync.Mutex
	var said []string
	synctest.Test(t, func(t *testing.T) {
		s := newSupervisor("child", n.start, n.check, func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, fmt.Sprintf(format, args...))
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.run(ctx); close(ended) }()
		synctest.Wait()
		f(s)
		stop()
		<-ended
		select {
		case <-n.last().ended:
		default:
			t.Error("a child is left")
		}
	})
	return said
}

// A child that keeps dying is started again after 0.1, 0.2, ... 5 s; one that has lived
// for long after 0.1 s.
func TestRestartDelay(t *testing.T) {
	n := &nursery{lives: func(n int) time.Duration {
		if n == 9 {
			return time.Minute
		}
		return time.Second
	}}
	said := supervising(t, n, func(*supervisor) { time.Sleep(100 * time.Second) })
	var gaps []time.Duration
	for i := 1; i < 11; i++ {
		gap := n.starts[i] - n.starts[i-1] - time.Second
		if i == 9 {
			gap -= 59 * time.Second
		}
		gaps = append(gaps, gap)
	}
	ms := time.Millisecond
	want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms, 100 * ms, 200 * ms}
	if !reflect.DeepEqual(gaps, want) {
		t.Errorf("delays of %v, want %v", gaps, want)
	}
	if said[0] != "ended: died; starting it again in 100ms" {
		t.Errorf("said %q", said[0])
	}
}

func TestKillAndHalt(t *testing.T) {
	n := &nursery{}
	said := supervising(t, n, func(s *supervisor) {
		ctx := context.Background()
		if err := s.waitUp(ctx); err != nil {
			t.Fatal(err)
		}
		first := n.last()
		if !s.kill() || first.how != "killed" {
			t.Errorf("killed: the child is %q", first.how)
		}
		if s.isUp() {
			t.Error("up, right after it was killed")
		}
		if err := s.waitUp(ctx); err != nil || n.last() == first {
			t.Errorf("not started again: %v", err)
		}
		if err := s.halt(ctx); err != nil || n.last().how != "stopped" || s.isUp() {
			t.Errorf("halted: the child is %q, error %v", n.last().how, err)
		}
		time.Sleep(time.Hour)
		if len(n.children) != 2 || s.kill() {
			t.Errorf("%d children, one of them while halted", len(n.children))
		}
		for range 2 { // start what is halted, and what runs
			if err := s.resume(ctx); err != nil || !s.isUp() {
				t.Errorf("resume: %v", err)
			}
		}
		if len(n.children) != 4 || n.children[2].how != "stopped" {
			t.Errorf("%d children, the third is %q", len(n.children), n.children[2].how)
		}
	})
	if len(said) != 1 {
		t.Errorf("said %q, want a line about the one that was killed", said)
	}
}

// Who waits for a child learns why it is not ready, or that it dies again and again.
func TestWaitUp(t *testing.T) {
	n := &nursery{sick: errors.New("queue of dreams")}
	supervising(t, n, func(s *supervisor) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.waitUp(ctx); err == nil || !strings.Contains(err.Error(), "queue of dreams") {
			t.Errorf("not ready: %v", err)
		}
		time.AfterFunc(time.Minute, func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.sick = nil
		})
		started := time.Now()
		if err := s.waitUp(context.Background()); err != nil || time.Since(started) < time.Minute-checkEvery {
			t.Errorf("ready after %v: %v", time.Since(started), err)
		}
	})
	n = &nursery{sick: errors.New("never"), lives: func(int) time.Duration { return 10 * time.Millisecond }}
	supervising(t, n, func(s *supervisor) {
		started := time.Now()
		if err := s.waitUp(context.Background()); err == nil || !strings.Contains(err.Error(), "ended 3 times") {
			t.Errorf("a child that dies: %v", err)
		}
		if time.Since(started) > time.Second {
			t.Errorf("hopeless only after %v", time.Since(started))
		}
	})
}
