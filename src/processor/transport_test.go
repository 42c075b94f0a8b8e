package processor

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
)

// useTransport puts something between the processor, started anew, and AWS.
func (w *world) useTransport(rt http.RoundTripper) {
	before := w.config.HTTPClient
	w.config.HTTPClient = &http.Client{Transport: rt}
	w.restart()
	w.config.HTTPClient = before
}

// A failing transport answers nothing on a path while it is on.
type failing struct {
	next http.RoundTripper
	path string
	on   bool
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.on && strings.Contains(r.URL.Path, f.path) {
		return nil, errors.New("connection reset")
	}
	return f.next.RoundTrip(r)
}

// A cutting transport ends an invocation after some calls.
type cutting struct {
	next http.RoundTripper
	cut  context.CancelFunc

	mu   sync.Mutex // guards the following
	left int
}

func (c *cutting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.left--
	if c.left < 0 {
		c.cut()
	}
	c.mu.Unlock()
	return c.next.RoundTrip(r)
}

// A mortal transport is that of a process that dies when it touches a path, or after
// some calls: from then on nothing of it reaches AWS.
type mortal struct {
	next http.RoundTripper
	path string

	mu    sync.Mutex // guards the following
	limit int        // calls that are left, if doomed
	doom  bool
	dead  bool
}

// dieAfter makes the process die at the n-th call from now.
func (m *mortal) dieAfter(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit, m.doom = n, true
}

func (m *mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	if m.doom {
		m.limit--
	}
	m.dead = m.dead || strings.Contains(r.URL.Path, m.path) || m.doom && m.limit < 0
	dead := m.dead
	m.mu.Unlock()
	if dead {
		return nil, errors.New("the process is dead")
	}
	return m.next.RoundTrip(r)
}

func (m *mortal) over() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}
