package device

// What tells one message, one event and one check-in from another.

// messageID differs for every address and check-in until the counter is around: 16,384
// check-ins later. That must be more than EXCHANGE_LIFETIME, 247 s (RFC 7252, section 4.4).
func (s *State) messageID(address uint8) uint16 { return s.CheckIn*N + uint16(address) }

// token draws the token of a check-in, the same for every address.
func (s *State) token() (token [4]byte) {
	put32(token[:], s.draw())
	return token
}

// newEvent gives the next number to what the device has to say now.
func (s *State) newEvent() {
	s.Pending = true
	s.Seq++
	if s.Unproven < 1<<16-1 {
		s.Unproven++
	}
}

// SeqBlock is how many numbers a device reserves in flash at a time, so that they never
// go back when power is lost, and flash is written once for so many events.
const SeqBlock = 256

// Reserve says what flash must hold before the event with this number is sent. reserved is
// what it holds: the number that a cold boot would begin with, so no number from
// there on was ever used. If write is true, next must be in flash first.
func Reserve(reserved, seq uint32) (next uint32, write bool) {
	if before(seq, reserved) {
		return reserved, false
	}
	return seq + SeqBlock, true
}
