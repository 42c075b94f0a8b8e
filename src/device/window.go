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
		w = max(base, s.probe())
	}
	if s.Address[address].Level > 0 { // on parole: silence is likely
		w = max(w, s.probe())
	}
	return min(w, c.WindowMax)
}

// probe is the least window that always has room for one failover and its answer: 4 s
// (PROBE_W), and more where the round trip is longer than 800 ms.
func (s *State) probe() uint32 {
	roundTrip := s.roundTrip()
	return max(ackTimeout+ackSpread, roundTrip+roundTrip/2) + max(minListen, roundTrip+roundTrip/4)
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
