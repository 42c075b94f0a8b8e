package udp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

// implementation is what the contract suite runs against. listen opens a socket, on a
// network that all sockets of one test share.
type implementation struct {
	name string
	open func() (listen func(t *testing.T, address string) Socket)
}

var implementations = []implementation{
	{"kernel", func() func(*testing.T, string) Socket {
		return func(t *testing.T, address string) Socket {
			t.Helper()
			sockets, err := Listen(t.Context(), address, 1, DefaultReceiveBuffer)
			if err != nil {
				t.Fatal(err)
			}
			return closeLater(t, sockets[0])
		}
	}},
	{"portable", func() func(*testing.T, string) Socket {
		return func(t *testing.T, address string) Socket {
			t.Helper()
			return closeLater(t, listenPortable(t, address))
		}
	}},
	{"memory", func() func(*testing.T, string) Socket {
		network := NewNetwork(nil)
		return func(t *testing.T, address string) Socket {
			t.Helper()
			s, err := network.Listen(netip.MustParseAddrPort(address))
			if err != nil {
				t.Fatal(err)
			}
			return closeLater(t, s)
		}
	}},
}

// contract runs a test against each implementation.
func contract(t *testing.T, test func(t *testing.T, listen func(t *testing.T, address string) Socket)) {
	for _, i := range implementations {
		t.Run(i.name, func(t *testing.T) { test(t, i.open()) })
	}
}

// listenPortable opens the socket of other systems on any.
func listenPortable(t testing.TB, address string) *portable {
	t.Helper()
	c, err := listen(t.Context(), address, false, DefaultReceiveBuffer)
	if err != nil {
		t.Fatal(err)
	}
	return newPortable(c)
}

// tells reports whether the implementation under test tells the address that was asked,
// and takes a source address.
func tells(t *testing.T) bool {
	return strings.Contains(t.Name(), "/memory") || runtime.GOOS == "linux" && strings.Contains(t.Name(), "/kernel")
}

func closeLater(t *testing.T, s Socket) Socket {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// room returns n packets to read into.
func room(n, size int) []Packet {
	packets := make([]Packet, n)
	for i := range packets {
		packets[i].Buf = make([]byte, size)
	}
	return packets
}

// read returns want datagrams, read in batches of at most batch.
func read(t *testing.T, s Socket, want, batch int) []Packet {
	t.Helper()
	late := time.AfterFunc(10*time.Second, func() { _ = s.Close() })
	defer late.Stop()
	var got []Packet
	packets := room(batch, 64)
	for len(got) < want {
		n, err := s.ReadBatch(packets)
		if err != nil {
			t.Fatalf("after %d of %d datagrams: %v", len(got), want, err)
		}
		if n < 1 || n > batch {
			t.Fatalf("read %d in a batch of %d", n, batch)
		}
		for _, p := range packets[:n] {
			p.Buf = bytes.Clone(p.Buf)
			got = append(got, p)
		}
	}
	return got
}

// write sends and expects all to leave.
func write(t *testing.T, s Socket, packets ...Packet) {
	t.Helper()
	if n, err := s.WriteBatch(packets); n != len(packets) || err != nil {
		t.Fatalf("wrote %d of %d: %v", n, len(packets), err)
	}
}

func to(s Socket, datagram string) Packet {
	return Packet{Buf: []byte(datagram), Peer: s.LocalAddr()}
}

func TestExchange(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		server, client := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
		write(t, client, to(server, "question"))
		p := read(t, server, 1, 8)[0]
		if string(p.Buf) != "question" || p.Peer != client.LocalAddr() || p.Local != server.LocalAddr().Addr() {
			t.Errorf("got %q from %s to %s", p.Buf, p.Peer, p.Local)
		}
		p.Buf = []byte("answer")
		write(t, server, p)
		if p := read(t, client, 1, 8)[0]; string(p.Buf) != "answer" || p.Peer != server.LocalAddr() {
			t.Errorf("got %q from %s", p.Buf, p.Peer)
		}
	})
}

func TestBatches(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		server, client := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
		if n, err := server.ReadBatch(nil); n != 0 || err != nil {
			t.Errorf("read no packets: %d, %v", n, err)
		}
		if n, err := client.WriteBatch(nil); n != 0 || err != nil {
			t.Errorf("wrote no packets: %d, %v", n, err)
		}
		// One system call moves 64 at most; larger batches come after smaller ones and before.
		for _, size := range []int{1, 2, 20, 256, 63, 64, 65, 128, 129, 1} {
			var packets []Packet
			for i := range size {
				packets = append(packets, to(server, strings.Repeat("x", i%30)+fmt.Sprint(i)))
			}
			write(t, client, packets...)
			for i, p := range read(t, server, size, size) {
				if want := packets[i].Buf; !bytes.Equal(p.Buf, want) || p.Peer != client.LocalAddr() || p.Local != server.LocalAddr().Addr() {
					t.Fatalf("datagram %d of %d is %q from %s to %s, want %q", i, size, p.Buf, p.Peer, p.Local, want)
				}
			}
		}
	})
}

func TestBufferIsUsedAgain(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		server, client := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
		packets := room(1, 8)
		// A short one, an empty one, one that fills the buffer, one that is longer.
		for _, datagram := range []string{"1", "", "12345678", "123456789"} {
			write(t, client, to(server, datagram))
			n, err := server.ReadBatch(packets)
			if n != 1 || err != nil {
				t.Fatalf("read %d: %v", n, err)
			}
			if want := datagram[:min(len(datagram), 8)]; string(packets[0].Buf) != want {
				t.Errorf("got %q, want %q", packets[0].Buf, want)
			}
		}
		// The same among others: nothing of a long one reaches its neighbours.
		write(t, client, to(server, "before"), to(server, strings.Repeat("long", 200)), to(server, "after"))
		got := read(t, server, 3, 3)
		if string(got[0].Buf) != "before" || string(got[1].Buf) != strings.Repeat("long", 16) || string(got[2].Buf) != "after" {
			t.Errorf("got %q, %q, %q", got[0].Buf, got[1].Buf, got[2].Buf)
		}
	})
}

func TestRefusedPacketIsSkipped(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		for _, from := range []string{"127.0.0.1:0", "[::]:0"} {
			if strings.HasPrefix(from, "[") {
				needIPv6(t)
			}
			server, client := listen(t, "127.0.0.1:0"), listen(t, from)
			packets := []Packet{
				to(server, "first"),
				{Buf: []byte("port 0"), Peer: netip.MustParseAddrPort("127.0.0.1:0")},
				{Buf: []byte("nowhere")},
				{Buf: []byte("no address"), Peer: netip.AddrPortFrom(netip.Addr{}, server.LocalAddr().Port())},
				to(server, "last"),
			}
			if n, err := client.WriteBatch(packets); n != 2 || err != nil {
				t.Errorf("wrote %d: %v", n, err)
			}
			got := read(t, server, 2, 1)
			if string(got[0].Buf) != "first" || string(got[1].Buf) != "last" {
				t.Errorf("got %q, %q", got[0].Buf, got[1].Buf)
			}
		}
	})
}

func TestDeadPeerEndsNothing(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		server, client, dead := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
		if err := dead.Close(); err != nil {
			t.Fatal(err)
		}
		for range 3 { // each is answered by an ICMP error
			write(t, server, to(dead, "anyone?"))
		}
		write(t, client, to(server, "I am"))
		if p := read(t, server, 1, 1)[0]; string(p.Buf) != "I am" {
			t.Errorf("got %q", p.Buf)
		}
		write(t, server, to(dead, "anyone?"), to(client, "you"))
		if p := read(t, client, 1, 1)[0]; string(p.Buf) != "you" {
			t.Errorf("got %q", p.Buf)
		}
	})
}

func TestCloseUnblocks(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		server, client := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
		reading, ended := make(chan struct{}), make(chan error)
		go func() {
			close(reading)
			_, err := server.ReadBatch(room(1, 8))
			ended <- err
		}()
		<-reading
		for range 2 {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the waiting read ended with %v", err)
		}
		if _, err := server.ReadBatch(room(1, 8)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a later read ended with %v", err)
		}
		if n, err := server.WriteBatch([]Packet{to(client, "x")}); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("a later write: %d, %v", n, err)
		}
		if n, err := server.WriteBatch(nil); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("a later write of nothing: %d, %v", n, err)
		}
		server.Drops()
	})
}

func TestCloseWhileWriting(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		server, client := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
		packets := make([]Packet, 100)
		for i := range packets {
			packets[i] = to(server, "x")
		}
		writing, ended := make(chan struct{}, 2), make(chan error)
		for range 2 {
			go func() {
				_, err := client.WriteBatch(packets)
				writing <- struct{}{}
				for err == nil {
					_, err = client.WriteBatch(packets)
				}
				ended <- err
			}()
		}
		<-writing
		<-writing
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := <-ended; !errors.Is(err, net.ErrClosed) {
				t.Errorf("a write ended with %v", err)
			}
		}
	})
}

func TestAddressIsFreeAfterClose(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		client, server := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
		write(t, client, to(server, "to the first"))
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		again := listen(t, server.LocalAddr().String())
		write(t, client, to(again, "to the second"))
		if p := read(t, again, 1, 8)[0]; string(p.Buf) != "to the second" {
			t.Errorf("got %q", p.Buf)
		}
	})
}

func TestFullReceiverDrops(t *testing.T) {
	contract(t, func(t *testing.T, listen func(*testing.T, string) Socket) {
		server, client := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
		packets := make([]Packet, 100)
		for i := range packets {
			packets[i] = Packet{Buf: make([]byte, 1152), Peer: server.LocalAddr()}
		}
		const most = 20_000 // 23 MB, more than any buffer holds
		sent, counted := 0, runtime.GOOS == "linux" || strings.HasSuffix(t.Name(), "/memory")
		for sent < most && (server.Drops() == 0 || !counted) {
			n, err := client.WriteBatch(packets)
			if err != nil {
				t.Fatal(err)
			}
			sent += n
		}
		if counted && server.Drops() == 0 {
			t.Fatalf("none of %d datagrams was dropped", sent)
		}

		// Closing counts once more.
		server = listen(t, "127.0.0.1:0")
		for i := range packets {
			packets[i].Peer = server.LocalAddr()
		}
		for i := 0; i < 2*sent; i += len(packets) {
			if _, err := client.WriteBatch(packets); err != nil {
				t.Fatal(err)
			}
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		if counted && server.Drops() == 0 {
			t.Error("none was dropped, says the closed socket")
		}
	})
}
