package udp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file is all that is unsafe here: system calls that golang.org/x/sys/unix has no
// function for, and the memory that they read and write. The memory of a batch is typed
// and on the heap, where nothing moves, and its owner holds it longer than any call; the
// pointers in it are Go pointers that the collector follows. So nothing has to be pinned.

// message is struct mmsghdr (recvmmsg(2)).
type message struct {
	unix.Msghdr
	n uint32 // bytes of the datagram
}

// sockaddr is room for an address of either family, struct sockaddr_in or sockaddr_in6.
type sockaddr unix.RawSockaddrInet6

// inet4 is the same memory as an address of IPv4, which is smaller.
func (a *sockaddr) inet4() *unix.RawSockaddrInet4 {
	return (*unix.RawSockaddrInet4)(unsafe.Pointer(a))
}

// pktinfo is room for one control message of type IP_PKTINFO or IPV6_PKTINFO (cmsg(3)).
type pktinfo struct {
	header unix.Cmsghdr
	inet6  unix.Inet6Pktinfo
}

// inet4 is the same memory as for IPv4, which is smaller.
func (c *pktinfo) inet4() *unix.Inet4Pktinfo {
	return (*unix.Inet4Pktinfo)(unsafe.Pointer(&c.inet6))
}

const pktinfoSize = int(unsafe.Sizeof(pktinfo{}))

// point makes a message of the memory of its parts. control may be nil.
func (m *message) point(name *sockaddr, data *unix.Iovec, control *pktinfo) {
	m.Name = (*byte)(unsafe.Pointer(name))
	m.Iov = data
	m.SetIovlen(1)
	m.Control = (*byte)(unsafe.Pointer(control))
}

// pointTo makes v the bytes of b.
func pointTo(v *unix.Iovec, b []byte) {
	v.Base = unsafe.SliceData(b)
	v.SetLen(len(b))
}

// recvmmsg receives what is there and sendmmsg sends what there is room for, of at
// least one message, and tell of how many. They never wait and so are never interrupted
// either. So they may be raw system calls, which do not tell the scheduler: it would take
// the processor away from a goroutine that is longer than 20 µs in a system call, as with
// a batch it is.
func recvmmsg(fd uintptr, messages []message) (int, unix.Errno) {
	return mmsg(unix.SYS_RECVMMSG, fd, messages)
}

func sendmmsg(fd uintptr, messages []message) (int, unix.Errno) {
	return mmsg(unix.SYS_SENDMMSG, fd, messages)
}

func mmsg(trap, fd uintptr, messages []message) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(trap, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(messages))), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
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
