// Package cloudwatch sends the log lines of a daemon to a log stream of CloudWatch Logs,
// in place of an agent, which would take more memory than the daemon. Lines in the
// embedded metric format become metrics there.
package cloudwatch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// An Event is one line of a log.
type Event struct {
	Time int64 // when it was written, in ms since 1970
	Line string
}

// A Put sends events, in the order of their time, in one call. When it returns nil, all
// but rejected of them are in the log for good. An error that wraps ErrRefused means that
// they never will be; any other error means unknown: a repetition may write them twice.
type Put func(ctx context.Context, events []Event) (rejected int, err error)

// ErrRefused reports events that CloudWatch refused for what they hold: sending them
// again changes nothing.
var ErrRefused = errors.New("refused by CloudWatch")

// What a Stream holds is bounded: lines that wait for a call, maxHeld = 1 MiB, and the
// lines of one call, maxCall = 256 KiB, each with overhead for a string's header, its
// time and the rounding of its memory. The SDK makes of these an array of 32 bytes an
// event and a body in which each byte may take two, in a buffer that may be twice as long
// as that: 128 KiB + 4 x 256 KiB. In all less than 2.5 MiB.
//
// A call of 256 KiB, at 64 bytes an event at least, has at most 4096 of them; CloudWatch
// takes 1 MiB, with 26 bytes an event, and 10,000 (API Reference, PutLogEvents).
const (
	maxHeld  = 1 << 20
	maxCall  = 256 << 10
	overhead = 64
	maxLine  = 64 << 10
	maxSpan  = 24 * 60 * 60 * 1000 // ms, in one call
)

const (
	gatherFor   = 5 * time.Second  // lines go together for so long, unless they fill a call
	callTimeout = 10 * time.Second // of one Put
	flushWithin = 2 * time.Second  // how long Run goes on after it is told to end
	firstPause  = time.Second      // after a failure; it doubles
	maxPause    = time.Minute
)

// A Stream is a log on its way to CloudWatch. Write may be called from any goroutine.
type Stream struct {
	put  Put
	full chan struct{} // capacity 1: there is enough for a call
	some chan struct{} // capacity 1: there is something

	mu      sync.Mutex // guards the following
	held    []Event    // oldest first
	size    int        // cost of all in held
	dropped uint64
}

// New returns a stream whose Run sends by put.
func New(put Put) *Stream {
	return &Stream{put: put, full: make(chan struct{}, 1), some: make(chan struct{}, 1)}
}

// cost is what a line takes of the bounds above.
func cost(line string) int { return len(line) + overhead }

// Write takes a line, which it copies. It never waits and never fails: where there is no
// room the oldest lines go, and are counted.
func (s *Stream) Write(line []byte) (int, error) {
	text := string(bytes.TrimRight(line, "\n"))
	if text == "" {
		return len(line), nil // CloudWatch takes no empty event
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(text) > maxLine {
		s.dropped++
		return len(line), nil
	}
	for s.size+cost(text) > maxHeld {
		s.size -= cost(s.held[0].Line)
		s.held[0].Line = "" // its memory, not only its place
		s.held = s.held[1:]
		s.dropped++
	}
	s.held = append(s.held, Event{time.Now().UnixMilli(), text})
	s.size += cost(text)
	signal(s.some)
	if s.size >= maxCall {
		signal(s.full)
	}
	return len(line), nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Dropped returns how many lines were lost for want of room, or because CloudWatch would
// not have them.
func (s *Stream) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// Run sends what is written until ctx is done, and then what is left, within flushWithin.
// It is called once. A change between success and failure is a line in log, which may
// write to this stream.
func (s *Stream) Run(ctx context.Context, log *slog.Logger) {
	// Calls outlive ctx by flushWithin.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stopFlush := context.AfterFunc(ctx, func() { time.AfterFunc(flushWithin, end) })
	defer stopFlush()

	pause := firstPause
	failing := false
	var batch []Event
	for {
		if len(batch) == 0 {
			s.gather(ctx)
			if batch = s.take(); len(batch) == 0 {
				if ctx.Err() != nil {
					return
				}
				continue
			}
		}
		err := s.call(life, batch)
		switch {
		case err == nil:
			if failing {
				log.Info("CloudWatch takes the log again", "dropped", s.Dropped())
			}
			batch, failing, pause = nil, false, firstPause
			continue
		case !failing:
			log.Warn("CloudWatch does not take the log: see to the log group, the role's permissions and the network", "error", err)
			failing = true
		}
		switch {
		case errors.Is(err, ErrRefused):
			batch = nil
		case ctx.Err() != nil:
			return
		default:
			sleep(ctx, pause/2+rand.N(pause))
			pause = min(2*pause, maxPause)
		}
	}
}

// call makes one call and counts what it lost.
func (s *Stream) call(ctx context.Context, batch []Event) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	lost, err := s.put(ctx, batch)
	if errors.Is(err, ErrRefused) {
		lost = len(batch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped += uint64(lost)
	return err
}

// gather waits until there is something to send, and a little longer for more, unless
// there is enough for a call or ctx is done.
func (s *Stream) gather(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-s.some:
	}
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.full:
	}
}

// take removes the oldest lines, as many as fit in a call, and returns them in the order
// of time: the clock may have been set.
func (s *Stream) take() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, 0
	var first, last int64
	for ; n < len(s.held); n++ {
		e := s.held[n]
		if n == 0 {
			first, last = e.Time, e.Time
		}
		first, last = min(first, e.Time), max(last, e.Time)
		if size += cost(e.Line); n > 0 && (size > maxCall || last-first > maxSpan) {
			size -= cost(e.Line)
			break
		}
	}
	batch := slices.Clone(s.held[:n])
	s.held = slices.Clone(s.held[n:]) // let go of the memory of what was sent
	s.size -= size
	if len(s.held) > 0 {
		signal(s.some)
	}
	if s.size >= maxCall {
		signal(s.full)
	}
	slices.SortStableFunc(batch, func(a, b Event) int { return int(min(max(a.Time-b.Time, -1), 1)) })
	return batch
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
