package canary

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/metric"
)

// Each endpoint is judged by itself: what one does hides nothing of the others.
func TestProbe(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name  string
		host  *host
		found map[string][2]float64 // by name, from and to
		said  string
	}{
		{"well", &host{code: codes.Changed, delay: 80 * ms, lag: 100 * ms},
			map[string][2]float64{"answered": {1, 1}, "round_trip": {80, 80}, "arrived": {1, 1}, "end_to_end": {180, 500}}, ""},
		{"a shadow that lags", &host{code: codes.Changed, delay: 80 * ms, lag: 12 * time.Second},
			map[string][2]float64{"answered": {1, 1}, "round_trip": {80, 80}, "arrived": {1, 1}, "end_to_end": {12_080, 14_100}}, ""},
		{"a shadow that is too late", &host{code: codes.Changed, delay: 80 * ms, lag: 21 * time.Second},
			map[string][2]float64{"answered": {1, 1}, "round_trip": {80, 80}, "arrived": {0, 0}}, "it has no shadow"},
		{"a report that is lost", &host{code: codes.Changed, lag: -1},
			map[string][2]float64{"answered": {1, 1}, "round_trip": {0, 0}, "arrived": {0, 0}}, "it has no shadow"},
		{"a shadow in the wrong region", &host{code: codes.Changed, region: secondary},
			map[string][2]float64{"answered": {1, 1}, "round_trip": {0, 0}, "arrived": {0, 0}}, "it has no shadow"},
		{"a report of somebody else's", &host{code: codes.Changed, write: func(string) string { return `{"nonce":"guessed","sent":"2026-01-02T03:04:05Z"}` }},
			map[string][2]float64{"answered": {1, 1}, "round_trip": {0, 0}, "arrived": {0, 0}}, "2026-01-02T03:04:05Z"},
		{"one datagram is lost", &host{code: codes.Changed, lose: 1},
			map[string][2]float64{"answered": {1, 1}, "round_trip": {0, 0}, "arrived": {1, 1}, "end_to_end": {2_000, 4_000}}, ""},
		{"nobody", nil, map[string][2]float64{"answered": {0, 0}}, "silence"},
		{"deaf", &host{}, map[string][2]float64{"answered": {0, 0}}, "silence"},
		{"no queue confirms", &host{code: codes.ServiceUnavailable}, map[string][2]float64{"answered": {0, 0}}, "5.03"},
		{"the type is not allowed", &host{code: codes.NotFound}, map[string][2]float64{"answered": {0, 0}}, "4.04"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.listen("use1-a", "192.0.2.1:5683", &host{code: codes.Changed})
				w.listen("euw1-a", "192.0.2.2:5683", tt.host)
				w.listen("use1-b", "192.0.2.3:5683", &host{code: codes.Changed})
				w.start(w.aws.Transport())
				begun := time.Now()
				found := w.invoke(50 * time.Second)
				if d := time.Since(begun); d > 30*time.Second {
					t.Errorf("took %v", d)
				}
				for _, e := range []string{"use1-a", "use1-b"} {
					if found["endpoint "+e+" answered"] != 1 || found["endpoint "+e+" arrived"] != 1 || strings.Contains(w.log.String(), e) {
						t.Errorf("its neighbour %s: %v\n%s", e, found, &w.log)
					}
				}
				if n, ok := found["service canary untouched"]; !ok || n != 0 {
					t.Errorf("untouched %v", n)
				}
				for _, name := range metric.Canary {
					n, ok := found["endpoint euw1-a "+name]
					want, wanted := tt.found[name]
					if ok != wanted || n < want[0] || n > want[1] {
						t.Errorf("%s is %v (%v), want %v", name, n, ok, want)
					}
				}
				if tt.said == "" && w.log.Len() > 0 || !strings.Contains(w.log.String(), tt.said) {
					t.Errorf("said %q, want %q", &w.log, tt.said)
				}
			})
		})
	}
}

// A warm canary goes on, each time with a report that only it can know.
func TestAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		var reports []string
		w.listen("use1-a", "192.0.2.1:5683", &host{code: codes.Changed, write: func(r string) string { reports = append(reports, r); return r }})
		w.start(w.aws.Transport())
		for range 3 {
			found := w.invoke(50 * time.Second)
			if found["endpoint use1-a arrived"] != 1 {
				t.Fatalf("%v\n%s", found, &w.log)
			}
			time.Sleep(time.Minute)
		}
		if slices.Sort(reports); len(slices.Compact(reports)) != 3 {
			t.Errorf("reports %q", reports)
		}
	})
}

// Whatever AWS does, the canary returns in time and says what it knows.
func TestAWSFails(t *testing.T) {
	answered := map[string]float64{"service canary untouched": 0, "endpoint use1-a answered": 1, "endpoint use1-a arrived": 0}
	for _, tt := range []struct {
		name string
		path string // that hangs
		dead string // service that is dead, in both regions
		lag  time.Duration
		want map[string]float64
		said string
	}{
		{"AWS IoT hangs", "/things/", "", 0, answered, "read its shadow"},
		{"AWS IoT is dead", "", "iot-data", -1, answered, "read its shadow"},
		{"SQS is dead", "", "sqs", 0, map[string]float64{"service canary untouched": 2, "endpoint use1-a answered": 1, "endpoint use1-a arrived": 1}, "read attributes of a queue"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.listen("use1-a", "192.0.2.1:5683", &host{code: codes.Changed, lag: tt.lag})
				if tt.path != "" {
					w.start(hanging{w.aws.Transport(), tt.path})
				} else {
					w.start(w.aws.Transport())
					for _, region := range []string{primary, secondary} {
						if _, err := w.aws.AddFault(local.Fault{Region: region, Service: tt.dead, Kind: local.Dead}); err != nil {
							t.Fatal(err)
						}
					}
				}
				found := w.invoke(15 * time.Second)
				for name, want := range tt.want {
					if n, ok := found[name]; !ok || n != want {
						t.Errorf("%s is %v, want %v of %q", name, n, want, slices.Sorted(maps.Keys(found)))
					}
				}
				if !strings.Contains(w.log.String(), tt.said) {
					t.Errorf("said %s", &w.log)
				}
			})
		})
	}
}

// One failure on the way to a queue is none of the queue's.
func TestTouchAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.listen("use1-a", "192.0.2.1:5683", &host{code: codes.Changed})
		w.start(w.aws.Transport())
		if _, err := w.aws.AddFault(local.Fault{Region: secondary, Operation: "GetQueueAttributes", Kind: local.Error, Times: 1}); err != nil {
			t.Fatal(err)
		}
		if found := w.invoke(50 * time.Second); found["service canary untouched"] != 0 {
			t.Errorf("%v\n%s", found, &w.log)
		}
	})
}

// The names are those that alarms may read.
func TestNames(t *testing.T) {
	inWorld(t, func(w *world) {
		w.listen("use1-a", "192.0.2.1:5683", &host{code: codes.Changed})
		w.start(w.aws.Transport())
		var names []string
		for name := range w.invoke(50 * time.Second) {
			names = append(names, name[strings.LastIndex(name, " ")+1:])
		}
		slices.Sort(names)
		if want := slices.Sorted(slices.Values(slices.Concat(metric.Canary, metric.CanaryService))); !slices.Equal(names, want) {
			t.Errorf("metrics %q, want %q", names, want)
		}
	})
}

// Where nothing says where AWS IoT's data plane is, the primary region is asked, once.
func TestDescribeEndpoint(t *testing.T) {
	inWorld(t, func(w *world) {
		w.listen("use1-a", "192.0.2.1:5683", &host{code: codes.Changed})
		w.listen("use1-b", "192.0.2.2:5683", &host{code: codes.Changed})
		w.start(w.aws.Transport())
		asked := &asked{next: w.aws.Transport()}
		c := w.wire(secondary, asked)
		c.BaseEndpoint = nil
		w.canary.shadows = newShadows(w.config, c)
		for range 2 {
			if found := w.invoke(50 * time.Second); found["endpoint use1-a arrived"] != 1 || found["endpoint use1-b arrived"] != 1 {
				t.Fatalf("%v\n%s", found, &w.log)
			}
		}
		if want := []string{"iot.us-east-1.amazonaws.com"}; !slices.Equal(asked.hosts, want) {
			t.Errorf("asked %q, want %q", asked.hosts, want)
		}
	})
}
