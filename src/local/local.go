// Package local is the AWS that this project needs, on this machine: Amazon SQS over
// its JSON 1.0 protocol and AWS IoT (registry and device shadows) over REST-JSON, all
// regions on one port. The unmodified AWS SDKs and the aws command line talk to it.
// docs/local-aws.md lists each rule that it keeps and where AWS states it.
package local

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a Service. The zero value is a service in memory on the real clock.
type Options struct {
	// Now is the clock of every timestamp and deadline; nil means time.Now. Waits use
	// package time, so Now should advance as package time does (a jump is noticed at the
	// next call).
	Now func() time.Time
	// Account is the twelve-digit account that owns everything; empty means "000000000000".
	Account string
	// Random decides what a fault leaves to chance, in [0, 1); nil means math/rand/v2. It may
	// be called from several goroutines at once.
	Random func() float64
	// BaseURL begins every queue URL ("http://127.0.0.1:4566"); empty means the scheme and
	// Host of the request that asks.
	BaseURL string
	// Updated hears of each update of a classic shadow that has taken effect, whatever its
	// caller is answered; nil means that nobody does. Those of one thing come in the order of
	// their versions, while its shadow is locked: Updated may not call the Service.
	Updated func(thing string, request []byte)
	// Data is the directory in which Open keeps everything; empty means in memory.
	Data string

	noSync bool // tests: do not sync, to see that it is missed
}

// A Service answers AWS calls for all regions. Its methods may be called from any goroutine.
type Service struct {
	// set once
	clock   func() time.Time
	account string
	baseURL string
	updated func(thing string, request []byte) // nil: nobody listens
	closed  chan struct{}                      // closed by Close; ends long polls and move tasks

	journal *journal // nil: in memory

	tasks  sync.WaitGroup // of move tasks that run
	faults faultSet
	quotas quotaSet
	lab    *http.ServeMux

	closeOnce sync.Once

	mu      sync.RWMutex // guards the following
	regions map[string]*region
}

// A region holds what AWS keeps apart by region.
type region struct {
	name     string
	queues   queueSet
	registry registry
	shadows  *shadowSet
	tasks    taskSet
	topics   topics
	skew     atomic.Int64 // nanoseconds that its clock is ahead, by ShiftClock
}

// New returns a service in memory that holds nothing yet.
func New(o Options) *Service {
	s := &Service{
		clock:   o.Now,
		account: o.Account,
		baseURL: o.BaseURL,
		updated: o.Updated,
		closed:  make(chan struct{}),
		regions: make(map[string]*region),
	}
	s.lab = s.labMux()
	if s.clock == nil {
		s.clock = time.Now
	}
	s.faults.random = o.Random
	if s.faults.random == nil {
		s.faults.random = rand.Float64
	}
	if s.account == "" {
		s.account = "000000000000"
	}
	return s
}

// Close ends all waiting calls and message move tasks, and closes the data file. Calls
// after Close do not wait; those on a service with a data file are refused.
func (s *Service) Close() error {
	s.closeOnce.Do(func() { close(s.closed) })
	s.tasks.Wait()
	return s.journal.close()
}

// ShiftClock sets how far a region's clock is ahead of Options.Now; negative is behind.
// SentTimestamps, shadows and all deadlines of the region follow it.
func (s *Service) ShiftClock(region string, ahead time.Duration) {
	s.region(region).skew.Store(int64(ahead))
}

// region returns the region of that name, and makes it if it is new.
func (s *Service) region(name string) *region {
	s.mu.RLock()
	r := s.regions[name]
	s.mu.RUnlock()
	if r != nil {
		return r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r = s.regions[name]; r == nil {
		r = newRegion(name)
		s.regions[name] = r
	}
	return r
}

func newRegion(name string) *region {
	return &region{
		name:     name,
		queues:   newQueueSet(),
		registry: newRegistry(),
		shadows:  newShadowSet(),
	}
}
