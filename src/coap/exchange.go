package coap

import (
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

// MaxReply bounds every reply: header, the longest token, options and payload.
const MaxReply = headerSize + maxTokenSize + maxExtra

// maxExtra bounds what a reply may hold after header and token: options and payload.
const maxExtra = 128

// Exchange is what the answer to a request needs to know of it. Unlike Request it owns
// its bytes (16, no pointers), so it may be kept until a report is stored, long after
// the datagram's buffer is in use again. Classify fills it.
type Exchange struct {
	Confirmable bool
	NoResponse  uint8 // classes the client does not want: 2 is 2.xx, 8 is 4.xx, 16 is 5.xx (RFC 7967, section 2.1)
	tokenLen    uint8
	MessageID   uint16
	size        uint16 // bytes of the request's datagram
	token       [maxTokenSize]byte
}

// Token is the request's token, to be read only.
func (e *Exchange) Token() []byte { return e.token[:e.tokenLen] }

// Response is the answer to a request. A zero field is left out of the message.
type Response struct {
	Code          codes.Code
	ContentFormat message.MediaType // text/plain, which is 0, cannot be said: diagnostics need no format (RFC 7252, section 5.5.2)
	MaxAge        uint32            // seconds
	Size1         uint32            // bytes
	Payload       []byte            // copied
}

// Append appends the one datagram that answers the request, or nothing: a piggybacked
// ACK for a CON, with its Message ID and token (RFC 7252, section 5.2.1), and a NON for
// a NON (section 5.2.3).
//
// The Message ID of a NON is the request's, exclusive-or salt, a random number that the
// caller keeps for the life of the process. For one peer that is a bijection: as long as
// the peer does not use a Message ID again within NON_LIFETIME, we do not either
// (sections 4.4 and 4.5), and remember nothing about the peer. The salt makes our numbers
// start at random, as section 4.4 recommends.
//
// A NON gets nothing that No-Response declines (RFC 7967, section 2). A CON that declines
// 2.xx gets an empty ACK instead, because it would be sent again otherwise; of a failure it
// hears in full whatever it declines: a server MAY suppress a response and need not, and
// an empty ACK would tell the device that all is well.
//
// The reply is at most three times as long as its request (RFC 9175, section 2.6) and at
// most 132 bytes plus token, by construction: with a token of T bytes a request of L
// bytes has L >= 4+T, and the reply is 4+T bytes and at most min(2L, 128) more, so at
// most L+2L. The payload gives way first, then all options. Since L >= 4 there are always
// 8 bytes: enough for Max-Age (6 at most), for Size1 (6) and for Content-Format with
// Max-Age (3+5), so none of these is ever left out.
func (e *Exchange) Append(dst []byte, salt uint16, r Response) []byte {
	if e.declines(r.Code) {
		if !e.Confirmable {
			return dst
		}
		return AppendHeader(dst, message.Acknowledgement, codes.Empty, e.MessageID, nil)
	}
	if e.Confirmable {
		dst = AppendHeader(dst, message.Acknowledgement, r.Code, e.MessageID, e.Token())
	} else {
		dst = AppendHeader(dst, message.NonConfirmable, r.Code, e.MessageID^salt, e.Token())
	}
	bare := len(dst)
	room := min(2*int(e.size), maxExtra)
	dst = r.appendOptions(dst)
	if len(dst)-bare > room {
		return dst[:bare]
	}
	if len(dst)-bare+1+len(r.Payload) > room {
		return dst
	}
	return AppendPayload(dst, r.Payload)
}

// declines reports whether a response of this code is left unsaid. No-Response names its
// class: bit 0 is class 1, so that 2.xx is bit 1, value 2 (RFC 7967, section 2.1).
func (e *Exchange) declines(code codes.Code) bool {
	class := code >> 5
	if e.Confirmable && class != 2 {
		return false
	}
	return class > 0 && e.NoResponse>>(class-1)&1 == 1
}

func (r *Response) appendOptions(dst []byte) []byte {
	last := message.OptionID(0)
	for _, option := range [...]struct {
		id message.OptionID
		n  uint32
	}{
		{message.ContentFormat, uint32(r.ContentFormat)},
		{message.MaxAge, r.MaxAge},
		{message.Size1, r.Size1},
	} {
		if option.n != 0 {
			dst = AppendUintOption(dst, last, option.id, option.n)
			last = option.id
		}
	}
	return dst
}

// AppendReset appends the RST that rejects the CON with this Message ID: 4 bytes, never
// more than it rejects (RFC 7252, section 4.2).
func AppendReset(dst []byte, messageID uint16) []byte {
	return AppendHeader(dst, message.Reset, codes.Empty, messageID, nil)
}
