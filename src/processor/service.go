package processor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	// callTimeout bounds one call of AWS IoT, which usually takes 20 ms.
	callTimeout = 5 * time.Second

	// downAfter is how many calls must fail, one after the other, until a service is
	// taken to be down. Then one call in probeEvery is let through to find out.
	downAfter  = 16
	probeEvery = 5 * time.Second

	// lately is for how long an answer speaks for the service.
	lately = 5 * time.Minute

	// After throttling, cutTo of the calls in flight is left, at most once in cutEvery.
	// Then each round of answered calls adds growth.
	cutTo    = 0.7
	cutEvery = 100 * time.Millisecond
	growth   = 0.1

	maxTries          = 3 // of a call that fails
	maxThrottledTries = 8 // of a call that is throttled
)

var (
	// errDown is the fate of a call that was not made because the service is down.
	errDown = errors.New("AWS IoT does not answer: not tried")

	// errThrottled wraps the answer to a call beyond a quota.
	errThrottled = errors.New("throttled")
)

// A callError is an error of a call that service did not answer.
type callError struct {
	service *service
	err     error
}

func (e *callError) Error() string { return e.service.name + ": " + e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// A service is a part of AWS IoT that may fail by itself, as seen from here: how many
// calls it bears, and whether it is up. The SDK's retries are off: what helps against
// a quota is fewer calls by all goroutines and not later ones by each, and what a
// whole outage needs is to leave reports on the queue.
//
// Its methods may be called concurrently.
type service struct {
	name string
	most int // calls in flight

	mu       sync.Mutex // guards the following
	limit    float64    // calls in flight: less after throttling, slowly more after success
	flying   int
	waiting  []chan error // callers that wait for a place, oldest first
	cut      time.Time    // when limit was last made less
	failures int          // in a row
	success  time.Time    // when a call was last answered
	failure  time.Time    // when one last was not
	probed   time.Time    // when the last call began while the service was down

	calls, throttled int
}

func newService(name string, most int) *service {
	return &service{name: name, most: most, limit: float64(most)}
}

// do calls fn until it is answered: by success or by an error that a repetition
// would not change. fn makes one call. An error that is no answer is a callError, or
// ctx's, or errDown.
func (s *service) do(ctx context.Context, fn func(context.Context) error) error {
	for try := 1; ; try++ {
		if err := s.acquire(ctx); err != nil {
			return err
		}
		callCtx, cancel := context.WithTimeout(ctx, callTimeout)
		err := fn(callCtx)
		cancel()
		verdict := judge(err)
		again := s.release(verdict, ctx.Err() != nil)
		switch {
		case verdict == answered:
			return err
		case verdict == overloaded && (try == maxThrottledTries || !again):
			return &callError{s, fmt.Errorf("%w: %w", errThrottled, err)}
		case verdict == failed && (try == maxTries || !again):
			return &callError{s, err}
		}
		wait := 50 * time.Millisecond << try
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// A verdict is what an answer says about the service.
type verdict int

const (
	answered   verdict = iota // it works
	overloaded                // it wants fewer calls
	failed                    // it does not work, or not for us
)

// requestFaults are errors about what was asked for; the service works.
var requestFaults = []string{
	"ConflictException", "ResourceNotFoundException", "InvalidRequestException",
	"RequestEntityTooLargeException", "ResourceAlreadyExistsException",
}

func judge(err error) verdict {
	if err == nil {
		return answered
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch {
		case slices.Contains(requestFaults, api.ErrorCode()):
			return answered
		case api.ErrorCode() == "ThrottlingException", api.ErrorCode() == "LimitExceededException":
			return overloaded
		}
	}
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && response.HTTPStatusCode() == http.StatusTooManyRequests {
		return overloaded
	}
	return failed
}

// acquire waits for a place. While the service is down it lets one caller through
// now and then, and the others wait for what comes of that.
func (s *service) acquire(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.mu.Lock()
	now := time.Now()
	switch {
	case s.failures >= downAfter && s.flying == 0 && now.Sub(s.probed) < probeEvery:
		s.mu.Unlock()
		return errDown
	case s.failures >= downAfter && s.flying == 0, s.failures < downAfter && s.flying < int(s.limit):
		s.flying++
		s.calls++
		s.probed = now
		s.mu.Unlock()
		return nil
	}
	place := make(chan error, 1)
	s.waiting = append(s.waiting, place)
	s.mu.Unlock()
	select {
	case err := <-place:
		return err
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		if i := slices.Index(s.waiting, place); i >= 0 {
			s.waiting = slices.Delete(s.waiting, i, i+1)
			return ctx.Err()
		}
		return <-place // it came at the same time; the call will see that ctx is done
	}
}

// release gives the place back and lets others on. It reports whether it makes sense
// to try again. A call that our own deadline cut short says nothing.
func (s *service) release(v verdict, cut bool) (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying--
	switch {
	case cut && v == failed:
	case v == answered:
		s.failures, s.success = 0, time.Now()
		s.limit = min(float64(s.most), s.limit+growth/s.limit)
	case v == overloaded:
		s.throttled++
		s.fail()
		// The calls of one burst come back throttled together, and count once.
		if now := time.Now(); now.Sub(s.cut) > cutEvery {
			s.limit, s.cut = max(1, s.limit*cutTo), now
		}
	case v == failed:
		s.fail()
	}
	down := s.failures >= downAfter
	for len(s.waiting) > 0 && (down && s.flying == 0 || !down && s.flying < int(s.limit)) {
		var err error
		if down {
			err = errDown
		} else {
			s.flying++
			s.calls++
		}
		s.waiting[0] <- err
		s.waiting = s.waiting[1:]
	}
	return !down
}

func (s *service) fail() {
	s.failures++
	s.failure = time.Now()
}

// down reports whether the service is down: it is known to be, or since the given
// time calls have failed and none has been answered, nor lately before. One report
// that fails while others are applied is in trouble of its own.
func (s *service) down(since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures >= downAfter || !s.failure.Before(since) && s.success.Before(since.Add(-lately))
}

// downLately reports whether the service is known to be down and was asked not long
// ago.
func (s *service) downLately(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures >= downAfter && now.Sub(s.failure) < maxDelay
}

// answeredSince reports whether a call has been answered since then, the last one
// among them.
func (s *service) answeredSince(t time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures == 0 && !s.success.Before(t)
}

// takeCounts returns the calls and the throttled ones since it was last called.
func (s *service) takeCounts() (calls, throttled int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls, throttled = s.calls, s.throttled
	s.calls, s.throttled = 0, 0
	return calls, throttled
}
