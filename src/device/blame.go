package device

// R6: differential blame. An address that stays silent is noted, and judged only when
// another one answers: then the radio works, and the silence was the address's own.

// miss notes that an address stayed silent, once in a check-in.
func (p *Policy) miss(address uint8) {
	c := &p.checkIn
	if c.missed&bit(address) != 0 {
		return
	}
	c.missed |= bit(address)
	p.blame(address, 1)
}

func (p *Policy) blame(address, misses uint8) {
	r := &p.state.Address[address]
	r.Misses = min(r.Misses+misses, maxMisses)
}

// heard judges all addresses but the one that has answered. Those that were tried before
// it in this check-in had more time than it took, and stayed silent.
func (p *Policy) heard(from uint8) {
	c := &p.checkIn
	for a := range uint8(N) {
		if a == from {
			continue
		}
		if c.silent()&bit(a) != 0 && c.order[a] < c.order[from] {
			p.miss(a)
		}
		p.judge(a)
	}
}

// judge turns misses into a penalty: two of them, or one for an address on parole.
func (p *Policy) judge(address uint8) {
	r := &p.state.Address[address]
	if r.Misses >= 2 || r.Misses == 1 && r.Level > 0 {
		r.Level = min(r.Level+1, maxLevel)
		r.Penalty = p.config.Addresses << (r.Level - 1)
		r.Misses = 0
	}
}

// silence ends a check-in whose window is over. If nobody has answered in it the window
// grows, and the third time in a row no address is to blame for what the radio may
// have done.
func (p *Policy) silence() Output {
	s, c := &p.state, &p.checkIn
	somebody := c.answered|c.accepted != 0
	for a := range uint8(N) {
		if c.silent()&bit(a) != 0 {
			p.miss(a)
			if somebody {
				p.judge(a)
			}
		}
	}
	if !somebody {
		s.fellSilent()
		if s.Silent >= radioSilence {
			for a := range s.Address {
				s.Address[a].Misses = 0
			}
		}
	}
	if c.accepted != 0 {
		return p.finish(Accepted)
	}
	return p.finish(Unverified)
}

// serve counts a check-in off every penalty.
func (s *State) serve() {
	for a := range s.Address {
		if s.Address[a].Penalty > 0 {
			s.Address[a].Penalty--
		}
	}
}
