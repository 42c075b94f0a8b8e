package coap

// Reason says why a datagram is not simply handled. It is a small closed set, fit
// for a metric label; None is "no reason": well-formed, and a request to handle.
type Reason uint8

// The reasons, in the order in which Classify looks for them.
const (
	None Reason = iota

	TooShort   // fewer than 4 bytes (RFC 7252, section 3)
	BadVersion // a version other than 1 (RFC 7252, section 3)

	TokenLength    // TKL 9 to 15 (RFC 7252, section 3); RFC 8974's long tokens are not offered
	EmptyNotEmpty  // code 0.00 with anything after the header (RFC 7252, section 4.1)
	TokenCut       // the datagram ends inside the token (RFC 7252, section 3)
	OptionNibble   // delta or length nibble 15 that is no payload marker (RFC 7252, section 3.1)
	OptionCut      // the datagram ends inside an option (RFC 7252, section 3.1)
	OptionNumber   // an option number beyond 65535 (RFC 7252, section 3.1)
	PayloadMissing // a payload marker with nothing after it (RFC 7252, section 3)

	Acknowledgement // an ACK: we send no CON, so it acknowledges nothing (RFC 7252, section 4.2)
	ResetMessage    // an RST: we send nothing it could reject (RFC 7252, section 4.2)
	Ping            // an empty CON (RFC 7252, section 4.3)
	EmptyNON        // an empty NON (RFC 7252, section 4.3)
	ResponseCode    // a response, though we asked for nothing (RFC 7252, section 4.2)
	ReservedClass   // a code of class 1, 6 or 7 (RFC 7252, sections 4.2 and 12.1)

	TooLarge       // a datagram over MaxDatagram (RFC 7252, section 4.6)
	BadOption      // an unrecognised critical option (RFC 7252, section 5.4.1)
	TooManyOptions // more than MaxOptions
	TooManyQueries // more than MaxQueries
	Proxy          // Proxy-Uri or Proxy-Scheme (RFC 7252, section 5.10.2)
	UnknownMethod  // method 0.05 to 0.31 (RFC 7252, section 5.8)
	BlockSize      // SZX 7 (RFC 7959, section 2.2)
	LaterBlock2    // asks for a later block of a response that has one (RFC 7959, section 2.4)
	LaterBlock1    // a later block of a body whose first was refused (RFC 7959, section 2.9.2)
	FirstBlock1    // the first of several blocks (RFC 7959, section 2.9.3)

	// Reasons is how many there are: the length of an array indexed by Reason.
	Reasons
)

var reasonNames = [Reasons]string{
	None:            "none",
	TooShort:        "too-short",
	BadVersion:      "bad-version",
	TokenLength:     "token-length",
	EmptyNotEmpty:   "empty-not-empty",
	TokenCut:        "token-cut",
	OptionNibble:    "option-nibble",
	OptionCut:       "option-cut",
	OptionNumber:    "option-number",
	PayloadMissing:  "payload-missing",
	Acknowledgement: "acknowledgement",
	ResetMessage:    "reset-message",
	Ping:            "ping",
	EmptyNON:        "empty-non",
	ResponseCode:    "response-code",
	ReservedClass:   "reserved-class",
	TooLarge:        "too-large",
	BadOption:       "bad-option",
	TooManyOptions:  "too-many-options",
	TooManyQueries:  "too-many-queries",
	Proxy:           "proxy",
	UnknownMethod:   "unknown-method",
	BlockSize:       "block-size",
	LaterBlock2:     "later-block2",
	LaterBlock1:     "later-block1",
	FirstBlock1:     "first-block1",
}

// String is the metric label.
func (r Reason) String() string {
	if r < Reasons {
		return reasonNames[r]
	}
	return "unknown"
}
