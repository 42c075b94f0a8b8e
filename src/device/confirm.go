package device

// confirm decides between the two models. Without a hard limit every report is a CON. With
// one, a report may be a NON while the last acknowledgement is younger than the limit;
// a clock that was set back makes it old.
func (p *Policy) confirm() bool {
	s, c := &p.state, &p.checkIn
	return c.urgent || p.config.HardLimit == 0 || !s.Acknowledged || c.now-s.LastAck >= p.config.HardLimit
}
