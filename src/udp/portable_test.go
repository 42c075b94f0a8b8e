package udp

import (
	"testing"
	"time"
)

// TestPortableFullSendBuffer: when there is never room in time, WriteBatch gives up and
// says so; once is not never. A loopback interface is never full, so the deadlines are
// ones that have passed already.
func TestPortableFullSendBuffer(t *testing.T) {
	s := listenPortable(t, "127.0.0.1:0")
	closeLater(t, s)
	for i := range s.limits {
		s.limits[i] = -time.Second
	}
	if n, err := s.WriteBatch([]Packet{to(s, "1"), to(s, "2")}); n != 0 || err != nil {
		t.Errorf("wrote %d: %v", n, err)
	}
	s.limits = writeLimits
	s.limits[0] = -time.Second
	write(t, s, to(s, "3"))
	if p := read(t, s, 1, 8)[0]; string(p.Buf) != "3" {
		t.Errorf("got %q", p.Buf)
	}
}
