package udp

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReceiveBuffer: 100,000 bytes are within the kernel's limit everywhere, and it never
// grants less than room for a small datagram.
func TestReceiveBuffer(t *testing.T) {
	for _, test := range []struct{ asked, least, most int }{{100_000, 100_000, 100_000}, {1, 500, 10_000}} {
		sockets, err := Listen(t.Context(), "127.0.0.1:0", 2, test.asked)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sockets {
			closeLater(t, s)
		}
		for _, s := range sockets {
			if n := s.ReceiveBuffer(); n < test.least || n > test.most {
				t.Errorf("asked for %d bytes, got %d", test.asked, n)
			}
		}
	}
}

// TestReceiveBufferBeyondTheLimit: who may exceed net.core.rmem_max does, and who may not
// is told what it got.
func TestReceiveBufferBeyondTheLimit(t *testing.T) {
	b, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if err != nil {
		t.Fatal(err)
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	probe := listenPortable(t, "127.0.0.1:0")
	closeLater(t, probe)
	want := limit
	if probe.control(func(fd uintptr) error {
		return unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, limit+1<<20)
	}) == nil {
		want = limit + 1<<20
	}
	sockets, err := Listen(t.Context(), "127.0.0.1:0", 1, limit+1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if n := closeLater(t, sockets[0]).ReceiveBuffer(); n != want {
		t.Errorf("got %d bytes, want %d", n, want)
	}
}
