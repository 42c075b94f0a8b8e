// Package local is the AWS that this project needs, on this machine: Amazon SQS over
// its JSON 1.0 protocol and AWS IoT (registry and device shadows) over REST-JSON, all
// regions on one port. The unmodified AWS SDKs and the aws command line talk to it.
// docs/local-aws.md lists each rule that it keeps and where AWS states it.
package local

import (
	"sync"
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
	// BaseURL begins every queue URL ("http://127.0.0.1:4566"); empty means the scheme and
	// Host of the request that asks.
	BaseURL string
}

// A Service answers AWS calls for all regions. Its methods may be called from any goroutine.
type Service struct {
	// set once
	clock   func() time.Time
	account string
	baseURL string
	closed  chan struct{} // closed by Close; ends long polls

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
}

// New returns a service that holds nothing yet.
func New(o Options) *Service {
	s := &Service{
		clock:   o.Now,
		account: o.Account,
		baseURL: o.BaseURL,
		closed:  make(chan struct{}),
		regions: make(map[string]*region),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.account == "" {
		s.account = "000000000000"
	}
	return s
}

// Close ends all waiting calls. Calls after Close are answered as before, but do not wait.
func (s *Service) Close() error {
	s.closeOnce.Do(func() { close(s.closed) })
	return nil
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
