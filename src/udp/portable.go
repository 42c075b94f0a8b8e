package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// writeLimits bound how long one WriteBatch of a portable socket waits for room in the
// send buffer, together. They are several because a deadline also passes while this
// goroutine has no processor, and then nothing is full.
var writeLimits = [...]time.Duration{20 * time.Millisecond, 20 * time.Millisecond, 20 * time.Millisecond}

// portable is the socket of other systems than Linux: one datagram per system call, and
// the source address is the system's choice. It is built and tested everywhere, as the
// reference that a faster one is compared with.
type portable struct {
	*conn
	limits   [len(writeLimits)]time.Duration // writeLimits, but in tests
	patience time.Duration                   // patience, but in tests
}

func newPortable(c *conn) *portable {
	return &portable{conn: c, limits: writeLimits, patience: patience}
}

func (s *portable) ReadBatch(packets []Packet) (int, error) {
	if len(packets) == 0 {
		return 0, nil
	}
	p := &packets[0]
	p.Buf = p.Buf[:cap(p.Buf)]
	var failed failing
	for {
		n, peer, err := s.udp.ReadFromUDPAddrPort(p.Buf)
		switch {
		case err == nil:
			p.Buf = p.Buf[:n]
			p.Peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
			p.Local = s.bound
			return 1, nil
		case errors.Is(err, net.ErrClosed):
			return 0, net.ErrClosed
		case failed.final(s.patience):
			return 0, fmt.Errorf("read from %s: %w", s.local, err)
		}
	}
}

func (s *portable) WriteBatch(packets []Packet) (int, error) {
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	sent, next := 0, 0
tries:
	for _, limit := range s.limits {
		_ = s.udp.SetWriteDeadline(time.Now().Add(limit)) // fails when closed, as the write will
		for ; next < len(packets); next++ {
			p := &packets[next]
			_, err := s.udp.WriteToUDPAddrPort(p.Buf, p.Peer)
			switch {
			case err == nil:
				sent++
			case errors.Is(err, net.ErrClosed):
				return sent, net.ErrClosed
			case errors.Is(err, os.ErrDeadlineExceeded):
				continue tries
			}
		}
		break
	}
	return sent, nil
}
