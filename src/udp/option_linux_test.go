package udp

import "testing"

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
