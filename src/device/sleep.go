package device

// finish ends the check-in and says how long to sleep (R15): the interval, an eighth more
// or less, so that a fleet does not march in step; not less than a hold on everyone; and
// if each address is held, until the first is free and up to a quarter longer (R7).
func (p *Policy) finish(outcome Outcome) Output {
	s := &p.state
	now := p.checkIn.seconds()
	eighth := p.config.Interval / 8
	seconds := p.config.Interval - eighth + s.below(2*eighth+1)
	if s.Held&bit(everyone) != 0 {
		seconds = max(seconds, remaining(now, s.HoldAll))
	}
	if wait, allHeld := p.soonest(now); allHeld {
		seconds = max(seconds, wait+s.below(wait/4+1))
	}
	p.checkIn.phase = idle
	p.last = Output{Action: Sleep, Seconds: seconds, Outcome: outcome}
	return p.last
}
