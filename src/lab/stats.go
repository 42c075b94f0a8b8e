package lab

import (
	"context"
	"maps"
	"sync"
	"time"

	"coap-for-aws-iot/src/metric"
)

// Stats are the figures of a lab. Counters are named as in metric.Life.
type Stats struct {
	Time      time.Time         `json:"time"` // of the counters
	Life      map[string]uint64 `json:"life"` // all ingestors and functions together
	Ingestors []IngestorStats   `json:"ingestors"`
	Functions []FunctionStats   `json:"functions"`
	Queues    []Depth           `json:"queues"` // as in the plan, without those that do not answer
}

// IngestorStats are those of one ingestor. It goes on counting when the ingestor is
// started again, but for what happened in the last second before it was killed.
type IngestorStats struct {
	Name     string            `json:"name"`
	Up       bool              `json:"up"`
	Counters map[string]uint64 `json:"counters"` // received, accepted, stored, acked, fallback_bundles, fallback_stored
	// QueueDown and FallbackDown say that the ingestor's breaker for its region's queue,
	// or for the other region's, is open.
	QueueDown    bool `json:"queueDown"`
	FallbackDown bool `json:"fallbackDown"`
}

// FunctionStats are those of one function.
type FunctionStats struct {
	Name        string            `json:"name"`
	Paused      bool              `json:"paused"`
	Containers  int               `json:"containers"`
	Invocations Invocations       `json:"invocations"`
	Messages    Deliveries        `json:"messages"`
	Counters    map[string]uint64 `json:"counters"` // forwarded, applied
}

// sampleEvery is how often the counters of the ingestors are looked at.
const sampleEvery = time.Second

// answerLimit is how long the page waits for an answer: a service that hangs is one
// that does not answer.
const answerLimit = time.Second

// Stats asks the ingestors and the queues for their figures, for a second at most. An
// ingestor that does not answer keeps its last ones.
func (l *Lab) Stats(ctx context.Context) Stats {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	stats := Stats{Life: map[string]uint64{}}
	depths := make([]Depth, len(l.plan.Queues))
	errs := make([]error, len(l.plan.Queues))
	var asking sync.WaitGroup
	for i, q := range l.plan.Queues {
		asking.Go(func() { depths[i], errs[i] = l.depth(ctx, q) })
	}
	l.sample(ctx)
	stats.Time = time.Now()
	asking.Wait()
	for _, in := range l.plan.Ingestors {
		figures := IngestorStats{Name: in.Name, Up: l.children[in.Name].isUp()}
		l.mu.Lock()
		figures.Counters = l.tallies[in.Name].total()
		if figures.Up {
			figures.QueueDown, figures.FallbackDown = l.readings[in.Name].queueDown, l.readings[in.Name].fallbackDown
		}
		l.mu.Unlock()
		stats.Ingestors = append(stats.Ingestors, figures)
	}
	for _, f := range l.plan.Functions {
		stats.Functions = append(stats.Functions, l.mappings[f.Name].snapshot())
	}
	for i := range depths {
		if errs[i] == nil {
			stats.Queues = append(stats.Queues, depths[i])
		}
	}
	for _, name := range metric.Life {
		for _, in := range stats.Ingestors {
			stats.Life[name] += in.Counters[name]
		}
		for _, f := range stats.Functions {
			stats.Life[name] += f.Counters[name]
		}
	}
	return stats
}

// sample looks at the counters of all ingestors, one look at a time: an older answer after
// a newer one would pass for a new process.
func (l *Lab) sample(ctx context.Context) {
	l.sampling.Lock()
	defer l.sampling.Unlock()
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	var asking sync.WaitGroup
	for _, in := range l.plan.Ingestors {
		asking.Go(func() {
			r, err := readMetrics(ctx, l.client, in.Admin)
			if err != nil {
				return // it is down, which its supervisor says
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.tallies[in.Name].see(r.counters)
			l.readings[in.Name] = r
		})
	}
	asking.Wait()
}

// snapshot returns the figures of a function.
func (m *mapping) snapshot() FunctionStats {
	invocations, containers := m.lambda.snapshot()
	messages := m.poller.snapshot()
	m.mu.Lock()
	defer m.mu.Unlock()
	return FunctionStats{
		Name: m.lambda.spec.Name, Paused: m.paused, Containers: containers,
		Invocations: invocations, Messages: messages, Counters: maps.Clone(m.counters),
	}
}
