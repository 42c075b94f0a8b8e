package ingestor

import (
	"context"
	"io"
	"slices"
	"time"

	"coap-for-aws-iot/src/metric"
)

// exportEvery is the resolution of alarms.
const exportEvery = time.Minute

// unavailableFor are the reasons of a 5.03.
var unavailableFor = []string{reasonNotReady, reasonFull, reasonUnconfirmed}

// exported is what reaches CloudWatch, and from which of the metrics for Prometheus it is
// read: the sum over its labels, or over those reasons, or over all but those.
var exported = []struct {
	name    string
	unit    string
	family  string
	gauge   bool // as it is; otherwise what was added since the last line
	reasons []string
	but     []string
}{
	{name: metric.Received, unit: "Count", family: metric.Counter(metric.Received)},
	{name: metric.Accepted, unit: "Count", family: metric.Counter(metric.Accepted)},
	{name: metric.Stored, unit: "Count", family: metric.Counter(metric.Stored)},
	{name: metric.Acked, unit: "Count", family: metric.Counter(metric.Acked)},
	{name: metric.Duplicates, unit: "Count", family: metric.Counter(metric.Duplicates)},
	{name: metric.Refused, unit: "Count", family: metric.Counter(metric.Refused), but: unavailableFor},
	{name: metric.Unavailable, unit: "Count", family: metric.Counter(metric.Refused), reasons: unavailableFor},
	{name: metric.Unconfirmed, unit: "Count", family: metric.Counter(metric.Refused), reasons: []string{reasonUnconfirmed}},
	{name: metric.Unsent, unit: "Count", family: metric.Counter(metric.Unsent)},
	{name: metric.KernelDrops, unit: "Count", family: metric.Counter(metric.KernelDrops)},
	{name: metric.FallbackBundles, unit: "Count", family: metric.Counter(metric.FallbackBundles)},
	{name: metric.FallbackStored, unit: "Count", family: metric.Counter(metric.FallbackStored)},
	{name: metric.QueueDown, unit: "Count", family: metric.Gauge(metric.QueueDown), gauge: true},
	{name: metric.FallbackDown, unit: "Count", family: metric.Gauge(metric.FallbackDown), gauge: true},
	{name: metric.ClockUnsynchronised, unit: "Count", family: metric.Gauge(metric.ClockUnsynchronised), gauge: true},
	{name: metric.QueueHeldBytes, unit: "Bytes", family: metric.Gauge(metric.QueueHeldBytes), gauge: true},
}

// An exporter writes an ingestor's metrics as lines of a log that CloudWatch reads. One
// goroutine at a time uses it.
type exporter struct {
	in      *Ingestor
	log     io.Writer
	dropped func() uint64 // lines that the log has lost
	last    map[string]float64
}

func newExporter(in *Ingestor, log io.Writer, dropped func() uint64) *exporter {
	return &exporter{in: in, log: log, dropped: dropped, last: map[string]float64{}}
}

// run writes a line once a minute until ctx is done.
func (x *exporter) run(ctx context.Context) {
	ticker := time.NewTicker(exportEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			x.write(time.Now())
		}
	}
}

// write writes a line. Each event is counted in one of them.
func (x *exporter) write(now time.Time) {
	families, err := x.in.metrics.registry.Gather()
	if err != nil {
		x.in.log.Error("read the metrics", "error", err)
	}
	values := make([]metric.Value, 0, len(exported)+1)
	for _, e := range exported {
		n := 0.0
		for _, family := range families {
			if family.GetName() != e.family {
				continue
			}
			for _, m := range family.GetMetric() {
				reason := ""
				if labels := m.GetLabel(); len(labels) > 0 {
					reason = labels[0].GetValue()
				}
				if (e.reasons == nil || slices.Contains(e.reasons, reason)) && !slices.Contains(e.but, reason) {
					n += m.GetCounter().GetValue() + m.GetGauge().GetValue() // one of them is nil, and 0
				}
			}
		}
		if !e.gauge {
			n = x.since(e.name, n)
		}
		values = append(values, metric.Value{Name: e.name, Unit: e.unit, N: n})
	}
	values = append(values, metric.Value{Name: metric.LogDropped, Unit: "Count", N: x.since(metric.LogDropped, float64(x.dropped()))})
	if err := metric.Log(x.log, now, metric.Dimension{Name: metric.DimensionIngestor, Value: x.in.cfg.Name}, values...); err != nil {
		x.in.log.Error("write the metrics", "error", err)
	}
}

// since returns how much a counter has grown since it was last asked for.
func (x *exporter) since(name string, n float64) float64 {
	grown := n - x.last[name]
	x.last[name] = n
	return grown
}
