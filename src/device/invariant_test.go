package device

import (
	"fmt"
	"testing"
)

// What no script may bring about, whatever the host and the network do.

const exchangeLifetime = 247 // s (RFC 7252, section 4.8.2)

// monitor watches one life of a device from outside.
type monitor struct {
	fail func(format string, args ...any)

	begin    uint32 // ms, of this check-in
	begun    bool
	departed uint32 // ms, of the latest transmission
	sends    int
	latest   map[uint8]Output // of this check-in, by address
	leftAt   map[uint8]uint32 // ms, when the datagram with that Message ID last left
	used     map[[2]uint16]uint32
	seq      uint32
	pending  bool
	proof    bool // a fitting 2.xx was shown in this check-in
	sending  bool // a datagram is in the radio
	asleep   bool
	image    [Size]byte // as last retained
	previous Output
}

func (m *monitor) see(s *script, in input) {
	p, out := &s.policy, s.out
	same := in.kind == 'I' && in.image == m.image
	m.retained(s)
	if in.kind == 'B' || in.kind == 'I' || in.kind == 'N' {
		m.seq, m.pending = p.state.Seq, p.state.Pending
		m.asleep, m.sending = true, false
		if in.kind != 'N' && !same { // another counter
			m.used = map[[2]uint16]uint32{}
		}
		m.previous = out
		return
	}
	if in.kind == 'W' {
		m.begun, m.sends, m.proof, m.asleep, m.sending = false, 0, false, false, false
		m.latest, m.leftAt = map[uint8]Output{}, map[uint8]uint32{}
		if in.newEvent {
			m.seq++
			m.pending = true
		}
	} else if m.asleep {
		if out != m.previous {
			m.fail("a device that sleeps was moved to %+v", out)
		}
		return
	} else if !m.begun {
		m.begun, m.begin = true, in.now
	}
	if in.kind == 'T' && m.sending {
		m.departed, m.sending = in.now, false
		m.leftAt[p.checkIn.address] = in.now
	}
	switch out.Action {
	case Send:
		m.send(s, in)
	case Listen:
		if !m.begun || out.Until-m.begin > p.config.AwakeMax {
			m.fail("listen until %d, awake since %d", out.Until, m.begin)
		}
	case Sleep:
		m.sleep(s, in)
	}
	m.previous = out
}

// retained: the state fits, survives, and is within its bounds.
func (m *monitor) retained(s *script) {
	image := s.policy.Retain()
	m.image = image
	if len(image) > 64 {
		m.fail("%d bytes retained", len(image))
	}
	restored, ok := Restore(s.config, &image)
	if !ok || restored.state != s.policy.state {
		m.fail("state %+v came back as %+v, %t", s.policy.state, restored.state, ok)
	}
}

func (m *monitor) send(s *script, in input) {
	p, out := &s.policy, s.out
	m.sends++
	if m.sends > 5 {
		m.fail("transmission %d in one check-in", m.sends)
	}
	if out.Address >= p.config.Addresses {
		m.fail("address %d", out.Address)
	}
	if out.Seq != m.seq {
		m.fail("number %d, the newest event has %d", out.Seq, m.seq)
	}
	if !m.pending {
		m.fail("sends what was delivered, sent or dropped")
	}
	if out.Confirmable == out.NoResponse || out.Confirmable == (out.Hint == NoReply) {
		m.fail("confirmable, No-Response and hint disagree: %+v", out)
	}
	if in.kind == 'M' {
		if in.now-m.departed < 2000 {
			m.fail("sends again after %d ms of silence", in.now-m.departed)
		}
		if in.now+1000-m.begin > p.config.AwakeMax {
			m.fail("sends %d ms after it woke", in.now-m.begin)
		}
	}
	if in.kind == 'X' {
		if in.now+1000-m.begin > p.config.AwakeMax {
			m.fail("sends %d ms after it woke", in.now-m.begin)
		}
		if !s.fitted || in.reply.Code>>5 == 2 {
			m.fail("sends after %+v", in.reply)
		}
	}
	if before, ok := m.latest[out.Address]; ok {
		same := before == out
		fresh := in.kind == 'X' && out.Echo && !before.Echo && before.MessageID != out.MessageID && before.Token == out.Token
		if !same && !fresh {
			m.fail("to the same address %+v and then %+v", before, out)
		}
		if same && in.now-m.leftAt[out.Address] < 2000 {
			m.fail("the same exchange again after %d ms", in.now-m.leftAt[out.Address])
		}
	}
	for _, other := range m.latest {
		if other.Token != out.Token || other.Seq != out.Seq || other.Confirmable != out.Confirmable {
			m.fail("in one check-in %+v and %+v", other, out)
		}
	}
	key := [2]uint16{uint16(out.Address), out.MessageID}
	if at, ok := m.used[key]; ok && s.seconds-at < exchangeLifetime && m.latest[out.Address].MessageID != out.MessageID {
		m.fail("Message ID %d to address %d again after %d s", out.MessageID, out.Address, s.seconds-at)
	}
	m.used[key] = s.seconds
	m.latest[out.Address] = out
	m.sending = true
}

func (m *monitor) sleep(s *script, in input) {
	p, out := &s.policy, s.out
	fits := s.fitted && in.reply.Code>>5 == 2
	if (out.Outcome == Delivered) != fits {
		m.fail("%s after %+v", out.Outcome, in)
	}
	switch out.Outcome {
	case Delivered, Sent, Rejected:
		m.pending = false
	case Unverified, Accepted:
		if m.sends == 0 {
			m.fail("%s without a transmission", out.Outcome)
		}
	}
	if p.state.Pending != m.pending {
		m.fail("pending %t after %s", p.state.Pending, out.Outcome)
	}
	if out.Outcome == Delivered && (p.state.Silent != 0 || p.state.Skip != 0 || p.state.Unproven != 0) {
		m.fail("proof left %+v", p.state)
	}
	interval := p.config.Interval
	if out.Seconds < interval-interval/8 || out.Seconds > max(interval+interval/8, 86400+86400/4) {
		m.fail("sleeps %d s", out.Seconds)
	}
	m.asleep = true
}

// check plays one script under watch.
func check(t *testing.T, name string, c chance, steps int) {
	t.Helper()
	var history []byte
	m := &monitor{}
	failed := false
	m.fail = func(format string, args ...any) {
		if !failed {
			t.Errorf("%s: %s\n%s", name, fmt.Sprintf(format, args...), history)
		}
		failed = true
	}
	play(c, steps, func(s *script, in input) {
		if failed {
			return
		}
		history = in.line(history)
		history = append(history, '\t')
		history = s.line(history)
		m.see(s, in)
	})
}

func TestInvariants(t *testing.T) {
	for seed := range lives / 10 {
		check(t, fmt.Sprintf("seed %d", seed), seeded(uint64(seed)), 60)
		if t.Failed() {
			return
		}
	}
}

func FuzzScript(f *testing.F) {
	f.Add([]byte("a short life"))
	f.Add(make([]byte, 200))
	f.Fuzz(func(t *testing.T, b []byte) {
		check(t, "fuzz", &bytesChance{b}, 10+len(b)/8)
	})
}
