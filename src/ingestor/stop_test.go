package ingestor

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/udp"
)

// While it stops, an ingestor stores and acknowledges what it has taken and sends
// newcomers to their next endpoint.
func TestDrain(t *testing.T) {
	inWorld(t, func(c *Config) { c.Linger = 400 * time.Millisecond }, func(w *world) {
		w.sqs.set(func(f *fakeSQS) { f.delay = 200 * time.Millisecond })
		w.device.send(con(1, "th/a1", "in flight"))
		time.Sleep(time.Millisecond)
		w.device.send(con(2, "th/a1", "lingers"))
		time.Sleep(time.Millisecond)
		w.stop()
		synctest.Wait()
		w.device.send(con(3, "th/a1", "late"))
		w.device.expect(t, "a newcomer", "ACK 5.03 mid=0003 token=a1b2 Max-Age")
		w.device.send(request(message.Confirmable, codes.GET, 4, "health", ""))
		w.device.expect(t, "health", "ACK 5.03 mid=0004 token=a1b2 Max-Age")
		<-w.ended
		w.device.expect(t, "what was taken", changed, "ACK 2.04 mid=0002 token=a1b2")
		if got := w.sqs.payloads(t); !slices.Equal(got, []string{"in flight", "lingers"}) {
			t.Errorf("stored %q", got)
		}

		// The sender may know of the end before all others do.
		w.in.health.draining.Store(false)
		l := w.in.listeners[0]
		l.handle(&udp.Packet{Buf: con(5, "th/a1", "x"), Peer: home, Local: endpoint.Addr()}, time.Now(), 0)
		if ready, full := w.counter("coap_refused_total", "not-ready"), w.counter("coap_refused_total", "sender-full"); ready != 2 || full != 0 {
			t.Errorf("refused: %v not ready, %v full, want 2 and 0", ready, full)
		}
	})
}

// A breaking socket can be read until it breaks; what was asked by then can be answered.
type breaking struct {
	udp.Socket
	broken chan struct{}
}

func (b breaking) ReadBatch(packets []udp.Packet) (int, error) {
	type result struct {
		n   int
		err error
	}
	read := make(chan result, 1)
	go func() {
		n, err := b.Socket.ReadBatch(packets)
		read <- result{n, err}
	}()
	select {
	case r := <-read:
		return r.n, r.err
	case <-b.broken:
		return 0, errors.New("read from 192.0.2.1:5683: bad file descriptor")
	}
}

// An ingestor that cannot hear any more ends, to be started anew, and keeps its promises
// before it does.
func TestBrokenSocket(t *testing.T) {
	broken := make(chan struct{})
	wrap := func(s udp.Socket) udp.Socket { broken = make(chan struct{}); return breaking{s, broken} }
	inWorldLike(t, world{wrap: wrap}, nil, func(w *world) {
		w.sqs.set(func(f *fakeSQS) { f.delay = 200 * time.Millisecond })
		w.device.send(con(1, "th/a1", "x"))
		synctest.Wait()
		close(broken)
		synctest.Wait()
		if w.in.health.problem(time.Now()) == nil {
			t.Error("it is deaf, and healthy")
		}
		time.Sleep(confirmWithin)
		synctest.Wait()
		select {
		case <-w.ended:
			if w.err == nil || !strings.Contains(w.err.Error(), "bad file descriptor") {
				t.Errorf("it ended with %v", w.err)
			}
		default:
			t.Fatal("it goes on")
		}
		w.device.expect(t, "what was taken", changed)
	})
}

// Then the daemon ends, too, with what makes its service manager start it again.
func TestOperateABrokenSocket(t *testing.T) {
	admin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := udp.NewNetwork(nil).Listen(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	broken := make(chan struct{})
	close(broken)
	cfg := Config{DedupMiB: 1, Clock: Clock{Now: time.Now, Synchronised: func() bool { return true }}}
	in := New(cfg, []udp.Socket{breaking{socket, broken}}, nil, nil, slog.New(slog.NewJSONHandler(io.Discard, nil)))
	if err := operate(t.Context(), in, admin, nil); err == nil {
		t.Error("no error")
	}
}
