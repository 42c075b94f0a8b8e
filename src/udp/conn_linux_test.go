package udp

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestReceiveBuffer: the kernel doubles what it is asked for (socket(7)); 100,000 bytes
// are within its limit everywhere.
func TestReceiveBuffer(t *testing.T) {
	sockets, err := Listen(t.Context(), "127.0.0.1:0", 2, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sockets {
		closeLater(t, s)
		err := s.(*conn).control(func(fd uintptr) error {
			n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
			if n != 200_000 {
				t.Errorf("a receive buffer of %d bytes", n)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
