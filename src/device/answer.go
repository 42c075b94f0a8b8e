package device

// Rx says that a message came from one of the addresses, at now in milliseconds. What does
// not fit changes nothing.
func (p *Policy) Rx(now uint32, r Reply) Output {
	c := &p.checkIn
	if !c.fits(&r) {
		return p.goOn(now)
	}
	c.clock(now)
	if c.phase == sending && r.From == c.address {
		p.hasLeft(now) // it must have: here is the answer
	}
	p.heard(r.From)
	if r.Type == ACK && r.Code == empty { // R12: it has the message; sending more would not help
		c.accepted |= bit(r.From)
		return p.goOn(now)
	}
	c.answered |= bit(r.From)
	c.accepted &^= bit(r.From)
	switch {
	case r.Type == RST: // R11: nobody at home
		p.blame(r.From, 2)
		p.hold(r.From, defaultHold)
		return p.next(now)
	case r.Code>>5 == 2:
		return p.proof(now, r.From)
	case r.Code == tooManyRequests: // R8: it is us, whatever the address
		p.hold(everyone, r.holdTime())
		return p.finish(Busy)
	case r.Code == unauthorized && r.HasEcho && c.echoed&bit(r.From) == 0:
		return p.echo(now, r.From)
	case r.Code>>5 == 4:
		return p.reject()
	case r.Code == unavailable: // R7
		p.hold(r.From, r.holdTime())
	default:
		p.blame(r.From, 1)
		p.hold(r.From, defaultHold)
	}
	return p.next(now)
}

// proof is R5: 2.xx means stored.
func (p *Policy) proof(now uint32, from uint8) Output {
	s, c := &p.state, &p.checkIn
	s.Pending = false
	s.Silent, s.Rejections, s.Skip, s.Unproven = 0, 0, 0, 0
	s.Acknowledged, s.LastAck = true, c.now
	s.clear(from)
	if c.timed&bit(from) != 0 {
		s.sample(now - c.firstSent[from])
	}
	return p.finish(Delivered)
}

// reject is R10: what was refused is not said again. Rejections that follow each other
// make the device speak up less and less, 63 check-ins between two at the end.
func (p *Policy) reject() Output {
	s := &p.state
	s.Pending = false
	s.Skip = 1<<min(s.Rejections, 6) - 1
	if s.Rejections < 255 {
		s.Rejections++
	}
	return p.finish(Rejected)
}

// echo is R9: the server wants to see that we are where we say we are (RFC 9175,
// section 2.3). It gets the message once more, as a new one, with its Echo value. The
// round trip is measured anew, since this answer has its own Message ID.
func (p *Policy) echo(now uint32, from uint8) Output {
	s, c := &p.state, &p.checkIn
	if !p.maySend(now) {
		return p.next(now)
	}
	c.echoed |= bit(from)
	c.answered &^= bit(from)
	c.timed &^= bit(from)
	s.CheckIn++
	c.messageID[from] = s.messageID(from)
	return p.sendAnew(from)
}

// next goes on to another address at once, since this one has said no (R7, R11). If none is
// left it waits for those that were sent to before; if there are none, all are busy.
func (p *Policy) next(now uint32) Output {
	c := &p.checkIn
	if c.phase == sending { // the next one is on its way already
		c.anew = true
		c.window = p.window(c.address)
		return p.goOn(now)
	}
	if address, ok := p.choose(false); ok && p.maySend(now) {
		return p.sendAnew(address)
	}
	if c.silent() != 0 || c.accepted != 0 {
		return p.goOn(now)
	}
	return p.finish(Busy)
}

// maySend reports whether a transmission may leave at once.
func (p *Policy) maySend(now uint32) bool {
	c := &p.checkIn
	return c.phase == listening && c.accepted == 0 && c.sends < maxTransmissions && !before(p.limit(), now+minListen)
}
