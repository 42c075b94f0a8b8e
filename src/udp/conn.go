package udp

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
)

// conn is what the system's sockets have in common, all but reading and writing.
type conn struct {
	udp     *net.UDPConn
	raw     syscall.RawConn
	local   netip.AddrPort
	bound   netip.Addr // local's, unless that is unspecified
	asked   bool       // each datagram's destination is told, and its source can be chosen
	closed  atomic.Bool
	dropped atomic.Uint64 // as last read
	granted int           // bytes of receive buffer
}

func newConn(udp *net.UDPConn, asked bool, receiveBuffer int) *conn {
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
	}
	if !c.local.Addr().IsUnspecified() {
		c.bound = c.local.Addr()
	}
	c.granted = c.setReceiveBuffer(receiveBuffer)
	return c
}

func (c *conn) LocalAddr() netip.AddrPort { return c.local }

func (c *conn) ReceiveBuffer() int { return c.granted }

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
	c.closed.Store(true)
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
