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
	"testing"
	"time"

	"coap-for-aws-iot/src/environ"
	"coap-for-aws-iot/src/udp"
)

// A managed daemon tells the service manager that it is ready, that it lives, and that
// it stops.
func TestServiceManagerIsTold(t *testing.T) {
	at := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", at)
	t.Setenv("WATCHDOG_USEC", "2000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	e := environ.New([]string{"COAP_NAME=n", "AWS_REGION=r", "COAP_QUEUE_URL=http://127.0.0.1:1/r/1/q", "COAP_DEDUP_MIB=1",
		"COAP_LISTEN=127.0.0.1:0", "COAP_ADMIN=127.0.0.1:0"})
	cfg := FromEnviron(e)
	if err := e.ErrStrict(); err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		buf := make([]byte, 100)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := conn.Read(buf)
		if err != nil || string(buf[:n]) != want {
			t.Fatalf("the service manager hears %q, %v, want %s", buf[:n], err, want)
		}
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

// A socket that nobody reads does not feed the watchdog.
func TestPingOfTheDeaf(t *testing.T) {
	sockets, err := udp.Listen(t.Context(), "127.0.0.1:0", 1, udp.DefaultReceiveBuffer)
	if err != nil {
		t.Fatal(err)
	}
	defer sockets[0].Close()
	if err := ping(t.Context(), sockets[0].LocalAddr(), 1, 200*time.Millisecond); err == nil {
		t.Error("a deaf socket answers")
	}
	unspecified := netip.AddrPortFrom(netip.IPv4Unspecified(), sockets[0].LocalAddr().Port())
	go func() {
		packets := []udp.Packet{{Buf: make([]byte, 100)}}
		for {
			if _, err := sockets[0].ReadBatch(packets); err != nil {
				return
			}
			packets[0].Buf[0] |= 0x30 // the RST of an empty CON
			sockets[0].WriteBatch(packets)
		}
	}()
	if err := ping(t.Context(), unspecified, 2, time.Second); err != nil {
		t.Errorf("a socket on all addresses: %v", err)
	}
}
