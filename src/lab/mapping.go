package lab

import (
	"context"
	"sync"
	"time"

	"coap-for-aws-iot/src/metric"
)

// A mapping is a function, the poller that calls it, and the counters that the function
// logs.
type mapping struct {
	// set once
	lambda *lambda
	poller *poller
	wake   chan struct{} // capacity 1: something changed for run to look at

	mu       sync.Mutex // guards the following
	paused   bool
	idle     chan struct{}      // closed while the poller does not run
	stop     context.CancelFunc // of the poller that runs
	counters map[string]uint64  // of metric.Life
}

// newMapping returns a mapping whose poller is paused.
func newMapping(l *lambda, p *poller) *mapping {
	idle := make(chan struct{})
	close(idle)
	return &mapping{
		lambda: l, poller: p, wake: make(chan struct{}, 1),
		paused: true, idle: idle, counters: map[string]uint64{},
	}
}

// run polls, unless it is paused, until ctx is done. Then it lets the batches under way
// end, but not for longer than limit, and returns when all containers are dead. It is
// called once.
func (m *mapping) run(ctx context.Context, limit time.Duration) {
	life, end := context.WithCancel(context.Background())
	defer end()
	stopping := context.AfterFunc(ctx, func() {
		pause(life, limit)
		end()
		m.lambda.close()
	})
	for ctx.Err() == nil {
		polling, ok := m.begin(ctx)
		if !ok {
			select {
			case <-m.wake:
			case <-ctx.Done():
			}
			continue
		}
		m.poller.run(polling, life)
		m.mu.Lock()
		m.stop()
		close(m.idle)
		m.mu.Unlock()
	}
	stopping()
	m.lambda.close()
}

// begin returns the context of a poller that may run now.
func (m *mapping) begin(ctx context.Context) (context.Context, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.paused {
		return nil, false
	}
	polling, stop := context.WithCancel(ctx)
	m.stop, m.idle = stop, make(chan struct{})
	return polling, true
}

// resume lets the poller run.
func (m *mapping) resume() {
	m.mu.Lock()
	m.paused = false
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// pause stops the poller and returns when the batches that it had are settled: nothing
// more is received after it.
func (m *mapping) pause() {
	m.mu.Lock()
	m.paused = true
	if m.stop != nil {
		m.stop()
	}
	idle := m.idle
	m.mu.Unlock()
	<-idle
}

// line takes a line that a container has logged; it reports whether it was a line of
// metrics, which is added to the counters as CloudWatch would.
func (m *mapping) line(line []byte) bool {
	_, values, ok := metric.ParseLog(line)
	if !ok {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range metric.Life {
		if n, ok := values[name]; ok {
			m.counters[name] += uint64(n)
		}
	}
	return true
}
