package udp

import (
	"os"

	"golang.org/x/sys/unix"
)

const canShare = true

func newSocket(c *conn) Socket { return newBatched(c) }

// share lets other sockets of this user listen on the same address (socket(7)).
func share(fd uintptr) error {
	return os.NewSyscallError("setsockopt SO_REUSEPORT", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}

// setReceiveBuffer asks for a receive buffer of n bytes: beyond net.core.rmem_max if the
// process may (CAP_NET_ADMIN), else up to it. The kernel answers with twice what it grants,
// for its own use (socket(7)).
func (c *conn) setReceiveBuffer(n int) (granted int) {
	_ = c.control(func(fd uintptr) error { // a smaller buffer is no fault: ReceiveBuffer tells
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, n) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, n)
		}
		doubled, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		granted = doubled / 2
		return err
	})
	return granted
}

// tellAsked makes the kernel tell each datagram's destination (ip(7), ipv6(7)).
// A socket for IPv6 tells IPv4 destinations the same way, mapped.
func tellAsked(fd uintptr, ipv6 bool) (bool, error) {
	if ipv6 {
		return true, os.NewSyscallError("setsockopt IPV6_RECVPKTINFO", unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
	}
	return true, os.NewSyscallError("setsockopt IP_PKTINFO", unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1))
}
