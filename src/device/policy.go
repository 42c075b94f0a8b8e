package device

// Policy decides for one device. It holds no pointers; copying it copies the device.
type Policy struct {
	config  Config
	state   State
	checkIn checkIn
	last    Output // of the last check-in
}

// Boot is a cold boot: nothing was retained. The first event gets the number seq, which
// must be greater than any that was used (see Reserve). The output is Sleep: a fleet
// whose power returns must not speak at once.
func Boot(c Config, entropy, seq uint32) (Policy, Output) {
	p := Policy{config: c.normal()}
	p.state.stir(entropy)
	p.state.CheckIn = uint16(p.state.draw())
	p.state.Seq = seq - 1
	p.last = Output{Action: Sleep, Outcome: Held, Seconds: p.state.below(min(p.config.Interval, bootSpread) + 1)}
	return p, p.last
}

// Restore wakes a device from what Retain returned. It reports false for memory that is
// torn or foreign: then Boot is due.
func Restore(c Config, image *[Size]byte) (Policy, bool) {
	p := Policy{config: c.normal()}
	p.last = Output{Action: Sleep, Outcome: Held, Seconds: p.config.Interval}
	ok := p.state.Unmarshal(image)
	return p, ok
}

// Renumber lets the next event have the number seq and forgets a pending one, as after a
// loss of power that the state survived and the event did not. See Reserve.
func (p *Policy) Renumber(seq uint32) {
	p.state.Seq = seq - 1
	p.state.Pending = false
}

// Retain is what must survive sleep. A host that may be reset while it is awake keeps it
// after every output, before acting on that: a number that has been sent must not be
// given to another event.
func (p *Policy) Retain() [Size]byte { return p.state.Marshal() }

// State is a copy of the state, for a person to look at.
func (p *Policy) State() State { return p.state }

// Window is the listening window of the check-in in milliseconds, 0 if nothing was sent.
func (p *Policy) Window() uint32 { return p.checkIn.window }

// Wake begins a check-in at now, in seconds. entropy is any 32 bits that are hard to guess.
// newEvent: there is something new to say, and what was pending is replaced by it. With
// urgent, what there is to say is said now, whatever was held or is to be skipped (R14).
// A check-in that is under way is given up without a verdict.
func (p *Policy) Wake(now, entropy uint32, newEvent, urgent bool) Output {
	s := &p.state
	p.checkIn = checkIn{now: now, urgent: urgent}
	s.stir(entropy)
	s.expire(now)
	if newEvent {
		s.newEvent()
	}
	switch {
	case !s.Pending:
		return p.finish(Held)
	case urgent:
	case s.Held&bit(everyone) != 0:
		return p.finish(Held)
	case s.Skip > 0:
		s.Skip--
		return p.finish(Held)
	}
	c := &p.checkIn
	c.next = s.Rotation
	address, ok := p.choose(false)
	if !ok {
		return p.finish(Busy)
	}
	s.Rotation = p.after(address)
	s.serve()
	s.CheckIn++
	c.token = s.token()
	c.timeout = p.firstTimeout()
	c.confirmable = p.confirm()
	return p.sendAnew(address)
}

// TxDone says that the datagram has left the radio, at now in milliseconds.
func (p *Policy) TxDone(now uint32) Output {
	c := &p.checkIn
	if c.phase != sending {
		return p.goOn(now)
	}
	c.clock(now)
	if !c.confirmable { // R13: a NON is not listened for
		p.state.Pending = false
		return p.finish(Sent)
	}
	if c.timed&bit(c.address) == 0 {
		c.timed |= bit(c.address)
		c.firstSent[c.address] = now
	}
	p.hasLeft(now)
	return p.listen(now)
}

// Timer says that it is Until, at now in milliseconds. While a datagram is still in the
// radio it says that it never left: then no address is to blame.
func (p *Policy) Timer(now uint32) Output {
	c := &p.checkIn
	if c.phase == idle {
		return p.goOn(now)
	}
	c.clock(now)
	if c.phase == sending {
		if c.left == 0 {
			return p.finish(Held)
		}
		return p.silence()
	}
	if at, ok := p.nextSend(now); ok && at == now {
		return p.sendAgain()
	}
	if before(now, c.deadline) {
		return p.listen(now)
	}
	return p.silence()
}

// send orders a transmission.
func (p *Policy) send(address uint8) Output {
	s, c := &p.state, &p.checkIn
	if c.tried&bit(address) == 0 {
		c.tried |= bit(address)
		c.order[address] = c.sends
		c.messageID[address] = s.messageID(address)
	}
	c.phase, c.address, c.next = sending, address, p.after(address)
	c.sends++
	out := Output{
		Action:      Send,
		Address:     address,
		Confirmable: c.confirmable,
		NoResponse:  !c.confirmable,
		Echo:        c.echoed&bit(address) != 0,
		MessageID:   c.messageID[address],
		Token:       c.token,
		Seq:         s.Seq,
	}
	if !c.confirmable {
		out.Hint = NoReply
	}
	return out
}

// sendAnew orders a transmission that begins a window of its own.
func (p *Policy) sendAnew(address uint8) Output {
	p.checkIn.anew = true
	p.checkIn.window = p.window(address)
	return p.send(address)
}

// hasLeft begins to listen, for minListen at least, however long the radio took.
func (p *Policy) hasLeft(now uint32) {
	c := &p.checkIn
	c.phase = listening
	c.left |= bit(c.address)
	c.lastSent = now
	switch {
	case c.anew:
		c.anew = false
		c.deadline = now + c.window
	case before(c.deadline, now+minListen):
		c.deadline = now + minListen
	}
	if before(p.limit(), c.deadline) {
		c.deadline = p.limit()
	}
}

// listen waits for an answer, the next transmission or the end of the window.
func (p *Policy) listen(now uint32) Output {
	until := p.checkIn.deadline
	if at, ok := p.nextSend(now); ok {
		until = at
	}
	return Output{Action: Listen, Until: until}
}

// goOn is the output to an input that changes nothing.
func (p *Policy) goOn(now uint32) Output {
	switch p.checkIn.phase {
	case idle:
		return p.last
	case sending:
		p.checkIn.clock(now)
		return Output{Action: Listen, Until: p.limit()}
	}
	return p.listen(now)
}
