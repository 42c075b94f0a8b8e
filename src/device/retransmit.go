package device

// R2: when to send again. The listening window is not the retransmission timer: giving up
// early is allowed (RFC 7252, section 4.2), sending again early is not.

// firstTimeout is how long the second transmission comes after the first. While no round
// trip is known it is the longest that the RFC draws from: the window may be growing
// because the network is slow, not because an address is dead.
func (p *Policy) firstTimeout() uint32 {
	drawn := ackTimeout + p.state.below(ackSpread+1)
	roundTrip := p.state.roundTrip()
	if roundTrip == 0 {
		return ackTimeout + ackSpread
	}
	return max(drawn, roundTrip+roundTrip/2)
}

// nextSend is when the next transmission is due, now if that is past. It reports false if
// there will be none: minListen of the window would not remain, or nobody is left. When it
// was due decides, not when the host's timer fires, which is a little late everywhere: the
// window then ends later by as much (see hasLeft). Past its end it is too late, as it is
// when minListen of the time awake does not remain.
func (p *Policy) nextSend(now uint32) (at uint32, ok bool) {
	c := &p.checkIn
	at = c.lastSent + c.timeout
	if c.accepted != 0 || c.sends == maxTransmissions || before(c.deadline, at+minListen) {
		return 0, false
	}
	if before(at, now) {
		if at = now; !before(now, c.deadline) || before(p.limit(), now+minListen) {
			return 0, false
		}
	}
	_, ok = p.choose(true)
	return at, ok
}

// sendAgain is the transmission that a silent address makes necessary. Only silence
// doubles the timeout: an answer is no sign of congestion.
func (p *Policy) sendAgain() Output {
	address, _ := p.choose(true)
	p.checkIn.timeout *= 2
	return p.send(address)
}
