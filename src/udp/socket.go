// Package udp is the seam between the packet path and the network: sockets that move
// datagrams in batches. Listen opens the system's, in Linux with one system call per
// batch, elsewhere portably with one per datagram; Network is a network in memory, whose
// sockets work inside a testing/synctest bubble. What is written against Socket runs
// unchanged on all three.
package udp

import "net/netip"

// Packet is one datagram. The caller allocates Buf, once, and uses it again.
type Packet struct {
	// Buf is the datagram. ReadBatch fills all of its capacity if it must, and sets its
	// length to what arrived; a datagram that is longer is cut off. So a reader that wants
	// to tell a datagram of n bytes from a longer one gives n+1 of capacity.
	Buf []byte

	// Peer is the other end. IPv4 addresses are 4 bytes long, never mapped into IPv6.
	Peer netip.AddrPort

	// Local is our end: on reading the destination that the datagram names (it may be a
	// multicast or broadcast address), on writing the source to send from. So the answer to
	// a packet goes out with Peer and Local as they came in. It is zero where the system
	// does not tell; zero on writing leaves the choice to the system. Only a socket that
	// listens on an unspecified address (0.0.0.0, ::) has a choice.
	Local netip.Addr
}

// Socket is the contract. Bytes, errors and goroutines:
//
// All memory is the caller's. A socket keeps nothing of a packet after a call returns.
// Nothing that comes from the network ends a socket: not an ICMP error, not a peer that
// is gone, not a datagram that is too long.
type Socket interface {
	// ReadBatch waits for at least one datagram, fills packets from the front with what is
	// there, and returns how many, without waiting to fill them all: fewer than there are
	// packets does not mean that no more is there. With no packets it returns at once. One
	// goroutine calls it at a time. An error is final: net.ErrClosed after Close, anything
	// else means that reading has failed for ten seconds and the socket is broken.
	ReadBatch(packets []Packet) (int, error)

	// WriteBatch sends the packets in order and returns how many left. A packet that the
	// system refuses is skipped and the rest goes on; if its buffers stay full, the rest is
	// dropped within a tenth of a second, as a network would. Whether a peer got anything,
	// nobody knows. The only error is net.ErrClosed. Any goroutine may call it.
	WriteBatch(packets []Packet) (int, error)

	// LocalAddr is the address listened on, with the port that was chosen for port 0.
	LocalAddr() netip.AddrPort

	// Drops counts the datagrams that arrived and were dropped because nobody read them in
	// time, as far as the system tells; it is 0 where it does not. Any goroutine may call it.
	Drops() uint64

	// ReceiveBuffer is the receive buffer that the system granted, in bytes of those that
	// were asked for, or 0 where it does not tell. Any goroutine may call it.
	ReceiveBuffer() int

	// Close makes ReadBatch and WriteBatch return net.ErrClosed, those that wait as well as
	// all later ones. Any goroutine may call it; a second call does nothing.
	Close() error
}
