package ingestor

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/metric"
	"coap-for-aws-iot/src/queue"
)

// metrics are the counters of one ingestor, in a registry of its own.
type metrics struct {
	registry *prometheus.Registry

	received, accepted, stored, acked prometheus.Counter // the life of a report

	duplicates prometheus.Counter
	source     prometheus.Counter               // dropped for where they came from
	refused    [coap.Reasons]prometheus.Counter // by the message layer
	refusals   *prometheus.CounterVec           // all refusals, by reason
	byReason   sync.Map                         // string → prometheus.Counter
	unsent     prometheus.Counter
	latency    prometheus.Histogram
}

// Why a report is told 5.03.
const (
	reasonNotReady    = "not-ready"
	reasonFull        = "sender-full"
	reasonUnconfirmed = "unconfirmed"
)

func newMetrics(in *Ingestor) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: metric.Counter(name), Help: help})
	}
	m := &metrics{
		registry:   prometheus.NewRegistry(),
		received:   counter(metric.Received, "Datagrams that the sockets delivered."),
		accepted:   counter(metric.Accepted, "Reports taken, on their way to the queue."),
		stored:     counter(metric.Stored, "Reports that a queue has confirmed."),
		acked:      counter(metric.Acked, "Stored reports whose 2.04 has left, or was declined."),
		duplicates: counter(metric.Duplicates, "Messages that were recognised as duplicates."),
		unsent:     counter(metric.Unsent, "Replies that the kernel did not take."),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metric.Counter(metric.Refused), Help: "Messages that were not accepted, and reports that were not stored, by reason."}, []string{"reason"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: metric.Gauge("ack_seconds"), Help: "Time from the socket to the 2.04, also where that was declined.",
			Buckets: []float64{.001, .002, .005, .01, .02, .03, .05, .075, .1, .15, .2, .25, .3, .4, .5, .6, .7, 1}}),
	}
	m.source = m.refusals.WithLabelValues("source")
	for reason := range m.refused {
		m.refused[reason] = m.refusals.WithLabelValues(coap.Reason(reason).String())
	}
	sender := func(name, help string, of func(queue.Stats) float64, kind prometheus.ValueType) prometheus.Collector {
		f := func() float64 { return of(in.sender.Stats()) }
		if kind == prometheus.CounterValue {
			return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: metric.Counter(name), Help: help}, f)
		}
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: metric.Gauge(name), Help: help}, f)
	}
	m.registry.MustRegister(
		m.received, m.accepted, m.stored, m.acked, m.duplicates, m.refusals, m.unsent, m.latency,
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: metric.Counter(metric.KernelDrops), Help: "Datagrams that the kernel dropped because nobody read them in time."},
			func() float64 {
				var n uint64
				for _, l := range in.listeners {
					n += l.socket.Drops()
				}
				return float64(n)
			}),
		sender("queue_calls", "Loads of bundles started, each a SendMessageBatch call to this region's queue, to the other's or to both.", func(s queue.Stats) float64 { return float64(s.Calls) }, prometheus.CounterValue),
		sender("queue_bundles", "Bundles in those loads.", func(s queue.Stats) float64 { return float64(s.Bundles) }, prometheus.CounterValue),
		sender("queue_calls_in_flight", "Loads of bundles on their way.", func(s queue.Stats) float64 { return float64(s.InFlight) }, prometheus.GaugeValue),
		sender(metric.QueueHeldBytes, "Bundles held, waiting and in flight.", func(s queue.Stats) float64 { return float64(s.HeldBytes) }, prometheus.GaugeValue),
		sender(metric.FallbackBundles, "Bundles sent to the other region's queue.", func(s queue.Stats) float64 { return float64(s.FallbackBundles) }, prometheus.CounterValue),
		sender(metric.FallbackStored, "Reports that the other region's queue was the first to confirm.", func(s queue.Stats) float64 { return float64(s.FallbackStored) }, prometheus.CounterValue),
		sender(metric.QueueDown, "1 while this region's queue gets only probes.", func(s queue.Stats) float64 { return number(s.QueueDown) }, prometheus.GaugeValue),
		sender(metric.FallbackDown, "1 while the other region's queue gets only probes.", func(s queue.Stats) float64 { return number(s.FallbackDown) }, prometheus.GaugeValue),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: metric.Gauge(metric.ClockUnsynchronised), Help: "1 while the kernel's clock is not synchronised."},
			func() float64 { return number(!in.cfg.Clock.Synchronised()) }),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// refuse counts a refusal; the reasons are a small closed set.
func (m *metrics) refuse(reason string) {
	if reason == "" {
		return
	}
	c, ok := m.byReason.Load(reason)
	if !ok {
		c, _ = m.byReason.LoadOrStore(reason, m.refusals.WithLabelValues(reason))
	}
	c.(prometheus.Counter).Inc()
}
