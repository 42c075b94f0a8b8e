package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// DefaultReceiveBuffer is the receive buffer that a busy server asks for, in bytes: the
// usual default of 208 KiB overflows within milliseconds.
const DefaultReceiveBuffer = 4 << 20

// Listen opens n sockets on one address ("host:port"; ":port" is all addresses of the
// host, IPv6 and IPv4), among which the kernel shares out the peers by address and port.
// More than one needs SO_REUSEPORT, that is Linux. Each asks for a receive buffer of so
// many bytes and takes what the system allows. An address that is in use is an error,
// also if those who use it would share it. The caller closes the sockets.
func Listen(ctx context.Context, address string, n, receiveBuffer int) ([]Socket, error) {
	if n < 1 {
		return nil, fmt.Errorf("listen on %s: %d sockets", address, n)
	}
	if n > 1 && !canShare {
		return nil, fmt.Errorf("listen on %s: %d sockets on one address need SO_REUSEPORT as in Linux, use 1", address, n)
	}
	var sockets []Socket
	for i := range n {
		c, err := listen(ctx, address, i > 0, receiveBuffer)
		if err == nil && i == 0 && n > 1 {
			// The first one was bound alone, so that an address in use was noticed. Only now it
			// lets the others in.
			err = c.control(share)
		}
		if err != nil {
			if c != nil {
				err = errors.Join(err, c.Close())
			}
			for _, s := range sockets {
				err = errors.Join(err, s.Close())
			}
			return nil, err
		}
		sockets = append(sockets, newSocket(c))
		address = c.udp.LocalAddr().String() // for port 0, the port that was chosen
	}
	return sockets, nil
}

func listen(ctx context.Context, address string, shared bool, receiveBuffer int) (*conn, error) {
	asked := false
	config := net.ListenConfig{Control: func(network, address string, raw syscall.RawConn) error {
		var err error
		outer := raw.Control(func(fd uintptr) {
			if shared {
				err = share(fd)
			}
			if at, parseErr := netip.ParseAddrPort(address); err == nil && parseErr == nil && at.Addr().IsUnspecified() {
				asked, err = tellAsked(fd, network == "udp6")
			}
		})
		return errors.Join(outer, err)
	}}
	network := "udp"
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().Is4() {
		network = "udp4" // else package net would make [::] of 0.0.0.0
	}
	packetConn, err := config.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err // names the address
	}
	return newConn(packetConn.(*net.UDPConn), asked, receiveBuffer), nil
}
