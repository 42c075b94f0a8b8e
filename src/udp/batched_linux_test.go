package udp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func listenBatched(t testing.TB, address string) *batched {
	t.Helper()
	sockets, err := Listen(t.Context(), address, 1, DefaultReceiveBuffer)
	if err != nil {
		t.Fatal(err)
	}
	return sockets[0].(*batched)
}

// TestPartialWrites: whatever the kernel answers to each of its calls, what it takes goes
// out in order, and once.
func TestPartialWrites(t *testing.T) {
	type answer struct {
		most  int // messages that the kernel sends now
		errno unix.Errno
	}
	all := answer{most: maxBatch}
	for _, test := range []struct {
		name    string
		answers []answer // the last one again and again
		size    int
		want    string
	}{
		{"all", []answer{all}, 5, "01234"},
		{"one at a time", []answer{{most: 1}}, 5, "01234"},
		{"stops at one that is refused", []answer{{most: 2}, {errno: unix.EPERM}, all}, 5, "0134"},
		{"refuses the first and the last", []answer{{errno: unix.EINVAL}, {most: 3}, {errno: unix.EMSGSIZE}}, 5, "123"},
		{"refuses all", []answer{{errno: unix.ENETUNREACH}}, 5, ""},
		{"is full for a while", []answer{{errno: unix.EAGAIN}, {errno: unix.EAGAIN}, {most: 3}, {errno: unix.EAGAIN}, all}, 5, "01234"},
		{"has no memory for a while", []answer{{errno: unix.ENOBUFS}, {errno: unix.ENOMEM}, all}, 5, "01234"},
		{"is full for good", []answer{{most: 2}, {errno: unix.EAGAIN}}, 5, "01"},
		{"has no memory for good", []answer{{most: 2}, {errno: unix.ENOBUFS}}, 200, "01"},
		{"refuses one in the second call of a large batch", []answer{all, {most: 1}, {errno: unix.EPERM}, all}, 67, "0123456789012345678901234567890123456789012345678901234567890123" + "46"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := closeLater(t, listenBatched(t, "127.0.0.1:0"))
			client := listenBatched(t, "127.0.0.1:0")
			closeLater(t, client)
			answers := test.answers
			client.sendmmsg = func(fd uintptr, messages []message) (int, unix.Errno) {
				if len(messages) < 1 || len(messages) > maxBatch {
					t.Errorf("a call for %d messages", len(messages))
				}
				now := answers[0]
				if len(answers) > 1 {
					answers = answers[1:]
				}
				if now.errno != 0 {
					return -1, now.errno
				}
				return sendmmsg(fd, messages[:min(now.most, len(messages))])
			}
			var packets []Packet
			for i := range test.size {
				packets = append(packets, to(server, fmt.Sprint(i%10)))
			}
			start := time.Now()
			if n, err := client.WriteBatch(packets); n != len(test.want) || err != nil {
				t.Errorf("wrote %d: %v", n, err)
			}
			if strings.HasSuffix(test.name, "for good") && time.Since(start) < writeLimit {
				t.Errorf("gave up after %s", time.Since(start))
			}
			if test.want == "" {
				return
			}
			got := ""
			for _, p := range read(t, server, len(test.want), 64) {
				got += string(p.Buf)
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestFullSendBuffer: several writers wait for room together as long as one, and none that
// waits keeps the socket from being closed.
func TestFullSendBuffer(t *testing.T) {
	s := listenBatched(t, "127.0.0.1:0")
	closeLater(t, s)
	s.sendmmsg = func(uintptr, []message) (int, unix.Errno) { return -1, unix.EAGAIN }
	const writers = 20
	s.limit = 300 * time.Millisecond
	start, ended := time.Now(), make(chan error)
	write := func() {
		n, err := s.WriteBatch([]Packet{to(s, "1"), to(s, "2")})
		if n != 0 {
			t.Errorf("wrote %d", n)
		}
		ended <- err
	}
	for range writers {
		go write()
	}
	for range writers {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if waited := time.Since(start); waited < s.limit || waited > 10*s.limit {
		t.Errorf("%d writers waited %s", writers, waited)
	}
	s.limit = time.Hour
	go write()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != net.ErrClosed {
		t.Errorf("the waiting write ended with %v", err)
	}
}

// TestFullSendBufferDropsTheRest: what comes after the first 64 is not tried.
func TestFullSendBufferDropsTheRest(t *testing.T) {
	s := listenBatched(t, "127.0.0.1:0")
	closeLater(t, s)
	s.sendmmsg = func(fd uintptr, messages []message) (int, unix.Errno) {
		if len(messages) == maxBatch {
			return -1, unix.EAGAIN
		}
		return sendmmsg(fd, messages)
	}
	if n, err := s.WriteBatch(slices.Repeat([]Packet{to(s, "x")}, maxBatch+1)); n != 0 || err != nil {
		t.Errorf("wrote %d: %v", n, err)
	}
}

// TestReaderWaits: a reader without a datagram sleeps until there is one, and asks for no
// more than a batch.
func TestReaderWaits(t *testing.T) {
	s := listenBatched(t, "127.0.0.1:0")
	closeLater(t, s)
	calls, asked := 0, make(chan struct{}, 100)
	s.recvmmsg = func(fd uintptr, messages []message) (int, unix.Errno) {
		if len(messages) != maxBatch {
			t.Errorf("a call for %d messages", len(messages))
		}
		calls++
		n, errno := recvmmsg(fd, messages)
		asked <- struct{}{}
		return n, errno
	}
	go func() {
		<-asked
		time.Sleep(50 * time.Millisecond) // in which it must not ask
		_, _ = s.WriteBatch([]Packet{to(s, "x")})
	}()
	if p := read(t, s, 1, 256)[0]; string(p.Buf) != "x" {
		t.Errorf("got %q", p.Buf)
	}
	if calls > 5 { // one without a datagram, one with, and what else wakes a poller
		t.Errorf("%d calls for one datagram", calls)
	}
}

// TestReadsFailForAWhile: a kernel without memory breaks no socket.
func TestReadsFailForAWhile(t *testing.T) {
	s := listenBatched(t, "127.0.0.1:0")
	closeLater(t, s)
	failures := 0
	s.recvmmsg = func(fd uintptr, messages []message) (int, unix.Errno) {
		if failures < 10 {
			failures++
			return -1, unix.ENOBUFS
		}
		return recvmmsg(fd, messages)
	}
	write(t, s, to(s, "x"))
	start := time.Now()
	if p := read(t, s, 1, 1)[0]; string(p.Buf) != "x" {
		t.Errorf("got %q", p.Buf)
	}
	if spent := time.Since(start); spent < 9*pause {
		t.Errorf("10 failures in %s: no pause between them", spent)
	}
}

// TestBrokenSocket: a descriptor that is no socket any more fails at each read, and
// ReadBatch says so in the end.
func TestBrokenSocket(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	batched, portable := listenBatched(t, "127.0.0.1:0"), listenPortable(t, "127.0.0.1:0")
	batched.patience, portable.patience = 50*time.Millisecond, 50*time.Millisecond
	for _, s := range []struct {
		Socket
		*conn
	}{{batched, batched.conn}, {portable, portable.conn}} {
		t.Run(fmt.Sprintf("%T", s.Socket), func(t *testing.T) {
			if err := s.conn.control(func(fd uintptr) error { return unix.Dup3(int(null.Fd()), int(fd), unix.O_CLOEXEC) }); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			n, err := s.Socket.ReadBatch(room(1, 8))
			if n != 0 || err == nil || !strings.Contains(err.Error(), s.conn.local.String()) || !strings.Contains(err.Error(), unix.ENOTSOCK.Error()) {
				t.Errorf("%d, %v", n, err)
			}
			if spent := time.Since(start); spent < 50*time.Millisecond {
				t.Errorf("after %s", spent)
			}
			_ = s.Socket.Close()
		})
	}
}

// TestNothingIsKept: a packet is the caller's again when a call returns.
func TestNothingIsKept(t *testing.T) {
	s := listenBatched(t, "127.0.0.1:0")
	closeLater(t, s)
	write(t, s, slices.Repeat([]Packet{to(s, "x")}, 20)...)
	read(t, s, 20, 30)
	if len(s.out.vectors) != 20 || len(s.in.vectors) != 30 {
		t.Errorf("room for %d and %d", len(s.out.vectors), len(s.in.vectors))
	}
	for _, v := range slices.Concat(s.out.vectors, s.in.vectors) {
		if v.Base != nil {
			t.Fatal("a datagram's memory is kept")
		}
	}
}

// TestBroadcastIsTold: what was sent to a group can be told from what was sent to us.
func TestBroadcastIsTold(t *testing.T) {
	for _, wildcard := range []string{"0.0.0.0:0", "[::]:0"} {
		t.Run(wildcard, func(t *testing.T) {
			if strings.HasPrefix(wildcard, "[") {
				needIPv6(t)
			}
			server, client := listenBatched(t, wildcard), listenBatched(t, "127.0.0.1:0")
			closeLater(t, server)
			closeLater(t, client)
			group := netip.MustParseAddr("127.255.255.255")
			write(t, client, Packet{Buf: []byte("all"), Peer: netip.AddrPortFrom(group, server.LocalAddr().Port())})
			if p := read(t, server, 1, 1)[0]; p.Local != group {
				t.Errorf("sent to %s", p.Local)
			}
		})
	}
}

// TestForeignSource: a socket for IPv4 cannot send from IPv6, so the kernel chooses.
func TestForeignSource(t *testing.T) {
	s := listenBatched(t, "0.0.0.0:0")
	closeLater(t, s)
	loopback := netip.MustParseAddr("127.0.0.1")
	write(t, s, Packet{Buf: []byte("x"), Peer: netip.AddrPortFrom(loopback, s.LocalAddr().Port()), Local: netip.IPv6Loopback()})
	if p := read(t, s, 1, 1)[0]; p.Peer.Addr() != loopback {
		t.Errorf("from %s", p.Peer)
	}
}

// TestLinkLocal: a peer on a link has a zone, and is answered.
func TestLinkLocal(t *testing.T) {
	here := linkLocal(t)
	for _, listening := range []string{netip.AddrPortFrom(here, 0).String(), "[::]:0"} {
		t.Run(listening, func(t *testing.T) {
			server, client := listenBatched(t, listening), listenBatched(t, netip.AddrPortFrom(here, 0).String())
			closeLater(t, server)
			closeLater(t, client)
			write(t, client, Packet{Buf: []byte("who?"), Peer: netip.AddrPortFrom(here, server.LocalAddr().Port())})
			p := read(t, server, 1, 1)[0]
			if p.Peer != client.LocalAddr() {
				t.Errorf("from %s, want %s", p.Peer, client.LocalAddr())
			}
			write(t, server, p)
			read(t, client, 1, 1)
		})
	}
}

func linkLocal(t *testing.T) netip.Addr {
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is6() && prefix.Addr().IsLinkLocalUnicast() {
				return prefix.Addr().WithZone(i.Name)
			}
		}
	}
	t.Skip("no link-local address here")
	return netip.Addr{}
}
