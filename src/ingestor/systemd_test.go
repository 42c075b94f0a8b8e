package ingestor

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coap-for-aws-iot/src/environ"
	"coap-for-aws-iot/src/udp"
)

// manage makes the test a service manager with that watchdog time. expect waits for what it
// is told next.
func manage(t *testing.T, watchdog time.Duration) (expect func(want string)) {
	t.Helper()
	at := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", at)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt(watchdog.Microseconds(), 10))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	return func(want string) {
		t.Helper()
		limit := 5 * time.Second
		if want == "" {
			limit = 700 * time.Millisecond
		}
		buf := make([]byte, 100)
		conn.SetReadDeadline(time.Now().Add(limit))
		n, err := conn.Read(buf)
		if (err == nil) != (want != "") || string(buf[:n]) != want {
			t.Fatalf("the service manager hears %q, %v, want %q", buf[:n], err, want)
		}
	}
}

// A managed daemon tells the service manager that it is ready, that it lives, and that
// it stops.
func TestServiceManagerIsTold(t *testing.T) {
	expect := manage(t, 2*time.Second)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	e := environ.New([]string{"COAP_NAME=n", "AWS_REGION=r", "COAP_QUEUE_URL=http://127.0.0.1:1/r/1/q", "COAP_DEDUP_MIB=1",
		"COAP_LISTEN=127.0.0.1:0", "COAP_ADMIN=127.0.0.1:0"})
	cfg := FromEnviron(e)
	if err := e.ErrStrict(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, cfg, slog.New(slog.NewJSONHandler(io.Discard, nil)), nil) }()
	expect("READY=1")
	expect("WATCHDOG=1")
	expect("WATCHDOG=1")
	stop()
	expect("STOPPING=1")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// An ill socket of the system: deaf, it loses what it is sent; mute, what it sends.
type ill struct {
	udp.Socket
	deaf, mute atomic.Bool
}

func (s *ill) ReadBatch(packets []udp.Packet) (int, error) {
	for {
		n, err := s.Socket.ReadBatch(packets)
		if err != nil || !s.deaf.Load() {
			return n, err
		}
	}
}

func (s *ill) WriteBatch(packets []udp.Packet) (int, error) {
	if s.mute.Load() {
		return len(packets), nil
	}
	return s.Socket.WriteBatch(packets)
}

// The watchdog is fed when all addresses are read, and as soon as they are: not a tick
// later, when the service manager would be there first.
func TestWatchdog(t *testing.T) {
	for _, tt := range []struct {
		name string
		fall func(first, second *ill)
		heal func(first, second *ill) // nil: it need not
	}{
		{"well", func(_, _ *ill) {}, nil},
		{"deaf for a while", func(first, _ *ill) { first.deaf.Store(true) }, func(first, _ *ill) { first.deaf.Store(false) }},
		{"deaf at another address", func(_, second *ill) { second.deaf.Store(true) }, func(_, second *ill) { second.deaf.Store(false) }},
		{"in a flood nobody hears the answers to pings, and what is handled counts",
			func(first, _ *ill) { first.deaf.Store(true); first.mute.Store(true) }, func(first, _ *ill) { first.deaf.Store(false) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect := manage(t, 12*time.Second)
			var ills []*ill
			var sockets []udp.Socket
			for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
				opened, err := udp.Listen(t.Context(), address, 1, udp.DefaultReceiveBuffer)
				if err != nil {
					t.Fatal(err)
				}
				ills = append(ills, &ill{Socket: opened[0]})
				sockets = append(sockets, ills[len(ills)-1])
			}
			cfg := Config{Name: "use1-a", Region: "us-east-1", QueueURL: "q", DedupMiB: 1, Clock: Clock{Now: time.Now}}
			in := New(cfg, sockets, nil, nil, slog.New(slog.NewJSONHandler(io.Discard, nil)))
			tt.fall(ills[0], ills[1])
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() {
				if err := in.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			running.Go(func() { in.watch(ctx) })
			defer running.Wait()
			defer stop()
			if tt.heal != nil {
				expect("")
				tt.heal(ills[0], ills[1])
			}
			expect("WATCHDOG=1")
		})
	}
}

// Several sockets at one address are one ear.
func TestEars(t *testing.T) {
	network := udp.NewNetwork(nil)
	var sockets []udp.Socket
	for _, at := range []netip.AddrPort{endpoint, other} {
		s, err := network.Listen(at)
		if err != nil {
			t.Fatal(err)
		}
		sockets = append(sockets, s, s)
	}
	in := New(Config{DedupMiB: 1}, sockets, nil, nil, slog.New(slog.NewJSONHandler(io.Discard, nil)))
	ears := in.ears()
	if len(ears) != 2 || ears[0].addr != endpoint || ears[1].addr != other || len(ears[0].listeners) != 2 || len(ears[1].listeners) != 2 {
		t.Errorf("%+v", ears)
	}
	in.listeners[3].handled.Add(1)
	if !ears[1].hears(t.Context(), in.log, time.Millisecond) {
		t.Error("what the second socket handles does not count")
	}
}

// A ping that nobody answers takes its time, also where the system says so at once.
func TestPingOfNobody(t *testing.T) {
	const within = 50 * time.Millisecond
	begun := time.Now()
	if err := ping(t.Context(), netip.MustParseAddrPort("127.0.0.1:1"), 1, within); err == nil {
		t.Error("nobody answers")
	}
	if d := time.Since(begun); d < within {
		t.Errorf("it took %v", d)
	}
}
