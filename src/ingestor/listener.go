package ingestor

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/queue"
	"coap-for-aws-iot/src/udp"
)

// batch is how many datagrams are read or written at a time at most.
const batch = 64

// maxWaiting is how many answers to reports wait for a socket at most: as many as the sender
// may hold reports (see queue.maxHeld), so that all of them can be answered at once. More
// come only if the socket takes fewer than the queue confirms; those are dropped, as a
// network would.
const maxWaiting = 177_000

// A listener serves one socket: read runs in one goroutine, write in another.
type listener struct {
	in     *Ingestor
	socket udp.Socket

	handled atomic.Uint64 // datagrams

	// owned by read
	request coap.Request
	query   []byte
	out     outbox

	replies  chan struct{} // capacity 1: there is something for write to do
	mu       sync.Mutex    // guards the following
	waiting  []reply       // answers to reports, at most maxWaiting
	finished bool
}

// A reply is the answer to one message, to be encoded.
type reply struct {
	peer     netip.AddrPort
	local    netip.Addr // the address that was asked
	exchange coap.Exchange
	response coap.Response
	received time.Time
}

func newListener(in *Ingestor, socket udp.Socket) *listener {
	return &listener{
		in: in, socket: socket,
		query:   make([]byte, 0, 256),
		out:     newOutbox(),
		replies: make(chan struct{}, 1),
	}
}

// read handles datagrams until the socket is closed. An error means that it is broken.
func (l *listener) read() error {
	packets := make([]udp.Packet, batch)
	for i := range packets {
		packets[i].Buf = make([]byte, coap.MaxDatagram+1) // one more, to see that a datagram is too long
	}
	for {
		n, err := l.socket.ReadBatch(packets)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		now, wall := time.Now(), l.in.cfg.Clock.Now().UnixMilli()
		for i := range packets[:n] {
			l.handle(&packets[i], now, wall)
		}
		l.flush(&l.out)
		l.handled.Add(uint64(n))
	}
}

// handle deals with one datagram: an answer of ours goes into l.out, a report to the
// sender. wall is the time of reception in milliseconds.
func (l *listener) handle(p *udp.Packet, now time.Time, wall int64) {
	m := l.in.metrics
	m.received.Inc()
	if !l.in.welcome(p) {
		m.source.Inc()
		return
	}
	r := &l.request
	verdict := coap.Classify(p.Buf, r)
	if verdict.Action != coap.Handle {
		m.refused[verdict.Reason].Inc()
		if verdict.Action != coap.Silence {
			l.out.add(p, func(dst []byte) []byte { return verdict.Append(dst, &r.Exchange, l.in.salt) })
		}
		return
	}
	route := l.in.router.route(r)
	switch {
	case route.report:
		l.accept(p, now, wall)
	case route.health:
		l.answer(p, l.in.health.response(now))
	default:
		m.refuse(route.reason)
		l.answer(p, coap.Response{Code: route.code, ContentFormat: route.format})
	}
}

func (l *listener) answer(p *udp.Packet, response coap.Response) {
	l.out.add(p, func(dst []byte) []byte { return l.request.Append(dst, l.in.salt, response) })
}

// accept turns the request into a report for the sender, unless it is a duplicate: a
// CON hears the same answer again once there is one, a NON nothing (RFC 7252, section
// 4.5), also while new reports are refused.
func (l *listener) accept(p *udp.Packet, now time.Time, wall int64) {
	in, r := l.in, &l.request
	t := in.dedup.ticket(p.Peer, r.MessageID, p.Buf)
	ready := in.health.ready()
	var known state
	if ready {
		known = in.dedup.begin(t, now)
	} else {
		known = in.dedup.look(t, now)
	}
	switch {
	case known == stored:
		in.metrics.duplicates.Inc()
		if r.Confirmable {
			l.answer(p, coap.Response{Code: codes.Changed})
		}
		return
	case known == pending:
		in.metrics.duplicates.Inc()
		return
	case !ready:
		in.metrics.refuse(reasonNotReady)
		l.answer(p, unavailable())
		return
	}
	path := r.Path()
	seq, numbered, _ := r.Seq()
	l.query = r.AppendQuery(l.query[:0])
	e := newExchange(l, p, r, t, now)
	err := in.sender.Put(&envelope.Report{
		Received:    wall,
		From:        p.Peer,
		Confirmable: r.Confirmable,
		MessageID:   r.MessageID,
		Token:       r.Token(),
		Type:        string(path[0]),
		ID:          string(path[1]),
		Query:       string(l.query),
		Seq:         seq,
		Numbered:    numbered,
		Format:      r.ContentFormat,
		Payload:     r.Payload,
	}, e.done)
	if err != nil {
		e.free()
		in.dedup.settle(t, false, now)
		reason := reasonFull
		if errors.Is(err, queue.ErrClosed) {
			reason = reasonNotReady
		}
		in.metrics.refuse(reason)
		l.answer(p, unavailable())
		return
	}
	in.metrics.accepted.Inc()
}

// settled is called once for each report that the sender took, by a goroutine of the
// sender.
func (l *listener) settled(e *exchange, err error) {
	in := l.in
	in.dedup.settle(e.ticket, err == nil, time.Now())
	in.health.outcome(err)
	rep := reply{peer: e.peer, local: e.local, exchange: e.exchange, received: e.received}
	switch {
	case err == nil:
		in.metrics.stored.Inc()
		rep.response.Code = codes.Changed
	case errors.Is(err, queue.ErrRefused):
		// What SQS refuses for its content it will refuse at every endpoint: tell the
		// device not to repeat it (RFC 7252, section 5.9.2.1).
		in.metrics.refuse("queue-refused")
		rep.response.Code = codes.BadRequest
	default:
		in.metrics.refuse(reasonUnconfirmed)
		rep.response = unavailable()
	}
	e.free()
	l.mu.Lock()
	full := len(l.waiting) == maxWaiting
	if !full {
		l.waiting = append(l.waiting, rep)
	}
	l.mu.Unlock()
	if full {
		in.metrics.unsent.Inc()
		return
	}
	l.signal()
}

func (l *listener) signal() {
	select {
	case l.replies <- struct{}{}:
	default:
	}
}

// finish makes write return when it has written what waits.
func (l *listener) finish() {
	l.mu.Lock()
	l.finished = true
	l.mu.Unlock()
	l.signal()
}

// write sends the answers to reports.
func (l *listener) write() {
	out := newOutbox()
	var spare []reply
	for range l.replies {
		l.mu.Lock()
		work, finished := l.waiting, l.finished
		l.waiting = spare[:0]
		l.mu.Unlock()
		for chunk := work; len(chunk) > 0; {
			n := min(batch, len(chunk))
			l.send(&out, chunk[:n])
			chunk = chunk[n:]
		}
		if cap(work) > 4*batch*batch { // what a burst has grown is given back
			work = nil
		}
		spare = work
		if finished {
			return
		}
	}
}

func (l *listener) send(out *outbox, replies []reply) {
	for i := range replies {
		r := &replies[i]
		out.add(&udp.Packet{Peer: r.peer, Local: r.local}, func(dst []byte) []byte {
			return r.exchange.Append(dst, l.in.salt, r.response)
		})
	}
	unsent := l.flush(out)
	now := time.Now()
	acked := -unsent // whichever they were: too few is the safe side of this counter
	for i := range replies {
		if replies[i].response.Code == codes.Changed {
			acked++
			l.in.metrics.latency.Observe(now.Sub(replies[i].received).Seconds())
		}
	}
	l.in.metrics.acked.Add(float64(max(acked, 0)))
}

// flush writes an outbox and returns how many replies did not leave. What the kernel
// refuses is counted and forgotten: the device will ask again.
func (l *listener) flush(out *outbox) (unsent int) {
	if len(out.packets) == 0 {
		return 0
	}
	n, _ := l.socket.WriteBatch(out.packets) // the only error is net.ErrClosed
	unsent = len(out.packets) - n
	l.in.metrics.unsent.Add(float64(unsent))
	out.reset()
	return unsent
}

// welcome reports whether a datagram is looked at, by its addresses. Port 0 cannot be
// answered; a multicast, broadcast or unspecified source is forged (RFC 1122, section
// 3.2.1.3); what was sent to a group is not for us (RFC 7252, section 8); other
// ingestors never ask us anything.
func (in *Ingestor) welcome(p *udp.Packet) bool {
	from := p.Peer.Addr()
	return p.Peer.Port() != 0 &&
		!from.IsMulticast() && !from.IsUnspecified() && from != broadcast &&
		!p.Local.IsMulticast() && p.Local != broadcast &&
		!slices.Contains(in.cfg.IgnoreSources, from)
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// maxAge is for how long a device should leave this endpoint alone after a 5.03, in
// seconds, give or take a quarter so that a fleet does not come back in step.
const maxAge = 30

func unavailable() coap.Response {
	return coap.Response{Code: codes.ServiceUnavailable, MaxAge: maxAge*3/4 + rand.Uint32N(maxAge/2+1)}
}
