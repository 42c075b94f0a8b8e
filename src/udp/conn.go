package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// writeLimit times writeTries bounds how long one WriteBatch waits for room in the send
	// buffer. There are several tries because a deadline also passes while this goroutine
	// has no processor, and then nothing is full.
	writeLimit = 20 * time.Millisecond
	writeTries = 3

	// maxFailures is how many reads in a row may fail before the socket counts as broken.
	// Errors that the network provokes come one for a datagram sent, between good reads.
	maxFailures = 1000
)

// conn is the portable socket: one datagram per system call.
type conn struct {
	udp      *net.UDPConn
	raw      syscall.RawConn
	local    netip.AddrPort
	asked    bool          // each datagram's destination is told, and its source can be chosen
	limit    time.Duration // writeLimit, but in tests
	oob      []byte        // ReadBatch's
	writeOOB sync.Pool     // of *[]byte, empty with room for one control message
	dropped  atomic.Uint64 // as last read
}

func newConn(udp *net.UDPConn, asked bool) *conn {
	local := udp.LocalAddr().(*net.UDPAddr).AddrPort()
	raw, err := udp.SyscallConn()
	if err != nil {
		panic(err) // only for a nil conn
	}
	c := &conn{
		udp:   udp,
		raw:   raw,
		local: netip.AddrPortFrom(local.Addr().Unmap(), local.Port()),
		asked: asked,
		limit: writeLimit,
		oob:   make([]byte, oobSize),
	}
	c.writeOOB.New = func() any {
		b := make([]byte, 0, oobSize)
		return &b
	}
	return c
}

func (c *conn) ReadBatch(packets []Packet) (int, error) {
	if len(packets) == 0 {
		return 0, nil
	}
	p := &packets[0]
	p.Buf = p.Buf[:cap(p.Buf)]
	for failures := 1; ; failures++ {
		n, err := c.read(p)
		switch {
		case err == nil:
			p.Buf = p.Buf[:n]
			return 1, nil
		case errors.Is(err, net.ErrClosed):
			return 0, net.ErrClosed
		case failures == maxFailures:
			return 0, fmt.Errorf("read from %s: %w", c.local, err)
		}
	}
}

func (c *conn) read(p *Packet) (n int, err error) {
	if c.asked {
		var oobLen int
		n, oobLen, _, p.Peer, err = c.udp.ReadMsgUDPAddrPort(p.Buf, c.oob)
		p.Local = parseAsked(c.oob[:oobLen])
	} else {
		n, p.Peer, err = c.udp.ReadFromUDPAddrPort(p.Buf)
		p.Local = netip.Addr{}
		if !c.local.Addr().IsUnspecified() {
			p.Local = c.local.Addr()
		}
	}
	p.Peer = netip.AddrPortFrom(p.Peer.Addr().Unmap(), p.Peer.Port())
	return n, err
}

func (c *conn) WriteBatch(packets []Packet) (int, error) {
	var oob *[]byte
	if c.asked {
		oob = c.writeOOB.Get().(*[]byte)
		defer c.writeOOB.Put(oob)
	}
	sent, next := 0, 0
tries:
	for range writeTries {
		if err := c.udp.SetWriteDeadline(time.Now().Add(c.limit)); errors.Is(err, net.ErrClosed) {
			return sent, net.ErrClosed
		}
		for ; next < len(packets); next++ {
			err := c.write(&packets[next], oob)
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

func (c *conn) write(p *Packet, oob *[]byte) error {
	if !c.asked || !p.Local.IsValid() {
		_, err := c.udp.WriteToUDPAddrPort(p.Buf, p.Peer)
		return err
	}
	*oob = appendAsked((*oob)[:0], p.Local, c.local.Addr().Is6())
	_, _, err := c.udp.WriteMsgUDPAddrPort(p.Buf, *oob, p.Peer)
	return err
}

func (c *conn) LocalAddr() netip.AddrPort { return c.local }

func (c *conn) Drops() uint64 {
	// After Close the control fails, and the last count stands.
	_ = c.control(func(fd uintptr) error {
		if n, ok := drops(fd); ok {
			c.dropped.Store(n)
		}
		return nil
	})
	return c.dropped.Load()
}

func (c *conn) Close() error {
	c.Drops()
	if err := c.udp.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// control calls f with the socket's descriptor.
func (c *conn) control(f func(fd uintptr) error) error {
	var err error
	outer := c.raw.Control(func(fd uintptr) { err = f(fd) })
	return errors.Join(outer, err)
}
