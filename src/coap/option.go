package coap

import (
	"encoding/binary"

	"github.com/plgd-dev/go-coap/v3/message"
)

// nextOption reads the option at the front of b, whose number counts from last
// (RFC 7252, section 3.1). The caller has seen that b is not empty and does not begin
// with the payload marker.
func nextOption(b []byte, last uint32) (id uint32, value, rest []byte, reason Reason) {
	delta, length := uint32(b[0]>>4), uint32(b[0]&15)
	b = b[1:]
	if delta >= 13 {
		if delta, b, reason = extend(delta, b); reason != None {
			return 0, nil, nil, reason
		}
	}
	if length >= 13 {
		if length, b, reason = extend(length, b); reason != None {
			return 0, nil, nil, reason
		}
	}
	if id = last + delta; id > 0xffff {
		return 0, nil, nil, OptionNumber
	}
	if uint64(length) > uint64(len(b)) {
		return 0, nil, nil, OptionCut
	}
	return id, b[:length], b[length:], None
}

// extend resolves a nibble of 13, 14 or 15. Each number has exactly one encoding.
func extend(nibble uint32, b []byte) (n uint32, rest []byte, reason Reason) {
	switch {
	case nibble == 15:
		return 0, nil, OptionNibble
	case nibble == 13 && len(b) >= 1:
		return 13 + uint32(b[0]), b[1:], None
	case nibble == 14 && len(b) >= 2:
		return 269 + uint32(binary.BigEndian.Uint16(b)), b[2:], None
	}
	return 0, nil, OptionCut
}

// parseUint reads an option value of format uint. Leading zeros are allowed
// (RFC 7252, section 3.2); the caller has seen that there are at most 4 bytes.
func parseUint(value []byte) uint32 {
	var n uint32
	for _, b := range value {
		n = n<<8 | uint32(b)
	}
	return n
}

// block is the value of Block1 or Block2 (RFC 7959, section 2.2).
type block struct {
	num  uint32
	more bool
	szx  uint8
}

func parseBlock(value []byte) block {
	n := parseUint(value)
	return block{num: n >> 4, more: n&8 != 0, szx: uint8(n & 7)}
}

// rule is how an option that we recognise must look (RFC 7252, table 4; RFC 7959, table 1;
// RFC 7967, table 1).
type rule struct {
	recognised bool
	repeatable bool
	min, max   uint16 // bytes of the value
}

// rules holds the critical options that we recognise, and the elective ones that we read;
// all others are ignored alike. If-Match and If-None-Match are missing because a report
// has no precondition that we could check (RFC 7252, section 5.10.8), OSCORE (RFC 8613)
// because we have no keys: so they are refused as any unknown critical option is.
var rules = [...]rule{
	message.URIHost:       {recognised: true, min: 1, max: 255},
	message.URIPort:       {recognised: true, max: 2},
	message.URIPath:       {recognised: true, repeatable: true, max: 255},
	message.ContentFormat: {recognised: true, max: 2},
	message.URIQuery:      {recognised: true, repeatable: true, max: 255},
	message.Accept:        {recognised: true, max: 2},
	message.Block2:        {recognised: true, max: 3},
	message.Block1:        {recognised: true, max: 3},
	message.ProxyURI:      {recognised: true, min: 1, max: 1034},
	message.ProxyScheme:   {recognised: true, min: 1, max: 255},
}

// recognised reports whether the option counts. One of a wrong length does not
// (RFC 7252, section 5.4.3), nor does a second one of a kind that may come once
// (section 5.4.5); last is the number of the option before it.
func recognised(id, last message.OptionID, length int) bool {
	var r rule
	switch {
	case int(id) < len(rules):
		r = rules[id]
	case id == message.NoResponse:
		r = rule{recognised: true, max: 1}
	}
	return r.recognised && (r.repeatable || id != last) && int(r.min) <= length && length <= int(r.max)
}
