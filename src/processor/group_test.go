package processor

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/metric"
)

// largestEvent returns an event as large as Lambda hands on, 6 MB, in which as many things
// say what a report holds.
func largestEvent(things int, like envelope.Report) events.SQSEvent {
	var event events.SQSEvent
	n := 0
	for size := 0; size < 5_900_000; {
		body := envelope.AppendHeader(nil, envelope.Origin{Ingestor: "use1-a", Region: "us-east-1"})
		for len(body) < envelope.MaxBundle-2<<10 {
			r := by(fmt.Sprint("x", n%things), like)
			r.Received += int64(n)
			body = envelope.AppendReport(body, &r)
			n++
		}
		size += len(body) + bytes.Count(body, []byte{'"'}) + bytes.Count(body, []byte{'\\'}) // as JSON
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: strconv.Itoa(len(event.Records)), Body: string(body),
			Attributes: map[string]string{"SentTimestamp": strconv.FormatInt(bubbleTime+day, 10), "ApproximateReceiveCount": "1"},
		})
	}
	return event
}

// The bound that Processor states holds for events that were made to break it, while the
// calls of AWS IoT hang, but for the first of them.
func TestMemoryOfTheLargestEvent(t *testing.T) {
	const maxEvent = 81_000_000
	maps := says(bubbleTime, "\x99\x01\x78"+strings.Repeat("\xa1\x60\x01", 376))
	maps.Format = formatCBOR
	small := says(bubbleTime, "1")
	small.Type, small.Format = "t", envelope.NoFormat
	for _, tt := range []struct {
		name   string
		things int
		like   envelope.Report
	}{
		{"maps in CBOR, one thing", 1, maps},
		{"maps in CBOR, as many things as are worked on", maxThings, maps},
		{"maps in JSON", maxThings, says(bubbleTime, "["+strings.Repeat(`{"":1},`, 162)+"1]")},
		{"small", 100_000, small},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.aws.Close()
			w.useTransport(&hanging{next: w.aws.Transport(), left: 60})
			event := largestEvent(tt.things, tt.like)
			before := liveHeap()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var handler sync.WaitGroup
			handler.Go(func() { w.p.Handle(ctx, event) })
			synctest.Wait() // until all hangs
			got := liveHeap() - before
			t.Logf("%s: %d MB", tt.name, got/1_000_000)
			if got > maxEvent {
				t.Errorf("%s: %d MB, want %d at most", tt.name, got/1_000_000, maxEvent/1_000_000)
			}
			cancel()
			handler.Wait()
		})
	}
}

func liveHeap() int64 {
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc)
}

// A hanging transport answers some calls, and then none.
type hanging struct {
	next http.RoundTripper

	mu   sync.Mutex // guards the following
	left int
}

func (h *hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	h.left--
	hangs := h.left < 0
	h.mu.Unlock()
	if hangs {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return h.next.RoundTrip(r)
}

func TestNextGroup(t *testing.T) {
	sized := func(n int) *report { return &report{source: envelope.Report{Payload: make([]byte, n)}} }
	var small []*report
	for range 1000 {
		small = append(small, sized(0))
	}
	for _, tt := range []struct {
		name    string
		reports []*report
		want    int
	}{
		{"one", []*report{sized(1152)}, 1},
		{"one that is larger than a group", []*report{sized(2 * maxGroupBytes), sized(1)}, 1},
		{"two that fit", []*report{sized(maxGroupBytes/2 - reportBytes), sized(maxGroupBytes/2 - reportBytes), sized(0)}, 2},
		{"without payload", small, maxGroupBytes / reportBytes},
	} {
		if got, bytes := nextGroup(tt.reports); got != tt.want || got > 1 && bytes > maxGroupBytes {
			t.Errorf("%s: %d reports, %d bytes, want %d reports", tt.name, got, bytes, tt.want)
		}
	}
}

// One thing has so much to say that it is decoded in groups: the result is the same, and
// trouble of one group is not looked for again in the next.
func TestGroups(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.send(says(bubbleTime, `{"t":0}`))
		w.run()
		w.counts()
		const n = 300 // of 1.1 KB, and 30 are a group
		var reports []envelope.Report
		for i := range n {
			reports = append(reports, says(bubbleTime+int64(n-i), fmt.Sprintf(`{"f%d":%d,"t":%d,"x":%q}`, i%7, i, n-i, strings.Repeat("x", 1000))))
		}
		flaky := &failing{next: w.aws.Transport(), path: "/things/a1/", on: true}
		w.useTransport(flaky)
		w.send(by("other", says(bubbleTime, `{"t":1}`)))
		for part := range slices.Chunk(reports, 50) {
			w.send(part...)
		}
		w.run()
		// Of a1: as many tries as one read has. Of the other: what a new thing costs.
		if counts := w.counts(); counts[metric.Calls] != maxTries+5 || counts[metric.Resent] != n || counts[metric.Applied] != 1 {
			t.Errorf("while a1 fails: %v", counts)
		}
		flaky.on = false
		time.Sleep(10 * time.Second)
		w.run()
		want := fmt.Sprintf(`{"f0":0,"f1":1,"f2":2,"f3":3,"f4":4,"f5":5,"f6":6,"t":%d,"x":%q}`, n, strings.Repeat("x", 1000))
		w.expect("a1", want)
		w.expectDead("")
		if counts := w.counts(); counts[metric.Calls] != 1+10 {
			t.Errorf("a read and ten writes: %v", counts)
		}
	})
}

// A report that is larger than all that is decoded at a time has its turn, too: no ingestor
// sends one, but who writes to the queue by hand may.
func TestHugeReport(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.send(says(bubbleTime, `{"t":"`+strings.Repeat("x", maxDecodedBytes)+`"}`), by("b1", says(bubbleTime, `{"t":1}`)))
		w.run()
		w.expect("b1", `{"t":1}`)
		w.expectDead("too-large")
	})
}
