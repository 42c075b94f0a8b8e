package udp

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkServe is the processor time that a server's socket takes for one request of 131
// bytes and its answer of 12, when so many requests wait. The client's time is not in it.
func BenchmarkServe(b *testing.B) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		for _, waiting := range []int{1, 64} {
			for _, name := range []string{"portable", "batched"} {
				b.Run(fmt.Sprintf("%s/%d/%s", address, waiting, name), func(b *testing.B) {
					var s Socket = listenPortable(b, address)
					if name == "batched" {
						s.Close()
						s = listenBatched(b, address)
					}
					defer s.Close()
					benchmarkServe(b, s, waiting)
				})
			}
		}
	}
}

func benchmarkServe(b *testing.B, s Socket, waiting int) {
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.LocalAddr().Port())
	client, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	request, answer := make([]byte, 131), make([]byte, 12)
	in, out := room(64, 1153), make([]Packet, 0, 64)
	var spent time.Duration
	served := 0
	for b.Loop() {
		for range 1024 / waiting {
			for range waiting {
				if _, err := client.Write(request); err != nil {
					b.Fatal(err)
				}
			}
			start := processorTime()
			for left := waiting; left > 0; {
				n, err := s.ReadBatch(in)
				if err != nil {
					b.Fatal(err)
				}
				out = out[:0]
				for _, p := range in[:n] {
					out = append(out, Packet{Buf: answer, Peer: p.Peer, Local: p.Local})
				}
				if n, err := s.WriteBatch(out); n != len(out) || err != nil {
					b.Fatal(n, err)
				}
				left -= n
			}
			spent += processorTime() - start
			served += waiting
		}
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(served), "cpu-ns/request")
	b.ReportMetric(0, "ns/op") // the client's too
}

// processorTime is what this process has taken of the processors.
func processorTime() time.Duration {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r) // fails for an unknown RUSAGE only
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
