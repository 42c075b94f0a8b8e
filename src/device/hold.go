package device

// Holds: an address, or all of them, left alone until a time that a server named.

// holdTime is how long a reply asks to be left alone, in seconds.
func (r *Reply) holdTime() uint32 {
	if !r.HasMaxAge {
		return defaultHold
	}
	return min(r.MaxAge, maxHold)
}

// hold leaves an address alone, or everyone, for so many seconds.
func (p *Policy) hold(whom uint8, seconds uint32) {
	if seconds == 0 {
		return
	}
	until := p.checkIn.seconds() + seconds
	p.state.Held |= bit(whom)
	if whom == everyone {
		p.state.HoldAll = until
	} else {
		p.state.Address[whom].HoldUntil = until
	}
}

// expire ends the holds that are over, and those that lie further ahead than any could:
// the clock was set.
func (s *State) expire(now uint32) {
	for whom := range uint8(everyone + 1) {
		if remaining(now, s.heldUntil(whom)) == 0 {
			s.Held &^= bit(whom)
		}
	}
}

func (s *State) heldUntil(whom uint8) uint32 {
	if whom == everyone {
		return s.HoldAll
	}
	return s.Address[whom].HoldUntil
}

// remaining is how many seconds a hold still lasts.
func remaining(now, until uint32) uint32 {
	if until-now > maxHold {
		return 0
	}
	return until - now
}

// soonest is when the first address is free again, in seconds from now. It reports false
// if one is free already.
func (p *Policy) soonest(now uint32) (seconds uint32, allHeld bool) {
	seconds = maxHold
	for a := range p.config.Addresses {
		if p.state.Held&bit(a) == 0 {
			return 0, false
		}
		seconds = min(seconds, remaining(now, p.state.heldUntil(a)))
	}
	return seconds, true
}
