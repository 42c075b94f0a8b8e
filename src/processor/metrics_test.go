package processor

import (
	"maps"
	"slices"
	"testing"

	"coap-for-aws-iot/src/metric"
)

// An event of any kind exports all of metric.Processor, and nothing else: alarms name
// metrics from that list.
func TestMetrics(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.send(by("x", says(bubbleTime, `{"t":1}`)))
		w.run()
		got := slices.Sorted(maps.Keys(w.counts()))
		if want := slices.Sorted(slices.Values(metric.Processor)); !slices.Equal(got, want) {
			t.Errorf("exported %q, metric.Processor says %q", got, want)
		}
	})
}
