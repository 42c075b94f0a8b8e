package lab

import (
	"reflect"
	"testing"
)

// The counters of an ingestor go on when it is started again.
func TestTally(t *testing.T) {
	var ingestor tally
	for _, counters := range []map[string]uint64{
		{"received": 5, "accepted": 5, "stored": 3, "acked": 3},
		{"received": 9, "accepted": 8, "stored": 8, "acked": 8},
		{"received": 2, "accepted": 1, "stored": 0, "acked": 0}, // a new process
		{"received": 9, "accepted": 9, "stored": 9, "acked": 9},
		{"received": 9, "accepted": 9, "stored": 9, "acked": 1}, // and another
	} {
		ingestor.see(counters)
	}
	want := map[string]uint64{"received": 27, "accepted": 26, "stored": 26, "acked": 18, "fallback_bundles": 0, "fallback_stored": 0}
	if got := ingestor.total(); !reflect.DeepEqual(got, want) {
		t.Errorf("total %v, want %v", got, want)
	}
	if got := new(tally).total()["acked"]; got != 0 {
		t.Errorf("a tally that has seen nothing: %d", got)
	}
}
