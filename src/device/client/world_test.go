package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/udp"
)

// A world is four servers on a network in memory and a device beside them. It is made
// inside a bubble of testing/synctest.
type world struct {
	t       *testing.T
	network *udp.Network
	sockets []udp.Socket // the servers', in the order of the endpoints
	config  Config

	mu       sync.Mutex // guards the following
	answers  [device.N]answer
	received []received
	opened   int // sockets of the device
	closed   int
}

// answer is what a server does with a request; nil is nothing.
type answer func(request coap.Request, datagram []byte) (replies [][]byte, after time.Duration)

// received is a datagram that reached a server.
type received struct {
	server   int
	datagram []byte
	from     netip.AddrPort
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, network: udp.NewNetwork(nil)}
	w.config = Config{Type: "th", ID: "a1", Open: w.open, Entropy: counter()}
	var done sync.WaitGroup
	for i := range device.N {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 5683)
		socket, err := w.network.Listen(at)
		if err != nil {
			t.Fatal(err)
		}
		w.config.Endpoints = append(w.config.Endpoints, at)
		w.sockets = append(w.sockets, socket)
		done.Add(1)
		go func() {
			defer done.Done()
			w.serve(i, socket)
		}()
	}
	t.Cleanup(func() {
		for _, s := range w.sockets {
			s.Close()
		}
		done.Wait()
		if w.opened != w.closed {
			t.Errorf("the device opened %d sockets and closed %d", w.opened, w.closed)
		}
	})
	return w
}

// counter is entropy that a test can repeat.
func counter() func() uint32 {
	n := uint32(0)
	return func() uint32 { n++; return n }
}

func (w *world) open(context.Context) (udp.Socket, error) {
	s, err := w.network.Listen(netip.MustParseAddrPort("198.51.100.1:0"))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened++
	return &countedSocket{Socket: s, w: w}, err
}

type countedSocket struct {
	udp.Socket
	w *world
}

func (s *countedSocket) Close() error {
	s.w.mu.Lock()
	s.w.closed++
	s.w.mu.Unlock()
	return s.Socket.Close()
}

func (w *world) serve(i int, socket udp.Socket) {
	packets := []udp.Packet{{Buf: make([]byte, 0, 2000)}}
	for {
		if _, err := socket.ReadBatch(packets); err != nil {
			return
		}
		datagram := bytes.Clone(packets[0].Buf)
		w.mu.Lock()
		w.received = append(w.received, received{i, datagram, packets[0].Peer})
		answer := w.answers[i]
		w.mu.Unlock()
		var request coap.Request
		if answer == nil || coap.Classify(datagram, &request).Action != coap.Handle {
			continue
		}
		replies, after := answer(request, datagram)
		peer := packets[0].Peer
		time.AfterFunc(after, func() {
			for _, r := range replies {
				socket.WriteBatch([]udp.Packet{{Buf: r, Peer: peer}})
			}
		})
	}
}

// answer sets what all servers do, or some.
func (w *world) answer(a answer, servers ...int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(servers) == 0 {
		servers = []int{0, 1, 2, 3}
	}
	for _, i := range servers {
		w.answers[i] = a
	}
}

// heard returns what reached the servers since the last call.
func (w *world) heard() []received {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.received
	w.received = nil
	return r
}

func (w *world) client() *Client {
	w.t.Helper()
	c, err := New(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// send sends and wants an outcome.
func (w *world) send(c *Client, payload string, want device.Outcome) Result {
	w.t.Helper()
	r, err := c.Send(context.Background(), []byte(payload), 50, false)
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Outcome != want {
		w.t.Fatalf("%s, want %s", r, want)
	}
	return r
}

// responds is a server's plain answer.
func responds(after time.Duration, response coap.Response) answer {
	return func(request coap.Request, _ []byte) ([][]byte, time.Duration) {
		return [][]byte{request.Append(nil, 0, response)}, after
	}
}

func stores(after time.Duration) answer { return responds(after, coap.Response{Code: codes.Changed}) }

// describe is a request as a line.
func describe(t *testing.T, r received) string {
	t.Helper()
	var request coap.Request
	if v := coap.Classify(r.datagram, &request); v.Action != coap.Handle {
		return fmt.Sprintf("%d: %v", r.server, v)
	}
	kind := "NON"
	if request.Confirmable {
		kind = "CON"
	}
	line := fmt.Sprintf("%d: %s %s %s/%s %d %q", r.server, kind, request.Method, request.Path()[0], request.Path()[1], request.ContentFormat, request.Payload)
	if seq, present, ok := request.Seq(); present && ok {
		line += fmt.Sprintf(" s=%x", seq)
	}
	if request.NoResponse != 0 {
		line += fmt.Sprintf(" no-response=%d", request.NoResponse)
	}
	m, _ := coap.Parse(r.datagram)
	for id, value := range m.Options() {
		if id == echoOption {
			line += fmt.Sprintf(" echo=%x", value)
		}
	}
	return line
}

func (w *world) expect(want ...string) []received {
	w.t.Helper()
	heard := w.heard()
	var got []string
	for _, r := range heard {
		got = append(got, describe(w.t, r))
	}
	if len(got) != len(want) {
		w.t.Fatalf("the servers heard %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			w.t.Fatalf("the servers heard %q, want %q", got, want)
		}
	}
	return heard
}

// memory is a Memory that fails as it is told: before saving, or after.
type memory struct {
	saved         []byte
	saves         int
	before, after error
}

func (m *memory) Load() ([]byte, error) { return m.saved, nil }

func (m *memory) Save(b []byte) error {
	if m.before != nil {
		return m.before
	}
	m.saves++
	m.saved = bytes.Clone(b)
	return m.after
}

var errFlash = errors.New("flash is worn out")

// separate answers with an empty ACK and a CON of its own.
func separate(request coap.Request, _ []byte) ([][]byte, time.Duration) {
	return [][]byte{
		coap.AppendHeader(nil, message.Acknowledgement, codes.Empty, request.MessageID, nil),
		coap.AppendHeader(nil, message.Confirmable, codes.Changed, 0x7777, request.Token()),
	}, 100 * time.Millisecond
}
