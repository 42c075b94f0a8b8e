// Package coap is the message layer of CoAP over UDP (RFC 7252): it parses strictly,
// builds messages, and decides what a datagram must be answered with before anything
// is routed. It has no sockets and no clock, starts no goroutines, and allocates
// nothing while it handles a datagram. Numbers and codes are go-coap's vocabulary; the
// parser is not, because go-coap's accepts what the RFC calls malformed.
package coap

import (
	"encoding/binary"
	"iter"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

const (
	headerSize    = 4
	maxTokenSize  = message.MaxTokenSize
	payloadMarker = 0xff
)

// Message is a view into the datagram it was parsed from: Token, Payload and option
// values are that datagram's bytes, to be read only, and only while it is not reused.
type Message struct {
	Type      message.Type
	Code      codes.Code
	MessageID uint16
	Token     []byte // 0 to 8 bytes
	Payload   []byte // nil if there is none
	options   []byte
}

// Parse reads one datagram. It returns None for a well-formed message, whatever its
// meaning, and else the first thing that is wrong with it: TooShort to PayloadMissing.
// After any reason but TooShort and BadVersion, Type, Code and MessageID are valid all
// the same, since a Reset needs them (RFC 7252, section 4.2). Any goroutine may call it.
func Parse(datagram []byte) (Message, Reason) {
	m, rest, reason := parseHeader(datagram)
	if reason != None {
		return m, reason
	}
	return m, m.parseOptions(rest)
}

// parseHeader reads header and token and returns what follows them.
func parseHeader(datagram []byte) (m Message, rest []byte, reason Reason) {
	if len(datagram) < headerSize {
		return m, nil, TooShort
	}
	if datagram[0]>>6 != 1 {
		return m, nil, BadVersion
	}
	m.Type = message.Type(datagram[0] >> 4 & 3)
	m.Code = codes.Code(datagram[1])
	m.MessageID = binary.BigEndian.Uint16(datagram[2:])
	tokenLen := int(datagram[0] & 15)
	rest = datagram[headerSize:]
	switch {
	case tokenLen > maxTokenSize:
		return m, nil, TokenLength
	case m.Code == codes.Empty && (tokenLen != 0 || len(rest) != 0):
		return m, nil, EmptyNotEmpty
	case tokenLen > len(rest):
		return m, nil, TokenCut
	}
	m.Token = rest[:tokenLen]
	return m, rest[tokenLen:], None
}

// parseOptions walks the options to the payload, so that later walks need no checks.
func (m *Message) parseOptions(b []byte) Reason {
	rest, last := b, uint32(0)
	for len(rest) > 0 && rest[0] != payloadMarker {
		var reason Reason
		if last, _, rest, reason = nextOption(rest, last); reason != None {
			return reason
		}
	}
	m.options = b[:len(b)-len(rest)]
	if len(rest) == 1 {
		return PayloadMissing // RFC 7252, section 3: "MUST be processed as a message format error"
	}
	if len(rest) > 1 {
		m.Payload = rest[1:]
	}
	return None
}

// Options yields the options of a message that Parse found well-formed, in order.
func (m *Message) Options() iter.Seq2[message.OptionID, []byte] {
	return func(yield func(message.OptionID, []byte) bool) {
		rest, last := m.options, uint32(0)
		for len(rest) > 0 {
			var value []byte
			last, value, rest, _ = nextOption(rest, last)
			if !yield(message.OptionID(last), value) {
				return
			}
		}
	}
}
