package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxBatch is how many datagrams one system call moves at most. More would gain nothing,
// and keep a processor from the collector for longer than a tenth of a millisecond.
const maxBatch = 64

// batch is the memory that one system call needs beside the datagrams, for each 64 bytes
// of message, 16 of vector, 28 of name and, if destinations are told, 40 of control. It has
// grown to the most packets that its socket was given, up to maxBatch. One goroutine at a
// time owns it.
type batch struct {
	messages []message
	vectors  []unix.Iovec
	names    []sockaddr
	controls []pktinfo
	ipv6     bool // the socket's family
	asked    bool // the socket's
}

// grow makes room for n messages.
func (b *batch) grow(n int) {
	if n <= len(b.messages) {
		return
	}
	b.messages, b.vectors, b.names = make([]message, n), make([]unix.Iovec, n), make([]sockaddr, n)
	if b.asked {
		b.controls = make([]pktinfo, n)
	}
	for i := range b.messages {
		var control *pktinfo
		if b.asked {
			control = &b.controls[i]
		}
		b.messages[i].point(&b.names[i], &b.vectors[i], control)
	}
}

// forget lets go of the datagrams of the first n messages.
func (b *batch) forget(n int) { clear(b.vectors[:n]) }

// forRead prepares a message to be received into p. The kernel has written the lengths
// of what it received last into the message.
func (b *batch) forRead(i int, p *Packet) {
	m := &b.messages[i]
	m.Namelen = unix.SizeofSockaddrInet6
	if b.asked {
		m.SetControllen(pktinfoSize)
	}
	pointTo(&b.vectors[i], p.Buf[:cap(p.Buf)])
}

// received fills p with what message i received.
func (b *batch) received(i int, p *Packet, bound netip.Addr) {
	m, name := &b.messages[i], &b.names[i]
	p.Buf = p.Buf[:m.n]
	if b.ipv6 {
		p.Peer = netip.AddrPortFrom(withZone(netip.AddrFrom16(name.Addr).Unmap(), name.Scope_id), networkOrder(name.Port))
	} else {
		in4 := name.inet4()
		p.Peer = netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), networkOrder(in4.Port))
	}
	p.Local = bound
	if b.asked {
		p.Local = b.destination(i)
	}
}

// destination is the address that message i was sent to, if the kernel has told.
func (b *batch) destination(i int) netip.Addr {
	c := &b.controls[i]
	switch told := int(b.messages[i].Controllen); {
	case told >= unix.CmsgLen(unix.SizeofInet6Pktinfo) && c.header.Level == unix.IPPROTO_IPV6 && c.header.Type == unix.IPV6_PKTINFO:
		return netip.AddrFrom16(c.inet6.Addr).Unmap()
	case told >= unix.CmsgLen(unix.SizeofInet4Pktinfo) && c.header.Level == unix.IPPROTO_IP && c.header.Type == unix.IP_PKTINFO:
		return netip.AddrFrom4(c.inet4().Addr)
	}
	return netip.Addr{}
}

// forWrite makes message i of p, or reports that p cannot be sent on this socket.
func (b *batch) forWrite(i int, p *Packet) bool {
	m, name, to := &b.messages[i], &b.names[i], p.Peer.Addr()
	switch {
	case b.ipv6 && to.IsValid():
		zone, ok := zoneIndex(to.Zone())
		if !ok {
			return false
		}
		*name = sockaddr{Family: unix.AF_INET6, Port: networkOrder(p.Peer.Port()), Addr: to.As16(), Scope_id: zone}
		m.Namelen = unix.SizeofSockaddrInet6
	case to.Is4():
		*name.inet4() = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: networkOrder(p.Peer.Port()), Addr: to.As4()}
		m.Namelen = unix.SizeofSockaddrInet4
	default:
		return false
	}
	m.SetControllen(0)
	if b.asked && p.Local.IsValid() {
		m.SetControllen(b.source(i, p.Local))
	}
	pointTo(&b.vectors[i], p.Buf)
	return true
}

// source chooses the address that message i comes from, and returns the length of its
// control message. On a socket for IPv6 an IPv4 source is mapped, as its peer is. A socket
// for IPv4 has no IPv6 source, and the kernel chooses.
func (b *batch) source(i int, local netip.Addr) int {
	c := &b.controls[i]
	switch {
	case b.ipv6:
		c.header = unix.Cmsghdr{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_PKTINFO}
		c.header.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
		c.inet6 = unix.Inet6Pktinfo{Addr: local.As16()}
		return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
	case local.Is4():
		c.header = unix.Cmsghdr{Level: unix.IPPROTO_IP, Type: unix.IP_PKTINFO}
		c.header.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		*c.inet4() = unix.Inet4Pktinfo{Spec_dst: local.As4()}
		return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	}
	return 0
}

// networkOrder turns a port as the kernel has it, the high byte first in memory, into a
// number, and back.
func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}

// withZone names the interface of a link-local peer, the only kind that has one (RFC
// 4007, section 11). Looking it up takes a system call or more; there are none on the
// internet.
func withZone(addr netip.Addr, index uint32) netip.Addr {
	if index == 0 {
		return addr
	}
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return addr.WithZone(i.Name)
	}
	return addr.WithZone(strconv.FormatUint(uint64(index), 10))
}

// zoneIndex is the other way round.
func zoneIndex(zone string) (uint32, bool) {
	if zone == "" {
		return 0, true
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index), true
	}
	index, err := strconv.ParseUint(zone, 10, 32)
	return uint32(index), err == nil
}
