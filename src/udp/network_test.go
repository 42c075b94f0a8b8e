package udp

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

var (
	serverAddr = netip.MustParseAddrPort("10.0.0.1:5683")
	clientAddr = netip.MustParseAddrPort("10.0.0.2:40000")
)

func mustListen(t *testing.T, n *Network, at netip.AddrPort) Socket {
	t.Helper()
	s, err := n.Listen(at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFate: delays, loss and copies, by the clock of a bubble.
func TestFate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := NewNetwork(func(from, to netip.AddrPort, datagram []byte) []time.Duration {
			if from != clientAddr || to != serverAddr {
				t.Errorf("from %s to %s", from, to)
			}
			switch string(datagram) {
			case "slow":
				return []time.Duration{time.Hour}
			case "lost":
				return nil
			case "twice":
				return []time.Duration{time.Second, 2 * time.Second}
			}
			return []time.Duration{0}
		})
		server, client := mustListen(t, network, serverAddr), mustListen(t, network, clientAddr)
		start := time.Now()
		var heard []string
		go func() {
			packets := room(4, 16)
			for {
				n, err := server.ReadBatch(packets)
				if err != nil {
					return
				}
				for _, p := range packets[:n] {
					heard = append(heard, fmt.Sprintf("%s %s", time.Since(start), p.Buf))
				}
			}
		}()
		packets := []Packet{to(server, "slow"), to(server, "lost"), to(server, "twice"), to(server, "now")}
		write(t, client, packets...)
		copy(packets[0].Buf, "SLOW") // the memory is the caller's again
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got, want := fmt.Sprint(heard), "[0s now 1s twice 2s twice 1h0m0s slow]"; got != want {
			t.Errorf("heard %s, want %s", got, want)
		}
		_ = server.Close()
	})
}

// TestRestart: what is on its way to a process that ends does not reach the one that
// takes its place.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := NewNetwork(func(_, _ netip.AddrPort, _ []byte) []time.Duration { return []time.Duration{time.Second} })
		first, client := mustListen(t, network, serverAddr), mustListen(t, network, clientAddr)
		if _, err := network.Listen(serverAddr); err == nil {
			t.Error("two sockets on one address")
		}
		write(t, client, to(first, "to the first"))
		_ = first.Close()
		write(t, client, to(first, "to nobody"))
		second := mustListen(t, network, serverAddr)
		_ = first.Close() // does not close the second
		write(t, client, to(second, "to the second"))
		got := read(t, second, 1, 8)
		time.Sleep(time.Minute)
		synctest.Wait()
		write(t, client, to(second, "and again"))
		if got = append(got, read(t, second, 1, 8)...); string(got[0].Buf) != "to the second" || string(got[1].Buf) != "and again" {
			t.Errorf("heard %q, %q", got[0].Buf, got[1].Buf)
		}
	})
}

// TestReaderWaitsDurably: a bubble's clock goes on while sockets wait.
func TestReaderWaitsDurably(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := mustListen(t, NewNetwork(nil), serverAddr)
		time.AfterFunc(24*time.Hour, func() { _ = server.Close() })
		if _, err := server.ReadBatch(room(1, 1)); err == nil {
			t.Error("read a datagram that nobody sent")
		}
	})
}
