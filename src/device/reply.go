package device

// The message types of RFC 7252, section 3.
const (
	CON uint8 = iota
	NON
	ACK
	RST
)

// Codes are class*32 + detail (RFC 7252, section 3).
const (
	empty           = 0
	unauthorized    = 4<<5 | 1
	tooManyRequests = 4<<5 | 29 // RFC 8516
	unavailable     = 5<<5 | 3
)

// Reply is a CoAP message that came from one of the addresses. The host has parsed it; a
// malformed one is never shown to the policy.
type Reply struct {
	From      uint8 // which of the addresses sent it
	Type      uint8
	Code      uint8
	MessageID uint16
	Token     [8]byte
	TokenLen  uint8
	MaxAge    uint32 // s
	HasMaxAge bool
	HasEcho   bool
}

// Fits reports whether Rx would take this reply: whether it answers what was sent. A host
// needs it to acknowledge a CON, and to keep the Echo value of the right reply.
func (p *Policy) Fits(r Reply) bool { return p.checkIn.fits(&r) }

// fits reports whether a reply answers a transmission of this check-in (R4). It must come
// from an address that was sent to, with the token of the check-in; an ACK or RST also
// with that address's Message ID (RFC 7252, sections 4.4 and 5.3.2). After an address
// has answered, only a 2.xx still counts: the rest are copies.
func (c *checkIn) fits(r *Reply) bool {
	if c.phase == idle || !c.confirmable || r.From >= N || c.tried&bit(r.From) == 0 {
		return false
	}
	if r.Type > RST || r.Type >= ACK && r.MessageID != c.messageID[r.From] {
		return false
	}
	answered := c.answered&bit(r.From) != 0
	if r.Code == empty {
		return r.Type >= ACK && r.TokenLen == 0 && !answered
	}
	for i, b := range c.token {
		if r.Token[i] != b {
			return false
		}
	}
	if r.Type == RST || r.TokenLen != uint8(len(c.token)) {
		return false
	}
	switch r.Code >> 5 {
	case 2:
		return true
	case 4, 5:
		return !answered
	}
	return false
}
