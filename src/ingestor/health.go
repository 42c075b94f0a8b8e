package ingestor

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/queue"
)

// sickFor is how long a failed store without a later success counts against /health.
// After that nobody knows, and the next report is the probe.
const sickFor = 30 * time.Second

// calmFor is how long a queue has confirmed without a failure when the log says so. One that
// fails now and then is one outage there, and not two lines for each report.
const calmFor = 10 * time.Second

// health is whether this ingestor can do its work: its clock can be trusted, it is not
// being stopped, and its queue confirms.
type health struct {
	log      *slog.Logger
	draining atomic.Bool
	noClock  atomic.Bool
	failing  atomic.Bool // the last outcome was a failure

	mu      sync.Mutex // guards the following
	failure error      // the last one, while failing
	last    time.Time  // of the last failure
	told    bool       // the log knows of an outage
	since   time.Time  // of its first failure
	well    time.Time  // of the first success after the last failure
}

// ready reports whether reports are taken at all.
func (h *health) ready() bool { return !h.draining.Load() && !h.noClock.Load() }

func (h *health) drain() { h.draining.Store(true) }

// clock is told once a second whether the kernel's clock is synchronised; a change is
// logged.
func (h *health) clock(synchronised bool) {
	if h.noClock.Swap(!synchronised) == !synchronised {
		return
	}
	if synchronised {
		h.log.Info("the clock is synchronised, reports are taken")
	} else {
		h.log.Error("the clock is not synchronised, devices are told 5.03: see to chronyd")
	}
}

// outcome is told what became of each report. The beginning of an outage is logged.
func (h *health) outcome(err error) {
	if err == nil {
		if h.failing.Load() { // the lock only where there is news
			h.recovered()
		}
		return
	}
	if errors.Is(err, queue.ErrRefused) {
		return // says nothing about the queue
	}
	now := time.Now()
	h.mu.Lock()
	first := !h.told
	if first {
		h.told, h.since = true, now
	}
	h.failure, h.last = err, now
	h.failing.Store(true)
	h.mu.Unlock()
	if first {
		h.log.Error("the queue does not confirm, devices are told 5.03: see to SQS, the network and the role's permissions", "error", err)
	}
}

func (h *health) recovered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failing.Swap(false) {
		h.failure, h.well = nil, time.Now()
	}
}

// calm is called once a second; the end of an outage is logged.
func (h *health) calm(now time.Time) {
	h.mu.Lock()
	over := h.told && !h.failing.Load() && now.Sub(h.last) >= calmFor
	lasted := h.well.Sub(h.since)
	if over {
		h.told = false
	}
	h.mu.Unlock()
	if over {
		h.log.Info("the queue confirms again", "after", lasted.Round(time.Millisecond).String())
	}
}

// problem returns why this ingestor is not healthy, or nil.
func (h *health) problem(now time.Time) error {
	switch {
	case h.draining.Load():
		return errors.New("stopping")
	case h.noClock.Load():
		return errors.New("the kernel's clock is not synchronised")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failing.Load() && now.Sub(h.last) < sickFor {
		return h.failure
	}
	return nil
}

// response is the answer to GET /health.
func (h *health) response(now time.Time) coap.Response {
	if h.problem(now) != nil {
		return unavailable()
	}
	return coap.Response{Code: codes.Content}
}
