package coap

import (
	"encoding/binary"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

// A message is built by appending its parts in order: AppendHeader, then any number of
// options by ascending number, then AppendPayload. Nothing is allocated while dst has
// room. Arguments that no message can hold are the caller's mistake and panic.

// AppendHeader appends header and token. An empty message has code 0.00 and no token.
func AppendHeader(dst []byte, t message.Type, code codes.Code, messageID uint16, token []byte) []byte {
	if len(token) > maxTokenSize {
		panic("coap: token longer than 8 bytes")
	}
	dst = append(dst, 1<<6|byte(t)<<4|byte(len(token)), byte(code))
	dst = binary.BigEndian.AppendUint16(dst, messageID)
	return append(dst, token...)
}

// AppendOption appends one option. last is the number of the option before it in the
// same message, 0 for the first.
func AppendOption[V []byte | string](dst []byte, last, id message.OptionID, value V) []byte {
	if id < last {
		panic("coap: options out of order")
	}
	if len(value) > 269+0xffff {
		panic("coap: option value too long")
	}
	delta, length := nibble(int(id-last)), nibble(len(value))
	dst = append(dst, delta<<4|length)
	dst = appendExtended(dst, int(id-last))
	dst = appendExtended(dst, len(value))
	return append(dst, value...)
}

// AppendUintOption appends an option of format uint, in the fewest bytes: zero is an
// empty value (RFC 7252, section 3.2).
func AppendUintOption(dst []byte, last, id message.OptionID, n uint32) []byte {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	value := b[:]
	for len(value) > 0 && value[0] == 0 {
		value = value[1:]
	}
	return AppendOption(dst, last, id, value)
}

// AppendPayload appends the payload with its marker, and nothing for an empty one: a
// marker without payload is malformed (RFC 7252, section 3).
func AppendPayload[V []byte | string](dst []byte, payload V) []byte {
	if len(payload) == 0 {
		return dst
	}
	dst = append(dst, payloadMarker)
	return append(dst, payload...)
}

// nibble and appendExtended write an option delta or length (RFC 7252, section 3.1).
func nibble(n int) byte {
	switch {
	case n < 13:
		return byte(n)
	case n < 269:
		return 13
	default:
		return 14
	}
}

func appendExtended(dst []byte, n int) []byte {
	switch {
	case n < 13:
		return dst
	case n < 269:
		return append(dst, byte(n-13))
	default:
		return binary.BigEndian.AppendUint16(dst, uint16(n-269))
	}
}
