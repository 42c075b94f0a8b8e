package device

// Action is what the host has to do.
type Action uint8

const (
	Send   Action = iota // send one datagram, then call TxDone when it has left the radio
	Listen               // receive and call Rx for what comes; call Timer at Until
	Sleep                // the check-in is over: retain the state, sleep, call Wake
)

// Outcome is how a check-in ended.
type Outcome uint8

const (
	Held       Outcome = iota // nothing was sent
	Delivered                 // 2.xx: stored
	Sent                      // a NON has left, unverified by design
	Unverified                // the window ended in silence; the event is kept
	Rejected                  // 4.xx; the event is dropped
	Busy                      // 5.xx or 4.29; the event is kept
	Accepted                  // an empty ACK and no response; the event is kept
)

// String is the outcome as a word.
func (o Outcome) String() string {
	return [...]string{"held", "delivered", "sent", "unverified", "rejected", "busy", "accepted"}[o]
}

// Hint is what a modem may be told with a datagram (3GPP's Release Assistance Indication).
type Hint uint8

const (
	OneReply Hint = iota // one datagram is expected in return, then nothing
	NoReply              // nothing follows
)

// Output is the one thing to do after an input. Only the fields of its action count.
type Output struct {
	Action Action

	// Send. In one check-in, what goes to the same address with the same Message ID is the
	// same datagram, byte for byte.
	Address     uint8
	Confirmable bool
	NoResponse  bool // add the option No-Response with 26: no class of response is wanted (RFC 7967)
	Echo        bool // add the option Echo with the value that this address sent (RFC 9175)
	MessageID   uint16
	Token       [4]byte
	Seq         uint32 // names the event: Uri-Query s=<hex>
	Hint        Hint

	// Listen.
	Until uint32 // ms; it may be past, then Timer is due

	// Sleep.
	Seconds uint32
	Outcome Outcome
}
