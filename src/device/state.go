package device

// State is what a device keeps while it sleeps. All of its numbers may wrap around or stop
// at their end without harm.
type State struct {
	Pending      bool   // the newest event has not been delivered
	Acknowledged bool   // LastAck counts
	Rotation     uint8  // the address that the next check-in begins with
	Held         uint8  // a set of addresses, and everyone: which holds count
	CheckIn      uint16 // counts check-ins; with the address it makes the Message ID
	Unproven     uint16 // events since the last 2.xx; it stops at its end
	Seq          uint32 // the number of the newest event
	LastAck      uint32 // s, when the last 2.xx came
	HoldAll      uint32 // s, until when nothing is sent at all
	Random       uint32
	Silent       uint8 // consecutive silent check-ins
	Rejections   uint8 // consecutive rejections
	RoundTrip    uint8 // in units of 64 ms, 0 if unknown
	Skip         uint8 // check-ins still to be skipped
	Address      [N]Record
}

// Record is what a device keeps of one address.
type Record struct {
	HoldUntil uint32 // s
	Penalty   uint8  // check-ins in which it is still passed over
	Level     uint8  // of the last penalty; an address with a level is on parole
	Misses    uint8  // check-ins in which it stayed silent, not yet judged
}

// everyone is, in a set of holds, the hold on all addresses.
const everyone = N

// clear forgets what was held against an address.
func (s *State) clear(address uint8) {
	s.Address[address] = Record{}
	s.Held &^= bit(address)
}
