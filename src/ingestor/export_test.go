package ingestor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"coap-for-aws-iot/src/cloudwatch"
	"coap-for-aws-iot/src/environ"
	"coap-for-aws-iot/src/metric"
)

// lines passes on what is written, each write one line.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// Each event is in exactly one line, each fault shows, and the names are those that alarms
// may read.
func TestExport(t *testing.T) {
	var unset atomic.Bool
	inWorld(t, func(c *Config) { c.Clock.Synchronised = func() bool { return !unset.Load() } }, func(w *world) {
		t := w.t
		out := make(lines, 10)
		var lost atomic.Uint64
		x := newExporter(w.in, out, lost.Load)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { x.run(ctx); close(ended) }()
		line := func() map[string]float64 {
			t.Helper()
			synctest.Wait()
			if len(out) != 1 {
				t.Fatalf("%d lines, want 1", len(out))
			}
			text := <-out
			of, values, ok := metric.ParseLog([]byte(text))
			if !ok || of != (metric.Dimension{Name: metric.DimensionIngestor, Value: "use1-a"}) {
				t.Fatalf("not a line of metrics of this ingestor: %s", text)
			}
			if names := slices.Sorted(maps.Keys(values)); !slices.Equal(names, slices.Sorted(slices.Values(metric.Ingestor))) {
				t.Errorf("metrics %q are not metric.Ingestor", names)
			}
			return values
		}
		expect := func(got map[string]float64, want map[string]float64) {
			t.Helper()
			for _, name := range metric.Ingestor {
				if got[name] != want[name] {
					t.Errorf("%s is %v, want %v", name, got[name], want[name])
				}
			}
		}
		w.device.send(con(1, "th/a1", "x"))
		time.Sleep(time.Second)
		w.device.send(con(1, "th/a1", "x")) // again
		w.device.send(con(2, "th", "x"))    // no such path
		time.Sleep(time.Minute - time.Second)
		expect(line(), map[string]float64{metric.Received: 3, metric.Accepted: 1, metric.Stored: 1, metric.Acked: 1, metric.Duplicates: 1, metric.Refused: 1})

		time.Sleep(time.Minute)
		expect(line(), nil)

		unset.Store(true)
		lost.Store(7)
		w.sqs.set(func(f *fakeSQS) { f.before = errors.New("down") })
		w.device.send(con(3, "th/a1", "y"))
		time.Sleep(time.Minute)
		expect(line(), map[string]float64{
			metric.Received: 1, metric.Accepted: 1, metric.Unavailable: 1, metric.Unconfirmed: 1,
			metric.ClockUnsynchronised: 1, metric.LogDropped: 7,
		})
		cancel()
		<-ended
	})
}

// The daemon's log and its metrics reach CloudWatch, the last lines too, and standard
// output has what it always had.
func TestLogGroup(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	e := environ.New([]string{"COAP_NAME=use1-a", "AWS_REGION=r", "COAP_QUEUE_URL=http://127.0.0.1:1/r/1/q", "COAP_DEDUP_MIB=1",
		"COAP_LISTEN=127.0.0.1:0", "COAP_ADMIN=127.0.0.1:0", "COAP_LOG_GROUP=/coap/ingestor"})
	cfg := FromEnviron(e)
	if err := e.ErrStrict(); err != nil || cfg.LogGroup != "/coap/ingestor" {
		t.Fatal(cfg.LogGroup, err)
	}
	for _, tt := range []struct {
		name   string
		listen string
		want   []string // messages on standard output
		ok     bool
	}{
		{"served", "127.0.0.1:0", []string{"listening", "stopping", "stopped"}, true},
		{"could not start", "192.0.2.1:1", []string{"the ingestor ends"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := cfg
			cfg.Listen = []string{tt.listen}
			var mu sync.Mutex // guards the following
			var sent []string
			put := func(_ context.Context, events []cloudwatch.Event) (int, error) {
				mu.Lock()
				defer mu.Unlock()
				for _, e := range events {
					sent = append(sent, e.Line)
				}
				return 0, nil
			}
			var stdout bytes.Buffer
			ctx, stop := context.WithCancel(t.Context())
			stop() // it serves all the same, and drains
			if err := run(ctx, cfg, &stdout, put); (err == nil) != tt.ok {
				t.Error(err)
			}
			var said []string
			for line := range strings.Lines(stdout.String()) {
				var record struct {
					Msg, Ingestor string
					ReceiveBuffer int `json:"receive_buffer"`
				}
				if err := json.Unmarshal([]byte(line), &record); err != nil || record.Ingestor != "use1-a" {
					t.Errorf("%s: %v", line, err)
				}
				said = append(said, record.Msg)
				if record.Msg == "listening" && runtime.GOOS == "linux" && record.ReceiveBuffer == 0 {
					t.Errorf("%s: of no receive buffer", line)
				}
				if !slices.Contains(sent, strings.TrimSuffix(line, "\n")) {
					t.Errorf("%s is not in CloudWatch", line)
				}
			}
			if !slices.Equal(said, tt.want) {
				t.Errorf("said %q, want %q", said, tt.want)
			}
			metrics := 0
			for _, line := range sent {
				if _, _, ok := metric.ParseLog([]byte(line)); ok {
					metrics++
				}
			}
			if want := map[bool]int{true: 1, false: 0}[tt.ok]; metrics != want {
				t.Errorf("%d lines of metrics, want %d", metrics, want)
			}
		})
	}
}
