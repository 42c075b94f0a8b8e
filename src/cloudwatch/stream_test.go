package cloudwatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeLog keeps events, and fails when it is told to.
type fakeLog struct {
	mu     sync.Mutex // guards the following
	events []Event
	calls  []time.Time
	sizes  []int // bytes of each call, as CloudWatch counts

	before, after error         // fail without the events, or with them
	delay         time.Duration // unless the context ends before
	rejected      int
}

func (f *fakeLog) set(change func(*fakeLog)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeLog) put(ctx context.Context, events []Event) (int, error) {
	f.mu.Lock()
	delay := f.delay
	f.calls = append(f.calls, time.Now())
	f.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.before != nil {
		return 0, f.before
	}
	size := 0
	for i, e := range events {
		size += len(e.Line) + 26
		switch {
		case i > 0 && e.Time < events[i-1].Time:
			return 0, fmt.Errorf("%w: not in the order of time", ErrRefused)
		case e.Time-events[0].Time > 24*time.Hour.Milliseconds():
			return 0, fmt.Errorf("%w: more than a day in a call", ErrRefused)
		case e.Line == "":
			return 0, fmt.Errorf("%w: an empty event", ErrRefused)
		}
	}
	if size > 1<<20 || len(events) > 10_000 || len(events) == 0 {
		return 0, fmt.Errorf("%w: %d events of %d bytes", ErrRefused, len(events), size)
	}
	f.events = append(f.events, events...)
	f.sizes = append(f.sizes, size)
	return f.rejected, f.after
}

func (f *fakeLog) lines() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines := make([]string, len(f.events))
	for i, e := range f.events {
		lines[i] = e.Line
	}
	return lines
}

// inStream runs f with a stream to a fake; end lets Run end and waits for it.
func inStream(t *testing.T, f func(s *Stream, log *fakeLog, said *bytes.Buffer, end func() time.Duration)) {
	synctest.Test(t, func(t *testing.T) {
		log, said := &fakeLog{}, new(bytes.Buffer)
		s := New(log.put)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			s.Run(ctx, slog.New(slog.NewTextHandler(said, nil)))
			close(ended)
		}()
		end := func() time.Duration {
			begun := time.Now()
			cancel()
			<-ended
			return time.Since(begun)
		}
		f(s, log, said, end)
		end()
	})
}

// Lines go together, in the order in which they came.
func TestGather(t *testing.T) {
	inStream(t, func(s *Stream, log *fakeLog, said *bytes.Buffer, end func() time.Duration) {
		begun := time.Now()
		io.WriteString(s, "one\n")
		time.Sleep(gatherFor - time.Second)
		io.WriteString(s, "two\n")
		io.WriteString(s, "\n") // CloudWatch takes no empty event
		time.Sleep(time.Second)
		synctest.Wait()
		if got := log.lines(); !slices.Equal(got, []string{"one", "two"}) || len(log.calls) != 1 || log.calls[0].Sub(begun) != gatherFor {
			t.Errorf("%q in calls at %v", got, log.calls)
		}
		if log.events[0].Time != begun.UnixMilli() {
			t.Errorf("time %d, want %d", log.events[0].Time, begun.UnixMilli())
		}
		time.Sleep(time.Hour)
		if len(log.calls) != 1 {
			t.Errorf("%d calls, and there is nothing to send", len(log.calls))
		}
	})
}

// What was written before the end is sent before the end, though it be the last
// millisecond.
func TestFlush(t *testing.T) {
	inStream(t, func(s *Stream, log *fakeLog, said *bytes.Buffer, end func() time.Duration) {
		log.delay = 500 * time.Millisecond
		io.WriteString(s, "one")
		time.Sleep(gatherFor + 100*time.Millisecond) // a call is under way
		io.WriteString(s, "last")
		if d := end(); d > flushWithin {
			t.Errorf("took %v", d)
		}
		if got := log.lines(); !slices.Equal(got, []string{"one", "last"}) {
			t.Errorf("sent %q", got)
		}
	})
}

// Whatever CloudWatch does, the end comes in time.
func TestFlushIsBounded(t *testing.T) {
	for name, change := range map[string]func(*fakeLog){
		"hangs": func(f *fakeLog) { f.delay = time.Hour },
		"fails": func(f *fakeLog) { f.before = errors.New("no route") },
	} {
		t.Run(name, func(t *testing.T) {
			inStream(t, func(s *Stream, log *fakeLog, said *bytes.Buffer, end func() time.Duration) {
				log.set(change)
				for range 20 {
					s.Write(bytes.Repeat([]byte("x"), 40_000))
				}
				if d := end(); d > flushWithin {
					t.Errorf("took %v", d)
				}
			})
		})
	}
}

// A failure is repeated, ever more slowly, until it passes; nothing is lost, and what
// CloudWatch has stored before it failed comes twice. The change is said once.
func TestFailures(t *testing.T) {
	down := errors.New("no route to host")
	for _, tt := range []struct {
		name   string
		change func(*fakeLog)
		want   []string
		hours  int
	}{
		{"before storing", func(f *fakeLog) { f.before = down }, []string{"one", "two"}, 3},
		{"hangs", func(f *fakeLog) { f.delay = time.Hour }, []string{"one", "two"}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inStream(t, func(s *Stream, log *fakeLog, said *bytes.Buffer, end func() time.Duration) {
				log.set(tt.change)
				io.WriteString(s, "one")
				time.Sleep(time.Duration(tt.hours) * time.Hour)
				io.WriteString(s, "two")
				synctest.Wait()
				if n, most := len(log.calls), tt.hours*130; n < tt.hours*25 || n > most {
					t.Errorf("%d calls in %d h", n, tt.hours)
				}
				log.set(func(f *fakeLog) { f.before, f.delay = nil, 0 })
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if got := log.lines(); !slices.Equal(got, tt.want) {
					t.Errorf("sent %q", got)
				}
				if n := strings.Count(said.String(), "does not take"); n != 1 || !strings.Contains(said.String(), "takes the log again") {
					t.Errorf("said %s", said)
				}
				if n := s.Dropped(); n != 0 {
					t.Errorf("%d dropped", n)
				}
			})
		})
	}
	t.Run("after storing", func(t *testing.T) {
		inStream(t, func(s *Stream, log *fakeLog, said *bytes.Buffer, end func() time.Duration) {
			log.set(func(f *fakeLog) { f.after = down })
			io.WriteString(s, "one")
			time.Sleep(gatherFor + 100*time.Millisecond)
			log.set(func(f *fakeLog) { f.after = nil })
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := log.lines(); !slices.Equal(got, []string{"one", "one"}) {
				t.Errorf("sent %q", got)
			}
		})
	})
}

// What CloudWatch will never take is counted and does not hold up the rest, and no line
// about it begets the next.
func TestRefused(t *testing.T) {
	inStream(t, func(s *Stream, log *fakeLog, said *bytes.Buffer, end func() time.Duration) {
		log.set(func(f *fakeLog) { f.before = ErrRefused })
		for range 10 {
			io.WriteString(s, "bad")
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if n := s.Dropped(); n != 10 {
			t.Errorf("%d dropped", n)
		}
		if n := strings.Count(said.String(), "\n"); n != 1 {
			t.Errorf("said %s", said)
		}
		log.set(func(f *fakeLog) { f.before = nil; f.rejected = 1 })
		io.WriteString(s, "good")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := log.lines(); !slices.Equal(got, []string{"good"}) || s.Dropped() != 11 {
			t.Errorf("sent %q, dropped %d", got, s.Dropped())
		}
	})
}

// Whatever is written while nothing leaves, memory is bounded, the oldest lines go, and
// no call is larger than CloudWatch takes.
func TestFull(t *testing.T) {
	inStream(t, func(s *Stream, log *fakeLog, said *bytes.Buffer, end func() time.Duration) {
		log.set(func(f *fakeLog) { f.before = errors.New("down") })
		const n = 100_000
		for i := range n {
			fmt.Fprintf(s, "%06d %s\n", i, strings.Repeat("x", i%200))
		}
		s.Write(make([]byte, maxLine+1))
		if s.size > maxHeld {
			t.Errorf("%d bytes are held", s.size)
		}
		held := len(s.held)
		log.set(func(f *fakeLog) { f.before = nil })
		time.Sleep(time.Hour)
		synctest.Wait()
		got := log.lines()
		if !slices.IsSorted(got) || !strings.HasPrefix(got[len(got)-1], "099999") {
			t.Errorf("%d lines, the last is %.10q", len(got), got[len(got)-1])
		}
		if lost := int(s.Dropped()); lost+len(got) != n+1 || len(got) < held {
			t.Errorf("%d sent and %d dropped of %d", len(got), lost, n+1)
		}
		for _, size := range log.sizes {
			if size > 1<<20 {
				t.Errorf("a call of %d bytes", size)
			}
		}
		if s.size != 0 || len(s.held) != 0 {
			t.Errorf("%d bytes in %d lines are left", s.size, len(s.held))
		}
	})
}

// Many goroutines write and nobody waits: the packet path may be one of them.
func TestWriteDoesNotWait(t *testing.T) {
	inStream(t, func(s *Stream, log *fakeLog, said *bytes.Buffer, end func() time.Duration) {
		log.set(func(f *fakeLog) { f.delay = time.Hour })
		begun := time.Now()
		var writing sync.WaitGroup
		for range 8 {
			writing.Go(func() {
				for range 10_000 {
					io.WriteString(s, "a line that finds no room sooner or later\n")
				}
			})
		}
		writing.Wait()
		if d := time.Since(begun); d != 0 {
			t.Errorf("took %v", d)
		}
	})
}

// A clock that was set back, or forth by years, costs no line.
func TestClockIsSet(t *testing.T) {
	inStream(t, func(s *Stream, log *fakeLog, said *bytes.Buffer, end func() time.Duration) {
		now := time.Now().UnixMilli()
		const hour = 3_600_000
		s.mu.Lock()
		for i, at := range []int64{0, now, now - hour, now + 1, now + 30*hour, now + 2} {
			line := fmt.Sprint(i)
			s.held = append(s.held, Event{at, line})
			s.size += cost(line)
		}
		s.mu.Unlock()
		signal(s.some)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := log.lines(); !slices.Equal(got, []string{"0", "2", "1", "3", "4", "5"}) || s.Dropped() != 0 {
			t.Errorf("sent %q, dropped %d", got, s.Dropped())
		}
	})
}
