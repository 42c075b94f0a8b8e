package lab

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"coap-for-aws-iot/src/metric"
)

// ingestorCounters are the steps of a report's life that an ingestor counts, and what of
// them went by way of the other region.
var ingestorCounters = []string{
	metric.Received, metric.Accepted, metric.Stored, metric.Acked,
	metric.FallbackBundles, metric.FallbackStored,
}

// A reading is what an ingestor's admin endpoint says.
type reading struct {
	counters                map[string]uint64 // ingestorCounters
	queueDown, fallbackDown bool
}

// readMetrics asks an ingestor's admin endpoint for a reading.
func readMetrics(ctx context.Context, client *http.Client, admin netip.AddrPort) (*reading, error) {
	response, err := get(ctx, client, admin, "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read %s/metrics: %w", admin, err)
	}
	r := &reading{counters: map[string]uint64{}}
	for _, name := range ingestorCounters {
		total := 0.0
		for _, m := range families[metric.Counter(name)].GetMetric() { // whatever their labels
			total += m.GetCounter().GetValue()
		}
		r.counters[name] = uint64(total)
	}
	down := func(name string) bool {
		m := families[metric.Gauge(name)].GetMetric()
		return len(m) > 0 && m[0].GetGauge().GetValue() == 1
	}
	r.queueDown, r.fallbackDown = down(metric.QueueDown), down(metric.FallbackDown)
	return r, nil
}

// checkHealth asks an ingestor's admin endpoint whether it can do its work.
func checkHealth(ctx context.Context, client *http.Client, admin netip.AddrPort) error {
	response, err := get(ctx, client, admin, "/healthz")
	if err != nil {
		return err
	}
	response.Body.Close()
	return nil
}

func get(ctx context.Context, client *http.Client, admin netip.AddrPort, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin.String()+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("%s%s answers %s", admin, path, response.Status)
	}
	return response, nil
}

// A tally adds up the counters of a process that may be started again and then counts
// from 0. What a process counted between the last look at it and its end is missing.
type tally struct {
	before map[string]uint64 // of the processes that have ended
	last   map[string]uint64 // of the one that runs
}

// see takes the counters of the process that runs.
func (t *tally) see(counters map[string]uint64) {
	if t.before == nil {
		t.before = map[string]uint64{}
	}
	for name, n := range counters {
		if n < t.last[name] { // a new process
			for name, n := range t.last {
				t.before[name] += n
			}
			break
		}
	}
	t.last = counters
}

// total returns the counters of all processes.
func (t *tally) total() map[string]uint64 {
	total := map[string]uint64{}
	for _, name := range ingestorCounters {
		total[name] = t.before[name] + t.last[name]
	}
	return total
}
