package replicator

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"coap-for-aws-iot/src/metric"
)

// An event of any kind exports all of metric.Replicator, and nothing else: alarms name
// metrics from that list.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.aws.Close()
		w.put(bundle, nil)
		w.run()
		got := slices.Sorted(maps.Keys(w.counts()))
		if want := slices.Sorted(slices.Values(metric.Replicator)); !slices.Equal(got, want) {
			t.Errorf("exported %q, metric.Replicator says %q", got, want)
		}
	})
}
