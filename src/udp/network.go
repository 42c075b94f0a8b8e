package udp

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// queueLength is how many datagrams wait for a reader before the next one is dropped:
// with CoAP's at most 1152 bytes, 1.2 MB a socket.
const queueLength = 1024

// firstEphemeral is the first of the ports that port 0 chooses from (RFC 6335, section 6).
const firstEphemeral = 49152

// Fate decides what becomes of a datagram: one delay for each copy that arrives, so none
// means that it is lost. Zero is at once. It must neither keep nor change the
// datagram, and is called by all writers at a time.
type Fate func(from, to netip.AddrPort, datagram []byte) []time.Duration

// Network is a network in memory. Its sockets obey Socket's contract, wait on channels only
// and delay with package time: made inside a testing/synctest bubble, they belong to it.
type Network struct {
	fate Fate

	mu       sync.Mutex // guards the following
	sockets  map[netip.AddrPort]*memorySocket
	lastPort uint16 // chosen for port 0
}

// NewNetwork returns a network with nobody on it. A nil fate delivers all at once.
func NewNetwork(fate Fate) *Network {
	if fate == nil {
		atOnce := []time.Duration{0}
		fate = func(netip.AddrPort, netip.AddrPort, []byte) []time.Duration { return atOnce }
	}
	return &Network{fate: fate, sockets: make(map[netip.AddrPort]*memorySocket)}
}

// Listen opens a socket. An unspecified address hears all addresses that no other socket
// listens on; port 0 is any free port. A closed socket's address is free again at once,
// and what was on its way to the closed one is lost.
func (n *Network) Listen(at netip.AddrPort) (Socket, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at.Port() == 0 {
		addr := at.Addr()
		for range 1<<16 - firstEphemeral {
			n.lastPort = max(n.lastPort+1, firstEphemeral)
			if at = netip.AddrPortFrom(addr, n.lastPort); n.sockets[at] == nil {
				break
			}
		}
	}
	if n.sockets[at] != nil {
		return nil, fmt.Errorf("listen on %s: %w", at, syscall.EADDRINUSE)
	}
	s := &memorySocket{
		network: n,
		local:   at,
		queue:   make(chan *inFlight, queueLength),
		closed:  make(chan struct{}),
	}
	n.sockets[at] = s
	return s, nil
}

// find returns who hears what is sent to an address, or nil.
func (n *Network) find(to netip.AddrPort) *memorySocket {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, addr := range [...]netip.Addr{to.Addr(), netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if s := n.sockets[netip.AddrPortFrom(addr, to.Port())]; s != nil {
			return s
		}
	}
	return nil
}

// inFlight is a datagram between two sockets; its copies share it.
type inFlight struct {
	datagram []byte
	from     netip.AddrPort
	to       netip.Addr
}

type memorySocket struct {
	network *Network
	local   netip.AddrPort
	queue   chan *inFlight
	closed  chan struct{}
	once    sync.Once
	dropped atomic.Uint64
}

func (s *memorySocket) ReadBatch(packets []Packet) (int, error) {
	if len(packets) == 0 {
		return 0, nil
	}
	if s.isClosed() {
		return 0, net.ErrClosed
	}
	select {
	case f := <-s.queue:
		f.fill(&packets[0])
	case <-s.closed:
		return 0, net.ErrClosed
	}
	for n := 1; n < len(packets); n++ {
		select {
		case f := <-s.queue:
			f.fill(&packets[n])
		default:
			return n, nil
		}
	}
	return len(packets), nil
}

func (f *inFlight) fill(p *Packet) {
	p.Buf = p.Buf[:cap(p.Buf)]
	p.Buf = p.Buf[:copy(p.Buf, f.datagram)]
	p.Peer, p.Local = f.from, f.to
}

func (s *memorySocket) WriteBatch(packets []Packet) (int, error) {
	if s.isClosed() {
		return 0, net.ErrClosed
	}
	sent := 0
	for i := range packets {
		p := &packets[i]
		if !p.Peer.IsValid() || p.Peer.Port() == 0 {
			continue // refused, as a kernel does
		}
		sent++
		from := netip.AddrPortFrom(s.source(p), s.local.Port())
		delays := s.network.fate(from, p.Peer, p.Buf)
		to := s.network.find(p.Peer)
		if to == nil || len(delays) == 0 {
			continue
		}
		f := &inFlight{datagram: bytes.Clone(p.Buf), from: from, to: p.Peer.Addr()}
		for _, delay := range delays {
			if delay <= 0 {
				to.deliver(f)
			} else {
				time.AfterFunc(delay, func() { to.deliver(f) })
			}
		}
	}
	return sent, nil
}

// source is the address that a packet comes from, for the peer.
func (s *memorySocket) source(p *Packet) netip.Addr {
	switch {
	case !s.local.Addr().IsUnspecified():
		return s.local.Addr()
	case p.Local.IsValid():
		return p.Local
	case p.Peer.Addr().Is6():
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// deliver never blocks: a reader that does not keep up loses, as with a kernel. What
// comes after Close stays in a queue that nobody reads.
func (s *memorySocket) deliver(f *inFlight) {
	select {
	case s.queue <- f:
	default:
		s.dropped.Add(1)
	}
}

func (s *memorySocket) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

func (s *memorySocket) LocalAddr() netip.AddrPort { return s.local }

func (s *memorySocket) Drops() uint64 { return s.dropped.Load() }

// ReceiveBuffer is 0: the bound is queueLength, in datagrams.
func (s *memorySocket) ReceiveBuffer() int { return 0 }

func (s *memorySocket) Close() error {
	s.once.Do(func() {
		s.network.mu.Lock()
		defer s.network.mu.Unlock()
		delete(s.network.sockets, s.local)
		close(s.closed)
	})
	return nil
}
