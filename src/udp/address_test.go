package udp

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// The contract suite, as far as it is about sockets with several addresses.

// TestAddressAsked: on a socket for all addresses, a datagram's destination is told, and
// the answer comes from there.
func TestAddressAsked(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		if !tells(t) {
			t.Skip("needs 127.0.0.5 and IP_PKTINFO")
		}
		for _, test := range []struct{ wildcard, client, asked string }{
			{"0.0.0.0:0", "127.0.0.1:0", "127.0.0.5"},
			{"[::]:0", "127.0.0.1:0", "127.0.0.5"},
			{"[::]:0", "[::1]:0", "::1"},
		} {
			t.Run(test.wildcard+" "+test.asked, func(t *testing.T) {
				if strings.HasPrefix(test.wildcard, "[") {
					needIPv6(t)
				}
				server, client := listen(t, test.wildcard), listen(t, test.client)
				asked := netip.AddrPortFrom(netip.MustParseAddr(test.asked), server.LocalAddr().Port())
				write(t, client, Packet{Buf: []byte("who?"), Peer: asked})
				p := read(t, server, 1, 8)[0]
				if p.Local != asked.Addr() || p.Peer != client.LocalAddr() {
					t.Errorf("asked %s, from %s", p.Local, p.Peer)
				}
				p.Buf = []byte("me")
				write(t, server, p)
				if p := read(t, client, 1, 8)[0]; string(p.Buf) != "me" || p.Peer != asked {
					t.Errorf("%q from %s, want it from %s", p.Buf, p.Peer, asked)
				}

				// Without Local the system chooses.
				p.Local = netip.Addr{}
				write(t, server, p)
				if p := read(t, client, 1, 8)[0]; !p.Peer.Addr().IsLoopback() {
					t.Errorf("from %s", p.Peer)
				}
			})
		}
	})
}

// TestAddressesAsked: each datagram of a batch has a destination of its own, and each
// answer a source.
func TestAddressesAsked(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		if !tells(t) {
			t.Skip("needs 127.0.0.0/8 and IP_PKTINFO")
		}
		for _, wildcard := range []string{"0.0.0.0:0", "[::]:0"} {
			t.Run(wildcard, func(t *testing.T) {
				if strings.HasPrefix(wildcard, "[") {
					needIPv6(t)
				}
				server, client := listen(t, wildcard), listen(t, "127.0.0.1:0")
				var questions []Packet
				for i := range byte(100) {
					asked := netip.AddrFrom4([4]byte{127, 0, i % 7, i + 2})
					questions = append(questions, Packet{Buf: fmt.Append(nil, asked), Peer: netip.AddrPortFrom(asked, server.LocalAddr().Port())})
				}
				write(t, client, questions...)
				answers := read(t, server, len(questions), 64)
				for i, p := range answers {
					if p.Local != questions[i].Peer.Addr() || p.Peer != client.LocalAddr() {
						t.Fatalf("asked %s, from %s, want %s", p.Local, p.Peer, questions[i].Peer)
					}
				}
				want := make([]netip.AddrPort, len(questions))
				for i, q := range questions {
					want[i] = q.Peer
				}
				for range 2 {
					write(t, server, answers...)
					for i, p := range read(t, client, len(answers), 64) {
						if p.Peer != want[i] || string(p.Buf) != questions[i].Peer.Addr().String() {
							t.Fatalf("%q from %s, want it from %s", p.Buf, p.Peer, want[i])
						}
					}
					// And again, one of them with the system's choice.
					answers[50].Local = netip.Addr{}
					want[50] = netip.AddrPortFrom(client.LocalAddr().Addr(), server.LocalAddr().Port())
				}
			})
		}
	})
}

func needIPv6(t *testing.T) {
	t.Helper()
	c, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	_ = c.Close()
}

func TestManyWriters(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		server, client := listen(t, "127.0.0.1:0"), listen(t, "0.0.0.0:0")
		const writers, each = 4, 50
		for range writers {
			go func() {
				for range each {
					_, _ = client.WriteBatch([]Packet{{Buf: []byte("x"), Peer: server.LocalAddr(), Local: netip.MustParseAddr("127.0.0.9")}})
				}
			}()
		}
		for _, p := range read(t, server, writers*each, 16) {
			if string(p.Buf) != "x" || p.Peer.Addr() != netip.MustParseAddr("127.0.0.9") && tells(t) {
				t.Fatalf("%q from %s", p.Buf, p.Peer)
			}
		}
	})
}
