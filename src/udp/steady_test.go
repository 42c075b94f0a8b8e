package udp

import (
	"bytes"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// TestNothingIsAllocated: neither with a fixed address nor with the address asked, for
// one datagram or many.
func TestNothingIsAllocated(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		t.Run(address, func(t *testing.T) {
			if strings.HasPrefix(address, "[") {
				needIPv6(t)
			}
			sockets, err := Listen(t.Context(), address, 1, DefaultReceiveBuffer)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []Socket{closeLater(t, sockets[0]), closeLater(t, listenPortable(t, address))} {
				self := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.LocalAddr().Port())
				for _, size := range []int{1, 100} {
					out := make([]Packet, size)
					for i := range out {
						out[i] = Packet{Buf: bytes.Repeat([]byte("x"), 100), Peer: self, Local: self.Addr()}
					}
					in := room(size, 1153)
					if n := testing.AllocsPerRun(100, func() {
						if n, err := s.WriteBatch(out); n != size || err != nil {
							t.Fatal(n, err)
						}
						for left := size; left > 0; {
							n, err := s.ReadBatch(in)
							if n == 0 || err != nil {
								t.Fatal(n, err)
							}
							left -= n
						}
					}); n != 0 {
						t.Errorf("%T: %v allocations for %d datagrams", s, n, size)
					}
				}
			}
		})
	}
}

// TestReaderGivesWay: however busy a socket, other goroutines run between two reads, on a
// single processor too.
func TestReaderGivesWay(t *testing.T) {
	sockets, err := Listen(t.Context(), "127.0.0.1:0", 1, DefaultReceiveBuffer)
	if err != nil {
		t.Fatal(err)
	}
	s := closeLater(t, sockets[0])
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const rounds = 1000
	var turns atomic.Int64
	var ended atomic.Bool
	done := make(chan struct{})
	go func() {
		for !ended.Load() {
			turns.Add(1)
			runtime.Gosched()
		}
		close(done)
	}()
	in, out := room(1, 8), []Packet{to(s, "x")}
	for range rounds {
		write(t, s, out...)
		if n, err := s.ReadBatch(in); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	ended.Store(true)
	<-done
	if turns.Load() < rounds/2 {
		t.Errorf("another goroutine had %d turns in %d reads", turns.Load(), rounds)
	}
}
