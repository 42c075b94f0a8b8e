package udp

import (
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const canShare = true

// oobSize is room for one control message with a destination address, IPv4 or IPv6.
var oobSize = unix.CmsgSpace(unix.SizeofInet6Pktinfo)

// share lets other sockets of this user listen on the same address (socket(7)).
func share(fd uintptr) error {
	return os.NewSyscallError("setsockopt SO_REUSEPORT", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}

// setReceiveBuffer asks for a receive buffer of n bytes: beyond net.core.rmem_max if the
// process may (CAP_NET_ADMIN), else up to it.
func (c *conn) setReceiveBuffer(n int) {
	if err := c.control(func(fd uintptr) error {
		return unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, n)
	}); err != nil {
		_ = c.udp.SetReadBuffer(n) // a smaller buffer is no fault; Drops shows what it costs
	}
}

// tellAsked makes the kernel tell each datagram's destination (ip(7), ipv6(7)).
// A socket for IPv6 tells IPv4 destinations the same way, mapped.
func tellAsked(fd uintptr, ipv6 bool) (bool, error) {
	if ipv6 {
		return true, os.NewSyscallError("setsockopt IPV6_RECVPKTINFO", unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
	}
	return true, os.NewSyscallError("setsockopt IP_PKTINFO", unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1))
}

// parseAsked finds the destination in the control messages of a datagram.
func parseAsked(oob []byte) netip.Addr {
	for len(oob) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		switch {
		case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			var info unix.Inet4Pktinfo
			copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unix.SizeofInet4Pktinfo), data)
			return netip.AddrFrom4(info.Addr)
		case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			var info unix.Inet6Pktinfo
			copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unix.SizeofInet6Pktinfo), data)
			return netip.AddrFrom16(info.Addr).Unmap()
		}
		oob = rest
	}
	return netip.Addr{}
}

// appendAsked appends the control message that chooses the source address. On a socket
// for IPv6 an IPv4 source is mapped, as its peer is.
func appendAsked(oob []byte, local netip.Addr, ipv6 bool) []byte {
	header := unix.Cmsghdr{Level: unix.IPPROTO_IP, Type: unix.IP_PKTINFO}
	info4 := unix.Inet4Pktinfo{}
	info6 := unix.Inet6Pktinfo{}
	var info []byte
	if ipv6 {
		header.Level, header.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		info6.Addr = local.As16()
		info = unsafe.Slice((*byte)(unsafe.Pointer(&info6)), unix.SizeofInet6Pktinfo)
	} else {
		if local.Is4() {
			info4.Spec_dst = local.As4()
		}
		info = unsafe.Slice((*byte)(unsafe.Pointer(&info4)), unix.SizeofInet4Pktinfo)
	}
	header.SetLen(unix.CmsgLen(len(info)))
	start := len(oob)
	oob = oob[:start+unix.CmsgSpace(len(info))]
	clear(oob[start:])
	copy(oob[start:], unsafe.Slice((*byte)(unsafe.Pointer(&header)), unix.SizeofCmsghdr))
	copy(oob[start+unix.CmsgLen(0):], info)
	return oob
}

// drops reads how many datagrams the kernel dropped because the receive buffer was full:
// the last of the nine counters of SO_MEMINFO (linux/sock_diag.h).
func drops(fd uintptr) (uint64, bool) {
	var info [9]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	return uint64(info[8]), errno == 0 && uintptr(size) == unsafe.Sizeof(info)
}
