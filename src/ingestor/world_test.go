package ingestor

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/queue"
	"coap-for-aws-iot/src/udp"
)

// fakeSQS answers SendMessageBatch as SQS does, below the real SDK, and fails on
// demand: before storing, after storing, slowly, and for what it finds in an entry.
type fakeSQS struct {
	mu     sync.Mutex // guards the following
	delay  time.Duration
	before error
	after  error
	refuse string
	bodies []string
}

func (f *fakeSQS) set(change func(*fakeSQS)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeSQS) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	delay, before := f.delay, f.before
	f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if before != nil {
		return nil, before
	}
	var in struct {
		Entries []struct{ Id, MessageBody string }
	}
	if r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessageBatch" || json.Unmarshal(body, &in) != nil {
		return nil, errors.New("not a SendMessageBatch: " + string(body))
	}
	type success struct{ Id, MessageId, MD5OfMessageBody string }
	type failure struct {
		Id, Code    string
		SenderFault bool
	}
	var out struct {
		Successful []success
		Failed     []failure
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range in.Entries {
		if f.refuse != "" && strings.Contains(e.MessageBody, f.refuse) {
			out.Failed = append(out.Failed, failure{e.Id, "InvalidMessageContents", true})
			continue
		}
		f.bodies = append(f.bodies, e.MessageBody)
		sum := md5.Sum([]byte(e.MessageBody))
		out.Successful = append(out.Successful, success{e.Id, "m", hex.EncodeToString(sum[:])})
	}
	if f.after != nil {
		return nil, f.after
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:   io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)),
	}, nil
}

// reports are all that is stored, in order of arrival at SQS.
func (f *fakeSQS) reports(t *testing.T) []envelope.Report {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []envelope.Report
	for _, body := range f.bodies {
		b, err := envelope.Open(body)
		if err != nil {
			t.Fatal(err)
		}
		if b.Origin != (envelope.Origin{Ingestor: "use1-a", Region: "us-east-1"}) {
			t.Errorf("origin %+v", b.Origin)
		}
		for line := range b.Lines() {
			r, err := line.Report()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
	}
	return all
}

// payloads are the payloads of all that is stored, sorted.
func (f *fakeSQS) payloads(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, r := range f.reports(t) {
		all = append(all, string(r.Payload))
	}
	slices.Sort(all)
	return all
}

var (
	endpoint = netip.MustParseAddrPort("192.0.2.1:5683")
	other    = netip.MustParseAddrPort("192.0.2.2:5683") // another ingestor
	home     = netip.MustParseAddrPort("198.51.100.7:40000")
)

// A world is one ingestor on a network in memory, with SQS below the real SDK.
type world struct {
	t      *testing.T
	sqs    *fakeSQS
	other  http.RoundTripper // to the other region's queue; nil: there is none
	net    *udp.Network
	wrap   func(udp.Socket) udp.Socket // around the ingestor's socket, unless nil
	in     *Ingestor
	stop   context.CancelFunc
	ended  chan struct{}
	err    error // of Run, once it has ended
	device *device
	log    *bytes.Buffer
}

// inWorld runs f in a synctest bubble, then stops the ingestor and checks that it
// drains in time.
func inWorld(t *testing.T, change func(*Config), f func(w *world)) {
	t.Helper()
	inWorlds(t, change, nil, f)
}

// inWorlds is inWorld with a fallback queue in eu-west-1, unless other is nil.
func inWorlds(t *testing.T, change func(*Config), other http.RoundTripper, f func(w *world)) {
	t.Helper()
	inWorldLike(t, world{other: other}, change, f)
}

// inWorldLike is inWorld with what like has in other and wrap.
func inWorldLike(t *testing.T, like world, change func(*Config), f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, other: like.other, wrap: like.wrap, sqs: &fakeSQS{delay: 20 * time.Millisecond}, net: udp.NewNetwork(nil), log: new(bytes.Buffer)}
		w.device = w.listen(home)
		w.in = w.start(endpoint, change)
		f(w)
		begun := time.Now()
		w.stop()
		<-w.ended
		if d := time.Since(begun); d > confirmWithin {
			t.Errorf("draining took %v", d)
		}
		synctest.Wait()
		if s := w.in.sender.Stats(); s.HeldBytes != 0 || s.InFlight != 0 {
			t.Errorf("the ingestor ended and still holds %+v", s)
		}
		w.device.socket.Close()
	})
}

func (w *world) start(at netip.AddrPort, change func(*Config)) *Ingestor {
	w.t.Helper()
	cfg := Config{Name: "use1-a", Region: "us-east-1", QueueURL: "https://sqs.us-east-1.amazonaws.com/1/reports", Linger: 5 * time.Millisecond, DedupMiB: 1, Clock: Clock{Now: time.Now, Synchronised: func() bool { return true }}}
	if w.other != nil {
		cfg.FallbackQueueURL, cfg.FallbackRegion = "https://sqs.eu-west-1.amazonaws.com/000000000000/reports", "eu-west-1"
	}
	if change != nil {
		change(&cfg)
	}
	socket, err := w.net.Listen(at)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.wrap != nil {
		socket = w.wrap(socket)
	}
	wire := func(sqs http.RoundTripper) aws.Config {
		return aws.Config{HTTPClient: &http.Client{Transport: sqs}, Credentials: credentials.NewStaticCredentialsProvider("x", "x", "")}
	}
	q := queue.At(wire(w.sqs), cfg.Region, cfg.QueueURL)
	var fallback *queue.Queue
	if w.other != nil {
		fallback = queue.At(wire(w.other), cfg.FallbackRegion, cfg.FallbackQueueURL)
	}
	in := New(cfg, []udp.Socket{socket}, q, fallback, slog.New(slog.NewJSONHandler(w.log, nil)))
	ctx, stop := context.WithCancel(w.t.Context())
	w.stop = stop
	ended := make(chan struct{})
	w.ended = ended
	go func() { w.err = in.Run(ctx); close(ended) }()
	return in
}

// A device sends datagrams and keeps what comes back, with its time.
type device struct {
	socket udp.Socket
	mu     sync.Mutex // guards the following
	got    []answer
}

type answer struct {
	text string // as show writes it
	at   time.Time
}

func (w *world) listen(at netip.AddrPort) *device {
	w.t.Helper()
	socket, err := w.net.Listen(at)
	if err != nil {
		w.t.Fatal(err)
	}
	d := &device{socket: socket}
	go func() {
		packet := []udp.Packet{{Buf: make([]byte, 2000)}}
		for {
			if _, err := socket.ReadBatch(packet); err != nil {
				return
			}
			d.mu.Lock()
			d.got = append(d.got, answer{show(packet[0].Buf), time.Now()})
			d.mu.Unlock()
		}
	}()
	return d
}

// show writes a reply as a transcript does: type, code, Message ID, token, options,
// payload.
func show(datagram []byte) string {
	m, reason := coap.Parse(datagram)
	if reason != coap.None {
		return "malformed " + hex.EncodeToString(datagram)
	}
	var s strings.Builder
	s.WriteString(map[message.Type]string{message.Confirmable: "CON", message.NonConfirmable: "NON", message.Acknowledgement: "ACK", message.Reset: "RST"}[m.Type])
	s.WriteString(" " + strings.TrimPrefix(codeText(m.Code), " "))
	if m.Type != message.NonConfirmable { // a NON's Message ID is salted
		s.WriteString(" mid=" + hex.EncodeToString([]byte{byte(m.MessageID >> 8), byte(m.MessageID)}))
	}
	if len(m.Token) > 0 {
		s.WriteString(" token=" + hex.EncodeToString(m.Token))
	}
	for id, value := range m.Options() {
		switch id {
		case message.MaxAge:
			s.WriteString(" Max-Age")
		default:
			s.WriteString(" " + id.String() + "=" + hex.EncodeToString(value))
		}
	}
	if len(m.Payload) > 0 {
		s.WriteString(" " + string(m.Payload))
	}
	return s.String()
}

func codeText(c codes.Code) string {
	return string([]byte{'0' + byte(c>>5), '.', '0' + byte(c&31)/10, '0' + byte(c&31)%10})
}

// send sends a datagram to the ingestor, from the device or from wherever else.
func (d *device) send(datagram []byte) {
	d.socket.WriteBatch([]udp.Packet{{Buf: datagram, Peer: endpoint}})
}

// take returns what has come since the last call.
func (d *device) take() []answer {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	got := d.got
	d.got = nil
	return got
}

// expect fails unless exactly these replies have come since the last call.
func (d *device) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	got := []string{}
	for _, a := range d.take() {
		got = append(got, a.text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// request is a datagram with a path and perhaps queries; "?" begins a query, "!" a
// No-Response mask.
func request(t message.Type, code codes.Code, mid uint16, path, payload string) []byte {
	b := coap.AppendHeader(nil, t, code, mid, []byte{0xa1, 0xb2})
	path, mask, declines := strings.Cut(path, "!")
	path, query, asks := strings.Cut(path, "?")
	last := message.OptionID(0)
	for segment := range strings.SplitSeq(path, "/") {
		b = coap.AppendOption(b, last, message.URIPath, segment)
		last = message.URIPath
	}
	if code == codes.POST || code == codes.PUT {
		b = coap.AppendUintOption(b, last, message.ContentFormat, uint32(message.AppJSON))
		last = message.ContentFormat
	}
	if asks {
		for q := range strings.SplitSeq(query, "&") {
			b = coap.AppendOption(b, last, message.URIQuery, q)
			last = message.URIQuery
		}
	}
	if declines {
		b = coap.AppendOption(b, last, message.NoResponse, mask)
	}
	return coap.AppendPayload(b, payload)
}

func con(mid uint16, path, payload string) []byte {
	return request(message.Confirmable, codes.POST, mid, path, payload)
}

func non(mid uint16, path, payload string) []byte {
	return request(message.NonConfirmable, codes.POST, mid, path, payload)
}

// counter reads a counter of the ingestor as Prometheus would.
func (w *world) counter(name, reason string) float64 {
	w.t.Helper()
	families, err := w.in.metrics.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if len(m.GetLabel()) == 0 && reason == "" || len(m.GetLabel()) == 1 && m.GetLabel()[0].GetValue() == reason {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}
