package coap

import (
	"strconv"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

const (
	// MaxDatagram is the longest datagram that is handled: the RFC's own upper bound for a
	// message when nothing is known of the path (RFC 7252, section 4.6). A reader's buffer
	// must be at least one byte longer, or too long a datagram looks like one that fits.
	MaxDatagram = 1152

	// MaxPayload is what a 4.13 names in Size1. Size1 speaks of the body, not of the
	// datagram (RFC 7252, section 5.10.9; RFC 7959, section 4), and section 4.6 pairs 1024
	// bytes of payload with 1152 of datagram. A longer payload that does fit is handled.
	MaxPayload = 1024
)

// Action is what to do with a datagram.
type Action uint8

// The actions.
const (
	Silence Action = iota // drop it
	Reset                 // answer RST
	Respond               // answer with the verdict's code
	Handle                // a request for the router
)

// Verdict is what Classify decided.
type Verdict struct {
	Action Action
	Reason Reason           // None for Handle
	Code   codes.Code       // for Respond
	Option message.OptionID // for BadOption: the first that was not recognised
}

// Classify decides what a datagram must be answered with, by the rules of message layer
// and options, before any routing. After Handle all of r is valid, after Respond and
// Reset its Exchange. Who sent the datagram is not its matter. Any goroutine may call it,
// each with an r of its own.
func Classify(datagram []byte, r *Request) Verdict {
	m, rest, reason := parseHeader(datagram)
	// Of a datagram that is too long the options are not read: its end may be cut off.
	tooLarge := len(datagram) > MaxDatagram
	if reason == None && !tooLarge {
		reason = m.parseOptions(rest)
	}
	r.begin(&m, len(datagram))

	switch {
	case reason == TooShort, reason == BadVersion:
		return Verdict{Action: Silence, Reason: reason}
	case reason != None:
		return reject(m.Type, reason)
	case m.Type == message.Acknowledgement:
		return reject(m.Type, Acknowledgement)
	case m.Type == message.Reset:
		return reject(m.Type, ResetMessage)
	case m.Code == codes.Empty && m.Type == message.Confirmable:
		return reject(m.Type, Ping)
	case m.Code == codes.Empty:
		return reject(m.Type, EmptyNON)
	}
	// RFC 7252, section 12.1: class 0 is requests, 2 to 5 responses, the rest is reserved.
	switch class := m.Code >> 5; class {
	case 0:
	case 2, 3, 4, 5:
		return reject(m.Type, ResponseCode)
	default:
		return reject(m.Type, ReservedClass)
	}
	if tooLarge {
		return respond(codes.RequestEntityTooLarge, TooLarge)
	}
	return r.readOptions(&m)
}

// reject is the message layer's no: an RST for a CON, and silence for the rest. For a NON
// an RST is allowed too, but a device that sends NON does not listen (RFC 7252, sections
// 4.2 and 4.3).
func reject(t message.Type, reason Reason) Verdict {
	if t == message.Confirmable {
		return Verdict{Action: Reset, Reason: reason}
	}
	return Verdict{Action: Silence, Reason: reason}
}

func respond(code codes.Code, reason Reason) Verdict {
	return Verdict{Action: Respond, Reason: reason, Code: code}
}

// begin makes r the request of m, whose options are still to be read.
func (r *Request) begin(m *Message, size int) {
	r.Exchange = Exchange{
		Confirmable: m.Type == message.Confirmable,
		MessageID:   m.MessageID,
		tokenLen:    uint8(len(m.Token)),
		size:        uint16(min(size, 0xffff)),
	}
	copy(r.token[:], m.Token)
	r.Method, r.Payload = m.Code, m.Payload
	r.ContentFormat, r.Accept = -1, -1
	r.nPath, r.nQuery = 0, 0
}

// readOptions walks all options even when one of them settles the verdict, because
// No-Response, which decides how it is said, has the highest number.
func (r *Request) readOptions(m *Message) Verdict {
	var (
		id             message.OptionID
		n, queries     int
		bad            bool
		badOption      message.OptionID
		proxy          bool
		block1, block2 block
	)
	for rest, last := m.options, uint32(0); len(rest) > 0; {
		var value []byte
		before := id
		last, value, rest, _ = nextOption(rest, last)
		id = message.OptionID(last)
		n++
		if !recognised(id, before, len(value)) {
			if id&1 == 1 && !bad { // odd numbers are critical (RFC 7252, section 5.4.6)
				bad, badOption = true, id
			}
			continue
		}
		switch id {
		case message.URIPath:
			if r.nPath < MaxOptions {
				r.path[r.nPath] = value
				r.nPath++
			}
		case message.URIQuery:
			if queries++; queries <= MaxQueries {
				r.query[r.nQuery] = value
				r.nQuery++
			}
		case message.ContentFormat:
			r.ContentFormat = int(parseUint(value))
		case message.Accept:
			r.Accept = int(parseUint(value))
		case message.NoResponse:
			r.NoResponse = uint8(parseUint(value))
		case message.Block1:
			block1 = parseBlock(value)
		case message.Block2:
			block2 = parseBlock(value)
		case message.ProxyURI, message.ProxyScheme:
			proxy = true
		}
	}

	switch {
	case bad && r.Confirmable: // RFC 7252, section 5.4.1
		return Verdict{Action: Respond, Reason: BadOption, Code: codes.BadOption, Option: badOption}
	case bad: // the same section: a NON is rejected, and that silently (section 4.3)
		return Verdict{Action: Silence, Reason: BadOption, Option: badOption}
	case n > MaxOptions:
		return respond(codes.BadRequest, TooManyOptions)
	case queries > MaxQueries:
		return respond(codes.BadRequest, TooManyQueries)
	case proxy:
		// RFC 7252, section 5.10.2: "MUST cause the return of a 5.05", of a CON and of a NON:
		// the options are recognised, so this is a response and not a rejection.
		return respond(codes.ProxyingNotSupported, Proxy)
	case m.Code > codes.DELETE:
		// RFC 7252, section 5.8. FETCH, PATCH and iPATCH (RFC 8132) are unknown here too.
		return respond(codes.MethodNotAllowed, UnknownMethod)
	case block1.szx == 7, block2.szx == 7:
		return respond(codes.BadRequest, BlockSize)
	case block2.num > 0:
		// No response of ours has a second block, so there is nothing that could be sent. M
		// means nothing in a request (RFC 7959, section 2.4).
		return respond(codes.BadRequest, LaterBlock2)
	case block1.num > 0:
		return respond(codes.RequestEntityIncomplete, LaterBlock1)
	case block1.more:
		return respond(codes.RequestEntityTooLarge, FirstBlock1)
	}
	return Verdict{Action: Handle}
}

// Append appends what the verdict says must be answered to the request whose exchange
// Classify filled in the same call; nothing for Handle and Silence. See Exchange.Append
// for salt and for the bound.
func (v Verdict) Append(dst []byte, e *Exchange, salt uint16) []byte {
	switch v.Action {
	case Reset:
		return AppendReset(dst, e.MessageID)
	case Respond:
		r := Response{Code: v.Code}
		var digits [5]byte
		switch v.Code {
		case codes.RequestEntityTooLarge:
			r.Size1 = MaxPayload
		case codes.BadOption:
			// RFC 7252, section 5.4.1: the response SHOULD name the option. At most a marker
			// and 5 digits, within the 8 bytes that every request leaves.
			r.Payload = strconv.AppendUint(digits[:0], uint64(v.Option), 10)
		}
		return e.Append(dst, salt, r)
	}
	return dst
}
