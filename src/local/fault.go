package local

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// What a fault does to a call.
const (
	Dead      = "dead"      // the connection is dropped without an answer
	Hang      = "hang"      // no answer, until the caller gives up
	Slow      = "slow"      // the answer takes longer
	Throttled = "throttled" // calls above a rate are refused
	Error     = "error"     // an error is answered
	Partial   = "partial"   // entries of a batch fail, in an answer of 200
)

// A Fault goes wrong on purpose, from AddFault until RemoveFault. All faults that fit a
// call act on it, in the order in which they were added.
type Fault struct {
	ID string `json:"id"` // given by AddFault

	// Region, Service ("sqs", "iot" for the registry, "iot-data" for shadows and topics) and
	// Operation ("SendMessageBatch") say which calls it fits; empty fits all.
	Region    string `json:"region,omitempty"`
	Service   string `json:"service,omitempty"`
	Operation string `json:"operation,omitempty"`

	Kind string `json:"kind"`
	// After lets the call take effect first, and then loses, delays or falsifies its answer.
	After bool `json:"after,omitempty"`
	// Share of the calls, or of a batch's entries for Partial, that it hits; 0 means all.
	Share float64 `json:"share,omitempty"`
	// Times is how many calls it hits before it is spent; 0 means no end.
	Times int `json:"times,omitempty"`

	// Median and P99 are the two points of the log-normal delay of Slow; a P99 of 0 means
	// that every delay is the median.
	Median Delay `json:"median,omitempty"`
	P99    Delay `json:"p99,omitempty"`
	// Rate is how many calls a second Throttled lets through; 0 means none.
	Rate float64 `json:"rate,omitempty"`
	// Code and Status are the error of Error; zero means the service's internal failure, 500.
	Code   string `json:"code,omitempty"`
	Status int    `json:"status,omitempty"`

	// Hits is how many calls it has acted on, or entries of a batch for Partial; given by Faults.
	Hits int `json:"hits,omitempty"`
}

// A Delay is a duration that JSON writes as text: "250ms".
type Delay time.Duration

// MarshalText writes the delay as time.Duration does.
func (d Delay) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Delay) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Delay(v)
	return err
}

// check tells what is wrong with a fault.
func (f *Fault) check() error {
	switch {
	case !slices.Contains([]string{Dead, Hang, Slow, Throttled, Error, Partial}, f.Kind):
		return fmt.Errorf("unknown kind of fault %q", f.Kind)
	case !slices.Contains([]string{"", "sqs", "iot", "iot-data"}, f.Service):
		return fmt.Errorf("unknown service %q", f.Service)
	case !f.operationExists():
		return fmt.Errorf("service %q has no operation %q here", f.Service, f.Operation)
	case f.Share < 0 || f.Share > 1:
		return fmt.Errorf("share %v is not between 0 and 1", f.Share)
	case f.Times < 0 || f.Rate < 0 || f.Median < 0 || f.P99 < 0 || f.P99 > 0 && f.P99 < f.Median:
		return fmt.Errorf("times, rate and delays are not negative, and p99 not less than median")
	case f.Kind == Slow && f.Median == 0:
		return fmt.Errorf("a slow fault needs a median")
	case f.Kind == Throttled && f.After:
		return fmt.Errorf("a call is throttled before its effect, not after")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("status %d is not of an error", f.Status)
	}
	return nil
}

func (f *Fault) operationExists() bool {
	if f.Operation == "" {
		return true
	}
	if _, ok := sqsOperations[f.Operation]; ok && (f.Service == "" || f.Service == "sqs") {
		return true
	}
	for _, t := range iotRoutes {
		if t.operation == f.Operation && (f.Service == "" || f.Service == t.service) {
			return true
		}
	}
	return false
}

func (f *Fault) fits(c *call) bool {
	return (f.Region == "" || f.Region == c.region.name) &&
		(f.Service == "" || f.Service == c.service) &&
		(f.Operation == "" || f.Operation == c.operation)
}

// An activeFault is a fault and what it remembers, under faultSet.mu.
type activeFault struct {
	Fault
	left   int     // calls until it is spent, if Times is set
	tokens float64 // Throttled: calls that may pass
	filled time.Time
}

// A faultSet is the faults of a service.
type faultSet struct {
	random func() float64 // set once

	mu     sync.Mutex // guards the following
	lastID int
	active []*activeFault
}

// AddFault begins a fault and returns its id.
func (s *Service) AddFault(f Fault) (id string, err error) {
	if err := f.check(); err != nil {
		return "", fmt.Errorf("add fault: %w", err)
	}
	set := &s.faults
	set.mu.Lock()
	defer set.mu.Unlock()
	set.lastID++
	f.ID, f.Hits = strconv.Itoa(set.lastID), 0
	set.active = append(set.active, &activeFault{Fault: f, left: f.Times})
	return f.ID, nil
}

// RemoveFault ends the fault with that id, or all faults if it is empty. It tells whether
// there was one.
func (s *Service) RemoveFault(id string) bool {
	set := &s.faults
	set.mu.Lock()
	defer set.mu.Unlock()
	n := len(set.active)
	set.active = slices.DeleteFunc(set.active, func(f *activeFault) bool { return id == "" || f.ID == id })
	return len(set.active) < n
}

// Faults returns the faults that are active, in the order in which they were added.
func (s *Service) Faults() []Fault {
	set := &s.faults
	set.mu.Lock()
	defer set.mu.Unlock()
	out := make([]Fault, len(set.active))
	for i, f := range set.active {
		out[i] = f.Fault
	}
	return out
}

// hit returns the faults that act on a call, in two parts: before and after its effect.
func (set *faultSet) hit(c *call, now time.Time) (before, after []Fault) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if len(set.active) == 0 {
		return nil, nil
	}
	set.active = slices.DeleteFunc(set.active, func(f *activeFault) bool {
		if !f.fits(c) || f.Kind == Throttled && f.pass(now) {
			return false
		}
		if f.Kind != Partial && f.Share > 0 && set.random() >= f.Share {
			return false
		}
		if f.Kind != Partial {
			f.Hits++
		}
		if f.After {
			after = append(after, f.Fault)
		} else {
			before = append(before, f.Fault)
		}
		f.left--
		return f.left == 0
	})
	return before, after
}

// spoiled notes that a fault of kind Partial has hit an entry.
func (set *faultSet) spoiled(id string) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, f := range set.active {
		if f.ID == id {
			f.Hits++
		}
	}
}

// pass takes a token, of which there are Rate a second and never more than a second's.
func (f *activeFault) pass(now time.Time) bool {
	if f.filled.IsZero() {
		f.tokens = f.Rate
	} else if d := now.Sub(f.filled); d > 0 {
		f.tokens = min(f.tokens+f.Rate*d.Seconds(), max(f.Rate, 1))
	}
	f.filled = now
	if f.tokens < 1 {
		return false
	}
	f.tokens--
	return true
}

// strike does to a call what the faults say; out is its answer so far, nil before its effect.
func (s *Service) strike(c *call, faults []Fault, out any) (any, *apiError) {
	for _, f := range faults {
		switch f.Kind {
		case Dead:
			panic(http.ErrAbortHandler)
		case Hang:
			s.sleep(c, math.MaxInt64)
			panic(http.ErrAbortHandler)
		case Slow:
			s.sleep(c, f.delay(s.faults.random()))
		case Throttled:
			return nil, throttled(c)
		case Error:
			return nil, f.failure(c)
		case Partial:
			hits := func() bool {
				if f.Share > 0 && s.faults.random() >= f.Share {
					return false
				}
				s.faults.spoiled(f.ID)
				return true
			}
			if b, ok := out.(batchOut); ok {
				out = b.spoil(hits, f.failure(c))
			} else if !f.After {
				c.spoil = func() *apiError {
					if hits() {
						return f.failure(c)
					}
					return nil
				}
			}
		}
	}
	return out, nil
}

// sleep waits as long as the caller does, and the service is open.
func (s *Service) sleep(c *call, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.request.Context().Done():
	case <-s.closed:
	}
}

// delay returns the delay at u, in [0, 1), of the log-normal distribution through Median and P99.
func (f *Fault) delay(u float64) time.Duration {
	if f.P99 == 0 || f.P99 == f.Median {
		return time.Duration(f.Median)
	}
	const z99 = 2.3263478740408408 // of the normal distribution
	z := math.Sqrt2 * math.Erfinv(2*u-1)
	d := float64(f.Median) * math.Pow(float64(f.P99)/float64(f.Median), z/z99)
	return time.Duration(min(d, float64(time.Hour)))
}

// failure is the error of Error and Partial.
func (f *Fault) failure(c *call) *apiError {
	e := internalFailure(c, errors.New("the fault was asked for"))
	if f.Code != "" {
		e.name = f.Code
	}
	if f.Status != 0 {
		e.status = f.Status
	}
	return e
}

// throttled is how each service says that calls are too many.
func throttled(c *call) *apiError {
	switch c.service {
	case "sqs":
		return fail(http.StatusForbidden, "RequestThrottled", "Request is throttled.")
	case "iot":
		return fail(http.StatusBadRequest, "ThrottlingException", "Rate exceeded")
	}
	return fail(http.StatusTooManyRequests, "ThrottlingException", "Rate exceeded")
}
