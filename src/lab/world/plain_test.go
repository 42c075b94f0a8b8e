package world

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/udp"
)

// A plain radio is a CoAP client that somebody else wrote: it retransmits to one endpoint
// as RFC 7252, section 4.2, says, and then goes on to the next. It keeps its address, and
// hears an ACK however late it comes.
type plain struct {
	*device
	socket    udp.Socket
	neighbour *plain // shares address and port, behind one NAT; nil: none

	// owned by run
	seq       uint64
	messageID uint16
	rotation  int
	answers   chan answer
}

type answer struct {
	token string
	code  codes.Code
}

// newPlain makes a plain radio. Every second lives behind a NAT that gives it the address
// and port of the one before, and both count Message IDs from the same number: other
// bytes with the same source and Message ID are another message.
func (w *world) newPlain(d *device, i int, before *plain) *plain {
	p := &plain{
		device:    d,
		rotation:  w.chance.below(d.name, len(w.hosts)),
		messageID: uint16(w.chance.below(d.name, 1<<16)),
		seq:       uint64(w.chance.below(d.name, 1<<20)),
		answers:   make(chan answer, 64),
	}
	if before != nil && before.neighbour == nil && i%6 == 5 {
		before.neighbour, p.socket, p.messageID = p, before.socket, before.messageID
		return p
	}
	socket, err := w.net.Listen(netip.AddrPortFrom(deviceAddr(i), 40000))
	if err != nil {
		panic(err)
	}
	p.socket = socket
	go p.listen()
	return p
}

func deviceAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + i)}) }

func (p *plain) close() { p.socket.Close() } // twice for neighbours

// report sends one message until an ACK, never faster than ACK_TIMEOUT, twice to one
// endpoint and then to the next, at most eight times; a 5.03 sends it on at once.
func (p *plain) report(r saying) time.Duration {
	w := p.world
	p.seq += 1 + uint64(w.chance.below(p.name, 3)) // gaps are allowed
	con := !w.chance.happens("non "+p.name, 0.1)
	tries := 8
	if !con {
		tries = 1
	}
	token := fmt.Sprintf("%08x", w.chance.below("token "+p.name, 1<<31))[:8]
	w.expect(p.name+" "+token, r.acked)
	timeout := w.chance.between(p.name, 2*time.Second, 3*time.Second)
	p.messageID++
	again := false // the same datagram to the same endpoint
	for try := range tries {
		p.socket.WriteBatch([]udp.Packet{{Buf: p.datagram(con, token, r), Peer: w.hosts[p.rotation%len(w.hosts)].addr}})
		w.count("transmissions")
		if try > 0 {
			w.count("retransmissions")
		}
		code, heard := p.await(token, min(timeout<<try, 32*time.Second))
		switch {
		case code == codes.Changed:
			w.count("acks")
			p.rotation++
			return 0
		case code == codes.ServiceUnavailable:
			w.count("5.03")
		case heard:
			w.faulty("%s: answered %v", p.name, code)
		}
		if again = !again && !heard; !again {
			p.messageID++
			p.rotation++
		}
	}
	p.rotation++
	return 0
}

// await waits for the answer to a message.
func (p *plain) await(token string, most time.Duration) (code codes.Code, heard bool) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		select {
		case a := <-p.answers:
			if a.token == token {
				return a.code, true
			}
		case <-timer.C:
			return 0, false
		}
	}
}

func (p *plain) datagram(con bool, token string, r saying) []byte {
	kind := message.NonConfirmable
	if con {
		kind = message.Confirmable
	}
	b := coap.AppendHeader(nil, kind, codes.POST, p.messageID, []byte(token))
	last := message.OptionID(0)
	for segment := range strings.SplitSeq(r.path[1:], "/") {
		b = coap.AppendOption(b, last, message.URIPath, segment)
		last = message.URIPath
	}
	b = coap.AppendUintOption(b, last, message.ContentFormat, uint32(r.format))
	if p.numbered {
		b = coap.AppendOption(b, message.ContentFormat, message.URIQuery, "s="+strconv.FormatUint(p.seq, 16))
	}
	return coap.AppendPayload(b, r.payload)
}

// listen takes answers until the socket is closed.
func (p *plain) listen() {
	packets := []udp.Packet{{Buf: make([]byte, 1500)}}
	for {
		if _, err := p.socket.ReadBatch(packets); err != nil {
			return
		}
		m, reason := coap.Parse(packets[0].Buf)
		if reason != coap.None {
			p.world.faulty("%s: a malformed answer: %x", p.name, packets[0].Buf)
			continue
		}
		if m.Type == message.Confirmable {
			p.world.faulty("%s: answered by a CON", p.name)
		}
		for at := p; at != nil; at = at.neighbour {
			if m.Code == codes.Changed {
				p.world.heard(at.name + " " + string(m.Token))
			}
			select {
			case at.answers <- answer{string(m.Token), m.Code}:
			default: // it does not listen
			}
		}
	}
}
