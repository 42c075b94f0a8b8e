package device

// R3: whom to send to. Each check-in begins with the address after the one that the last
// check-in began with, whatever else was sent to in between: if failovers moved it on
// too, with every second address dead or busy each check-in would begin with one.

// The candidates of choose, best first.
const (
	fresh     = iota // not tried in this check-in, neither held nor penalised
	penalised        // not tried, and only penalised
	held             // not tried, for an urgent event only
	silent           // tried, without an answer: the same datagram once more
	none
)

// choose picks the best candidate, the next in rotation among equals. Only with again does
// it pick an address that was tried before.
func (p *Policy) choose(again bool) (address uint8, ok bool) {
	best := none
	for i := range p.config.Addresses {
		a := (p.checkIn.next + i) % p.config.Addresses
		if kind := p.candidate(a); kind < best {
			best, address = kind, a
		}
	}
	return address, best < silent || best == silent && again
}

// after is the address that follows in rotation.
func (p *Policy) after(address uint8) uint8 { return (address + 1) % p.config.Addresses }

func (p *Policy) candidate(a uint8) int {
	s, c := &p.state, &p.checkIn
	isHeld := s.Held&bit(a) != 0
	switch {
	case c.answered&bit(a) != 0 || isHeld && !c.urgent:
		return none
	case c.tried&bit(a) != 0:
		return silent
	case isHeld:
		return held
	case s.Address[a].Penalty > 0:
		return penalised
	}
	return fresh
}
