package device

// Config is fixed when the firmware is built. A zero field is its default, and a value out
// of range is brought into it: a device in the field has nobody to tell.
type Config struct {
	Addresses uint8  // how many addresses it has, 1 to N; N by default
	WindowMin uint32 // ms, the listening window to begin with; 1000 by default and at least, 3000 suits NB-IoT
	WindowMax uint32 // ms, what it grows to; 32000 by default, under MAX_TRANSMIT_SPAN (45 s, RFC 7252, section 4.8.2)
	AwakeMax  uint32 // ms, what a check-in may take in all; 45000 by default, at most MAX_TRANSMIT_WAIT (93 s)
	HardLimit uint32 // s, how long an acknowledgement lets later reports go unverified; 0: every report is verified
	Interval  uint32 // s between check-ins; 3600 by default, a year at most
}

func (c Config) normal() Config {
	if c.Addresses == 0 || c.Addresses > N {
		c.Addresses = N
	}
	c.WindowMin = within(c.WindowMin, 1000, minListen, 44999)
	c.WindowMax = within(c.WindowMax, 32000, c.WindowMin, 44999)
	c.AwakeMax = within(c.AwakeMax, 45000, c.WindowMax, 93000)
	c.Interval = within(c.Interval, 3600, 1, 366*86400)
	return c
}

// within is n, or standard for zero, brought between low and high.
func within(n, standard, low, high uint32) uint32 {
	if n == 0 {
		n = standard
	}
	return min(max(n, low), high)
}
