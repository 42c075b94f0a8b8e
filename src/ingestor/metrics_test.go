package ingestor

import (
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"coap-for-aws-iot/src/udp"
)

// A full socket has dropped what it was sent, and refuses the first packet of each batch.
type full struct{ udp.Socket }

func (full) Drops() uint64 { return 7 }

func (f full) WriteBatch(packets []udp.Packet) (int, error) { return f.Socket.WriteBatch(packets[1:]) }

// Each number is of what its name says.
func TestMetrics(t *testing.T) {
	hangs := func(f *fakeSQS) { f.delay = time.Hour }
	fails := func(f *fakeSQS) { f.before = errors.New("down") }
	fine := func(*fakeSQS) {}
	for _, tt := range []struct {
		name       string
		own, other func(*fakeSQS)
		full       bool
		send       [][]byte // a tenth of a second between two
		counters   map[string]float64
		gauges     map[string]float64
		held       bool
	}{
		{
			name: "stored", own: fine, other: fine,
			send: [][]byte{con(1, "th/a1", "x"), con(2, "th/a1", "y")},
			counters: map[string]float64{"coap_accepted_total": 2, "coap_stored_total": 2, "coap_acked_total": 2, "coap_unsent_total": 0,
				"coap_kernel_drops_total": 0, "coap_fallback_stored_total": 0},
			gauges: map[string]float64{"coap_queue_down": 0, "coap_fallback_down": 0},
		},
		{ // a report is acked, too, whose sender did not want to hear so
			name: "answers that are declined", own: fine, other: fine,
			send:     [][]byte{con(1, "th/a1!\x1a", "x"), non(2, "th/a1!\x1a", "y")},
			counters: map[string]float64{"coap_stored_total": 2, "coap_acked_total": 2, "coap_unsent_total": 0},
		},
		{
			name: "the kernel is full", own: fine, other: fine, full: true,
			send:     [][]byte{con(1, "th/a1", "x"), con(2, "th", "y")},
			counters: map[string]float64{"coap_stored_total": 1, "coap_acked_total": 0, "coap_unsent_total": 2, "coap_kernel_drops_total": 7},
		},
		{
			name: "no answer from either queue", own: hangs, other: hangs,
			send:     [][]byte{con(1, "th/a1", "x")},
			counters: map[string]float64{"coap_accepted_total": 1, "coap_stored_total": 0, "coap_acked_total": 0},
			gauges:   map[string]float64{"coap_queue_calls_in_flight": 1},
			held:     true,
		},
		{
			name: "this region's queue is down", own: fails, other: fine,
			send:     [][]byte{con(1, "th/a1", "x"), con(2, "th/a1", "y"), con(3, "th/a1", "z"), con(4, "th/a1", "z")},
			counters: map[string]float64{"coap_stored_total": 4, "coap_acked_total": 4, "coap_fallback_stored_total": 4},
			gauges:   map[string]float64{"coap_queue_down": 1, "coap_fallback_down": 0},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			other := &fakeSQS{}
			like := world{other: other}
			if tt.full {
				like.wrap = func(s udp.Socket) udp.Socket { return full{s} }
			}
			inWorldLike(t, like, nil, func(w *world) {
				w.sqs.set(tt.own)
				other.set(tt.other)
				for _, datagram := range tt.send {
					w.device.send(datagram)
					time.Sleep(100 * time.Millisecond)
				}
				for name, want := range tt.counters {
					if n := w.counter(name, ""); n != want {
						t.Errorf("%s is %v, want %v", name, n, want)
					}
				}
				if n := w.gauge("coap_queue_held_bytes"); n != float64(w.in.Stats().HeldBytes) || (n > 0) != tt.held {
					t.Errorf("%v bytes are held", n)
				}
				for name, want := range tt.gauges {
					if n := w.gauge(name); n != want {
						t.Errorf("%s is %v, want %v", name, n, want)
					}
				}
			})
		})
	}
}

// Answers that nobody writes are dropped at last, and counted.
func TestWaitingIsBounded(t *testing.T) {
	socket, err := udp.NewNetwork(nil).Listen(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	in := New(Config{DedupMiB: 1, Clock: Clock{Synchronised: func() bool { return true }}}, []udp.Socket{socket}, nil, nil, slog.New(slog.NewJSONHandler(io.Discard, nil)))
	l := in.listeners[0]
	p := &udp.Packet{Peer: home, Local: endpoint.Addr()}
	for range maxWaiting + 3 {
		l.settled(newExchange(l, p, &l.request, ticket{}, time.Now()), nil)
	}
	w := world{t: t, in: in}
	if n := w.counter("coap_unsent_total", ""); n != 3 || len(l.waiting) != maxWaiting {
		t.Errorf("%d replies wait, %v were dropped, want %d and 3", len(l.waiting), n, maxWaiting)
	}
}
