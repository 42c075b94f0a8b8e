package queue

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// inUse is how much memory is reachable.
func inUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A sender that was full, and has nothing any more, holds no memory.
func TestNothingStays(t *testing.T) {
	for _, tt := range []struct {
		name string
		sqs  *fakeSQS
	}{
		{"sent", &fakeSQS{delay: time.Millisecond, fail: "x"}},
		{"too late", &fakeSQS{delay: time.Hour}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, tt.sqs, Options{}, func(s *Sender, put func(string) error) {
				r, done := report(strings.Repeat("x", 1100)), func(error) {}
				before := inUse()
				for s.Put(r, done) == nil {
				}
				if grown := inUse() - before; grown < maxHeld*9/10 {
					t.Fatalf("a full sender holds %d bytes", grown)
				}
				time.Sleep(time.Second)
				if grown := inUse() - before; grown > maxHeld/16 {
					t.Errorf("an empty sender holds %d bytes more than before", grown)
				}
				runtime.KeepAlive(s)
			})
		})
	}
}
