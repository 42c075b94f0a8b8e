package udp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// writeLimit bounds how long one WriteBatch waits for room in the send buffer, and for
// other writers that do.
const writeLimit = 60 * time.Millisecond

// batched is the socket of Linux: one system call moves up to maxBatch datagrams.
type batched struct {
	*conn
	limit    time.Duration // writeLimit, but in tests
	patience time.Duration // patience, but in tests
	recvmmsg moving        // the kernel's, but in tests
	sendmmsg moving        // the kernel's, but in tests
	read     func(fd uintptr) bool
	write    func(fd uintptr) bool

	in transfer // the reader's

	writing sync.Mutex // guards the following
	out     transfer
}

// moving is recvmmsg or sendmmsg.
type moving func(fd uintptr, messages []message) (int, unix.Errno)

// transfer is a batch on its way: messages[next:end] are to be moved, n were, by the last
// call, or errno says why not. read and write find it here and not in variables of their
// own so that they are made once: a closure for each call would be an allocation.
type transfer struct {
	batch
	next, end, n int
	errno        unix.Errno
}

func newBatched(c *conn) *batched {
	s := &batched{conn: c, limit: writeLimit, patience: patience, recvmmsg: recvmmsg, sendmmsg: sendmmsg}
	s.in.batch = batch{ipv6: c.local.Addr().Is6(), asked: c.asked}
	s.out.batch = s.in.batch
	s.read = func(fd uintptr) bool {
		s.in.n, s.in.errno = s.recvmmsg(fd, s.in.messages[:s.in.end])
		return s.in.errno != unix.EAGAIN // else the poller waits for a datagram
	}
	s.write = func(fd uintptr) bool {
		s.out.n, s.out.errno = s.sendmmsg(fd, s.out.messages[s.out.next:s.out.end])
		return true // it never waits here: the poller knows of room in the buffer, not of memory
	}
	return s
}

func (s *batched) ReadBatch(packets []Packet) (int, error) {
	packets = packets[:min(len(packets), maxBatch)]
	if len(packets) == 0 {
		return 0, nil
	}
	// While there is always something to read, nothing here gives way to timers and other
	// goroutines. Now they wait for no datagram, and no datagram that was read for them.
	runtime.Gosched()
	s.in.grow(len(packets))
	for i := range packets {
		s.in.forRead(i, &packets[i])
	}
	n, err := s.receive(len(packets))
	for i := range packets[:n] {
		s.in.received(i, &packets[i], s.bound)
	}
	s.in.forget(len(packets))
	return n, err
}

// receive waits for at least one of the first end messages.
func (s *batched) receive(end int) (int, error) {
	s.in.end = end
	var failed failing
	for {
		err := s.raw.Read(s.read)
		if err == nil {
			if s.in.errno == 0 {
				return s.in.n, nil
			}
			err = os.NewSyscallError("recvmmsg", s.in.errno)
		}
		if errors.Is(err, net.ErrClosed) {
			return 0, net.ErrClosed
		}
		if failed.final(s.patience) {
			return 0, fmt.Errorf("read from %s: %w", s.local, err)
		}
	}
}

func (s *batched) WriteBatch(packets []Packet) (int, error) {
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	deadline := time.Now().Add(s.limit)
	s.writing.Lock()
	defer s.writing.Unlock()
	s.out.grow(min(len(packets), maxBatch))
	sent := 0
	for len(packets) > 0 {
		chunk := packets[:min(len(packets), maxBatch)]
		packets = packets[len(chunk):]
		s.out.next, s.out.end = 0, 0
		for i := range chunk {
			if s.out.forWrite(s.out.end, &chunk[i]) {
				s.out.end++
			}
		}
		n, err := s.send(deadline)
		s.out.forget(len(chunk))
		sent += n
		if err == errFull {
			break // the rest is dropped, as the contract says
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

var errFull = errors.New("udp: no room to send")

// send sends out, but for what the kernel refuses, and returns how many left.
func (s *batched) send(deadline time.Time) (sent int, err error) {
	for s.out.next < s.out.end {
		if err := s.raw.Write(s.write); err != nil {
			return sent, net.ErrClosed // nothing else ends a write that does not wait
		}
		switch s.out.errno {
		case 0:
			// If these are not all, the kernel has stopped at one, and tells why when asked again.
			sent += s.out.n
			s.out.next += s.out.n
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
			if time.Now().After(deadline) {
				return sent, errFull
			}
			time.Sleep(pause)
		default:
			s.out.next++ // of the first message
		}
	}
	return sent, nil
}
