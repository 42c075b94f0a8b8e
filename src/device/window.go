package device

// R1: how long to listen.

// window is the listening window of a check-in that begins with this address. It doubles
// with each silent check-in. In a network that stays dead the full window comes only
// every fourth time: it would cost more than the reports do.
func (p *Policy) window(address uint8) uint32 {
	s, c := &p.state, &p.config
	roundTrip := s.roundTrip()
	base := max(c.WindowMin, 2*roundTrip, roundTrip+serverTime)
	w := base << min(s.Silent, maxDoublings)
	if s.Silent > maxDoublings && (s.Silent-maxDoublings)%fullEvery != 0 {
		w = max(base, probeWindow)
	}
	if s.Address[address].Level > 0 { // on parole: silence is likely, so leave room for a failover
		w = max(w, probeWindow)
	}
	return min(w, c.WindowMax)
}

// fellSilent counts a silent check-in. At its end the counter goes back by as much as
// leaves its place among the full windows.
func (s *State) fellSilent() {
	s.Silent++
	if s.Silent == 0 {
		s.Silent = 256 - fullEvery
	}
}

// roundTripUnit is what one byte counts the round trip in.
const roundTripUnit = 64 // ms

// roundTrip is in milliseconds, 0 if unknown.
func (s *State) roundTrip() uint32 { return uint32(s.RoundTrip) * roundTripUnit }

// sample takes a measured round trip in: a longer one at once, since a window that is too
// short hears nothing; a shorter one by a quarter of the difference.
func (s *State) sample(ms uint32) {
	n := min(max((ms+roundTripUnit-1)/roundTripUnit, 1), 255)
	if old := uint32(s.RoundTrip); n < old {
		n = old - (old-n+3)/4
	}
	s.RoundTrip = uint8(n)
}
