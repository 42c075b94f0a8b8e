package lab

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// A relay is a piece of a network that is slow, and not in order: each datagram takes a
// time of its own.
type relay struct {
	space *namespace
	to    netip.AddrPort
	conn  *net.UDPConn

	mu      sync.Mutex // guards the following
	clients map[netip.AddrPort]*net.UDPConn
}

// relayed is for how long a relay keeps a client's way back.
const relayed = 20 * time.Second

// newRelay carries datagrams between whoever sends to at, in the namespace, and to, until
// the test is over.
func newRelay(space *namespace, at, to netip.AddrPort) {
	space.t.Helper()
	r := &relay{space: space, to: to, clients: map[netip.AddrPort]*net.UDPConn{}}
	err := space.within(func() (err error) {
		r.conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
		return err
	})
	if err != nil {
		space.t.Fatal(err)
	}
	space.t.Cleanup(func() { r.conn.Close() })
	go r.run()
}

// later is 5 to 120 ms, and every twentieth time 300 ms more.
func later(f func()) {
	d := 5*time.Millisecond + rand.N(115*time.Millisecond)
	if rand.IntN(20) == 0 {
		d += 300 * time.Millisecond
	}
	time.AfterFunc(d, f)
}

func (r *relay) run() {
	b := make([]byte, 2000)
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		way := r.way(from)
		if way == nil {
			continue
		}
		datagram := append([]byte(nil), b[:n]...)
		later(func() { way.Write(datagram) })
	}
}

// way is the socket by which a client's datagrams go on, and the answers come.
func (r *relay) way(client netip.AddrPort) *net.UDPConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if way := r.clients[client]; way != nil {
		return way
	}
	var way *net.UDPConn
	err := r.space.within(func() (err error) {
		way, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(r.to))
		return err
	})
	if err != nil {
		return nil
	}
	r.clients[client] = way
	way.SetReadDeadline(time.Now().Add(relayed))
	go func() {
		b := make([]byte, 2000)
		for {
			n, err := way.Read(b)
			if errors.Is(err, syscall.ECONNREFUSED) { // ICMP says that nobody listens yet
				continue
			}
			if err != nil {
				break
			}
			datagram := append([]byte(nil), b[:n]...)
			later(func() { r.conn.WriteToUDPAddrPort(datagram, client) })
		}
		r.mu.Lock()
		delete(r.clients, client)
		r.mu.Unlock()
		way.Close()
	}()
	return way
}
