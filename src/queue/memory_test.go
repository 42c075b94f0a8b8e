package queue

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"coap-for-aws-iot/src/envelope"
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

// silence is an SQS that hears all and answers nothing.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A sender that is full holds what the comment of maxHeld says at most, with what the SDK
// makes of its loads, whatever the reports are.
func TestMemory(t *testing.T) {
	shortest := &envelope.Report{Received: 1763840000123, From: netip.MustParseAddrPort("1.2.3.4:5"), Confirmable: true, Type: "t", ID: "i", Format: envelope.NoFormat}
	long := func(payload string) *envelope.Report {
		r := *shortest
		r.Payload = []byte(strings.Repeat(payload, 1152/len(payload)))
		return &r
	}
	if n := len(envelope.AppendReport(nil, shortest)); n != 79 {
		t.Errorf("the shortest report has %d bytes, and the arithmetic takes it for 79", n)
	}
	for _, tt := range []struct {
		name     string
		report   *envelope.Report
		fallback bool
		most     int // bytes
	}{
		{"the shortest, one queue", shortest, false, 36 << 20},
		{"the shortest, two queues", shortest, true, 53 << 20},
		{"quotes, one queue", long(`"`), false, 36 << 20},
		{"quotes, two queues", long(`"`), true, 53 << 20},
		{"base64, two queues", long("\x00"), true, 53 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := aws.Config{HTTPClient: &http.Client{Transport: silence{}}, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")}
				o := Options{Queue: At(cfg, "us-east-1", "https://sqs.us-east-1.amazonaws.com/123456789012/reports"), Origin: envelope.Origin{Ingestor: "a", Region: "r"}, Log: slog.New(slog.DiscardHandler)}
				if tt.fallback {
					o.Fallback = At(cfg, "eu-west-1", "https://sqs.eu-west-1.amazonaws.com/123456789012/reports")
				}
				s := NewSender(o)
				ctx, stop := context.WithCancel(t.Context())
				done := func(error) {}
				before, n := inUse(), 0
				for s.Put(tt.report, done) == nil {
					n++
				}
				waiting := inUse() - before
				ran := make(chan struct{})
				go func() { s.Run(ctx); close(ran) }()
				time.Sleep(2 * hedgeAfter)
				flying := inUse() - before
				t.Logf("%d reports: %d KiB waiting, %d KiB in flight", n, waiting>>10, flying>>10)
				if held := s.Stats().HeldBytes; waiting > maxHeld*101/100 || held > maxHeld || held < maxHeld*9/10 {
					t.Errorf("%d bytes waiting, %d by the sender's account", waiting, held)
				}
				if n > 172_000 {
					t.Errorf("%d reports", n)
				}
				if flying > tt.most {
					t.Errorf("%d bytes in flight", flying)
				}
				stop()
				<-ran
			})
		})
	}
}
