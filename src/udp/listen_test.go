package udp

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestListenErrors(t *testing.T) {
	taken, err := Listen(t.Context(), "127.0.0.1:0", 1, DefaultReceiveBuffer)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, taken[0])
	for _, test := range []struct {
		name, address string
		n             int
		want          string
	}{
		{"in use", taken[0].LocalAddr().String(), 1, taken[0].LocalAddr().String()},
		{"no such address", "192.0.2.1:0", 1, "192.0.2.1"}, // RFC 5737: nobody's
		{"no port", "127.0.0.1", 1, "127.0.0.1"},
		{"no sockets", "127.0.0.1:0", 0, "0 sockets"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sockets, err := Listen(t.Context(), test.address, test.n, DefaultReceiveBuffer)
			if err == nil || !strings.Contains(err.Error(), test.want) || sockets != nil {
				t.Errorf("%v, %v", sockets, err)
			}
		})
	}
}

func TestListenFamilies(t *testing.T) {
	for address, want := range map[string]string{"127.0.0.1:0": "127.0.0.1", "0.0.0.0:0": "0.0.0.0", "localhost:0": "127.0.0.1"} {
		sockets, err := Listen(t.Context(), address, 1, DefaultReceiveBuffer)
		if err != nil {
			t.Fatal(err)
		}
		closeLater(t, sockets[0])
		if got := sockets[0].LocalAddr().Addr().String(); got != want {
			t.Errorf("%s listens on %s", address, got)
		}
	}
}

func TestSharedAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		if _, err := Listen(t.Context(), "127.0.0.1:0", 2, DefaultReceiveBuffer); err == nil {
			t.Error("two sockets on one address")
		}
		return
	}
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", ":0"} {
		t.Run(address, func(t *testing.T) {
			sockets, err := Listen(t.Context(), address, 2, DefaultReceiveBuffer)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range sockets {
				closeLater(t, s)
			}
			if sockets[0].LocalAddr() != sockets[1].LocalAddr() {
				t.Fatalf("%s and %s", sockets[0].LocalAddr(), sockets[1].LocalAddr())
			}
			// Nobody gets in by accident, sharing or not.
			for n := 1; n <= 2; n++ {
				if _, err := Listen(t.Context(), sockets[0].LocalAddr().String(), n, DefaultReceiveBuffer); !errors.Is(err, syscall.EADDRINUSE) {
					t.Errorf("%d more sockets: %v", n, err)
				}
			}

			// 64 peers: that one socket gets all happens once in 2^63 runs.
			var got [2]atomic.Int32
			var all atomic.Int32
			done := make(chan struct{})
			for i, s := range sockets {
				go func() {
					packets := room(8, 8)
					for {
						n, err := s.ReadBatch(packets)
						if err != nil {
							return
						}
						got[i].Add(int32(n))
						if all.Add(int32(n)) == 64 {
							close(done)
						}
					}
				}()
			}
			server := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), sockets[0].LocalAddr().Port())
			for range 64 {
				client, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				if _, err := client.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			<-done
			if got[0].Load() == 0 || got[1].Load() == 0 {
				t.Errorf("%d and %d datagrams", got[0].Load(), got[1].Load())
			}
		})
	}
}
