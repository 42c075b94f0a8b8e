package device

// A phase is what the policy waits for.
type phase uint8

const (
	idle      phase = iota // Wake
	sending                // TxDone
	listening              // Rx or Timer
)

// checkIn is what is known of the check-in under way. Sleep ends it; none of it is
// retained. Fields that end in a set have a bit for each address.
type checkIn struct {
	phase       phase
	urgent      bool
	confirmable bool

	now     uint32 // s, when it began
	clocked bool   // begin counts
	begin   uint32 // ms, the first time that the host named
	elapsed uint32 // s since begin

	token    [4]byte
	timeout  uint32 // ms, from one transmission to the next
	lastSent uint32 // ms
	window   uint32 // ms
	deadline uint32 // ms, when the window ends
	anew     bool   // the transmission under way begins a window
	address  uint8  // of the latest transmission
	next     uint8  // the address that is next in rotation
	sends    uint8

	tried    uint8 // set: a transmission was ordered
	left     uint8 // set: one has left the radio
	timed    uint8 // set: and firstSent says when
	answered uint8 // set: with anything but an empty ACK
	accepted uint8 // set: with an empty ACK
	echoed   uint8 // set: has asked for Echo
	missed   uint8 // set: its silence is noted

	order     [N]uint8  // how many transmissions came before the first one to this address
	messageID [N]uint16 // of the latest transmission to it
	firstSent [N]uint32 // ms
}

// silent is the set of addresses that were sent to and have not answered.
func (c *checkIn) silent() uint8 { return c.left &^ (c.answered | c.accepted) }

// clock takes note of the time. The first one in a check-in begins what AwakeMax limits.
func (c *checkIn) clock(now uint32) {
	if !c.clocked {
		c.clocked, c.begin = true, now
	}
	if before(c.begin, now) {
		c.elapsed = (now - c.begin) / 1000
	}
}

// seconds is the time on the clock of Wake.
func (c *checkIn) seconds() uint32 { return c.now + c.elapsed }

// limit is when the device must be asleep at the latest.
func (p *Policy) limit() uint32 { return p.checkIn.begin + p.config.AwakeMax }
