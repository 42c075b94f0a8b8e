package processor

import (
	"errors"
	"maps"
	"slices"
	"time"

	"coap-for-aws-iot/src/metric"
)

// report writes the metrics of the event, and a line to the log if there is anything
// that a person may want to know.
func (s *settlement) report() {
	fates := map[fate]int{}
	behind := 0
	oldest := s.start.UnixMilli()
	for _, m := range s.messages {
		waiting := m.failed
		for _, r := range m.reports {
			fates[r.fate]++
			waiting = waiting || r.fate == retried || r.fate == renewed || r.fate == held
			if r.fate == renewed && errors.Is(r.why, errBookkeeping) {
				s.newer++
			}
			if r.source.Received > 0 && m.FirstSent-r.source.Received > clockTolerance {
				behind++
			}
		}
		if waiting && m.FirstSent > 0 {
			oldest = min(oldest, m.FirstSent)
		}
	}
	total := 0
	for _, n := range s.poison {
		total += n
	}
	if total > 0 {
		var reasons []any
		for _, word := range slices.Sorted(maps.Keys(s.poison)) {
			reasons = append(reasons, string(word), s.poison[word])
		}
		s.p.log.Warn("put reports into the dead-letter queue", reasons...)
	}
	if s.trouble != nil {
		s.p.log.Warn("keep reports for later", "resent", s.resent, "stretched", s.stretched, "error", s.trouble.Error())
	}
	calls, throttled := 0, 0
	for _, service := range s.p.iot.services() {
		c, t := service.takeCounts()
		calls, throttled = calls+c, throttled+t
	}
	count := func(name string, n int) metric.Value { return metric.Value{Name: name, Unit: "Count", N: float64(n)} }
	err := metric.Log(s.p.metrics, time.Now(), metric.Service("processor"),
		count(metric.Applied, fates[applied]),
		count(metric.Superseded, fates[superseded]),
		count(metric.Duplicate, fates[duplicate]),
		count(metric.Poison, total),
		count(metric.Resent, s.resent),
		count(metric.Stretched, s.stretched),
		count(metric.Newer, s.newer),
		count(metric.Calls, calls),
		count(metric.Conflicts, int(s.p.conflicts.Swap(0))),
		count(metric.Throttled, throttled),
		count(metric.Behind, behind),
		metric.Value{Name: metric.OldestWaiting, Unit: "Seconds", N: float64(s.start.UnixMilli()-oldest) / 1000},
	)
	if err != nil {
		s.p.log.Error("write metrics", "error", err.Error())
	}
}

// clockTolerance is how far an ingestor's clock may be behind the queue's until its
// reports are counted, in milliseconds.
const clockTolerance = 10_000
