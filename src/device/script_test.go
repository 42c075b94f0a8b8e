package device

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
)

// A script is a random life of a device: a host that mostly keeps the rules, a network that
// mostly does not. The same scripts go through the invariants and through the C twin.

// input is one call of the policy.
type input struct {
	kind     byte // 'B'oot, 'I'mage restored, re'N'umber, 'W'ake, 'T'xDone, Rx 'X', ti'M'er
	now      uint32
	entropy  uint32
	seq      uint32
	newEvent bool
	urgent   bool
	config   Config
	image    [Size]byte
	reply    Reply
}

// line is the input as the driver of the C twin reads it.
func (in *input) line(b []byte) []byte {
	b = append(b, in.kind)
	switch c, r := &in.config, &in.reply; in.kind {
	case 'B':
		b = decimals(b, uint32(c.Addresses), c.WindowMin, c.WindowMax, c.AwakeMax, c.HardLimit, c.Interval, in.entropy, in.seq)
	case 'I':
		b = decimals(b, uint32(c.Addresses), c.WindowMin, c.WindowMax, c.AwakeMax, c.HardLimit, c.Interval)
		b = hex.AppendEncode(append(b, ' '), in.image[:])
	case 'N':
		b = decimals(b, in.seq)
	case 'W':
		b = decimals(b, in.now, in.entropy, uint32(flag(in.newEvent)), uint32(flag(in.urgent)))
	case 'X':
		b = decimals(b, in.now, uint32(r.From), uint32(r.Type), uint32(r.Code), uint32(r.MessageID))
		b = hex.AppendEncode(append(b, ' '), r.Token[:])
		b = decimals(b, uint32(r.TokenLen), r.MaxAge, uint32(flag(r.HasMaxAge)), uint32(flag(r.HasEcho)))
	default:
		b = decimals(b, in.now)
	}
	return append(b, '\n')
}

func decimals(b []byte, numbers ...uint32) []byte {
	for _, n := range numbers {
		b = strconv.AppendUint(append(b, ' '), uint64(n), 10)
	}
	return b
}

// run makes the call.
func (in *input) run(p *Policy) (out Output) {
	switch in.kind {
	case 'B':
		*p, out = Boot(in.config, in.entropy, in.seq)
	case 'I':
		*p, _ = Restore(in.config, &in.image)
		out = p.last
	case 'N':
		p.Renumber(in.seq)
		out = p.last
	case 'W':
		out = p.Wake(in.now, in.entropy, in.newEvent, in.urgent)
	case 'T':
		out = p.TxDone(in.now)
	case 'X':
		out = p.Rx(in.now, in.reply)
	case 'M':
		out = p.Timer(in.now)
	}
	return out
}

// line is the last output as the driver of the C twin prints it, with the checksum of the state.
func (s *script) line(b []byte) []byte {
	o, p := &s.out, &s.policy
	switch o.Action {
	case Send:
		b = append(b, "send"...)
		b = decimals(b, uint32(o.Address), uint32(flag(o.Confirmable)), uint32(flag(o.NoResponse)), uint32(flag(o.Echo)), uint32(o.MessageID))
		b = hex.AppendEncode(append(b, ' '), o.Token[:])
		b = decimals(b, o.Seq, uint32(o.Hint))
	case Listen:
		b = decimals(append(b, "listen"...), o.Until)
	case Sleep:
		b = decimals(append(b, "sleep"...), o.Seconds, uint32(o.Outcome))
	}
	image := p.Retain()
	b = decimals(b, p.Window(), uint32(flag(s.fitted)))
	return append(hex.AppendEncode(append(b, ' '), image[Size-4:]), '\n')
}

// chance is where a script takes its decisions from.
type chance interface{ Uint32() uint32 }

// bytesChance takes them from a fuzzer's bytes, and is 0 when these are used up.
type bytesChance struct{ b []byte }

func (c *bytesChance) Uint32() uint32 {
	n := uint32(0)
	for range 2 {
		if len(c.b) > 0 {
			n = n<<8 | uint32(c.b[0])
			c.b = c.b[1:]
		}
	}
	return n * 0x9e3779b1 // two bytes decide over all bits
}

func seeded(seed uint64) chance { return rand.New(rand.NewPCG(seed, 0)) }

// script makes inputs one by one, each after the output of the one before.
type script struct {
	chance
	policy  Policy
	config  Config
	out     Output
	fitted  bool // the last input was a reply that answers something
	seconds uint32
	ms      uint32
	sends   []Output // of this check-in
}

func (s *script) one(of uint32) bool { return s.Uint32()%of == 0 }

func (s *script) pick(n ...uint32) uint32 { return n[s.Uint32()%uint32(len(n))] }

// first is how a life begins: cold, or in the middle with any state there can be.
func (s *script) first() input {
	s.config = Config{
		Addresses: uint8(s.pick(0, 0, 0, 1, 2, 3, 4)),
		WindowMin: s.pick(0, 0, 3000, 4000, 10000, 44000),
		WindowMax: s.pick(0, 0, 5000, 44999),
		AwakeMax:  s.pick(0, 0, 1, 20000, 93000),
		HardLimit: s.pick(0, 0, 14400, 1, 1<<32-1),
		Interval:  s.pick(0, 0, 10, 1, 86400, 1<<31),
	}
	s.seconds = s.pick(1000, 0, 1<<32-5000, 1<<31-100, s.Uint32())
	s.ms = s.pick(0, 1<<32-3000, 1<<31-3000, s.Uint32())
	if s.one(2) {
		return input{kind: 'B', config: s.config, entropy: s.Uint32(), seq: s.pick(1, 0, 1<<32-2, s.Uint32())}
	}
	state := State{
		Pending:      s.one(2),
		Acknowledged: s.one(2),
		Rotation:     uint8(s.Uint32() % N),
		Held:         uint8(s.pick(0, 0, 0, 16, 15, s.Uint32()%32)),
		CheckIn:      uint16(s.pick(0, 1<<14-2, 1<<16-2, s.Uint32())),
		Unproven:     uint16(s.pick(0, 1<<16-2)),
		Seq:          s.pick(0, 1<<32-2, s.Uint32()),
		LastAck:      s.seconds - s.Uint32()%20000,
		HoldAll:      s.seconds + s.Uint32()%4000 - 1000,
		Random:       s.Uint32(),
		Silent:       uint8(s.pick(0, 0, 1, 2, 3, 4, 5, 6, 8, 9, 254, 255)),
		Rejections:   uint8(s.pick(0, 1, 6, 7, 254, 255)),
		RoundTrip:    uint8(s.pick(0, 5, 24, 41, 100, 255)),
		Skip:         uint8(s.pick(0, 0, 0, 1, 63)),
	}
	for a := range state.Address {
		state.Address[a] = Record{
			HoldUntil: s.seconds + s.Uint32()%4000 - 1000,
			Penalty:   uint8(s.pick(0, 0, 0, 1, 4, 64)),
			Level:     uint8(s.pick(0, 0, 0, 1, 4, 5)),
			Misses:    uint8(s.Uint32() % 4),
		}
	}
	return input{kind: 'I', config: s.config, image: state.Marshal()}
}

// next is what the host does after the last output, or what goes wrong.
func (s *script) next() input {
	if s.one(40) {
		return s.strange()
	}
	switch s.out.Action {
	case Send:
		s.ms += s.pick(0, 10, 10, 10, 900, 20000)
		if s.one(30) {
			return s.answer()
		}
		if s.one(60) {
			return input{kind: 'M', now: s.ms}
		}
		return input{kind: 'T', now: s.ms}
	case Listen:
		wait := s.out.Until - s.ms
		if int32(wait) > 0 && s.one(2) {
			s.ms += s.Uint32() % (wait + 1)
			return s.answer()
		}
		if int32(wait) > 0 {
			s.ms = s.out.Until
		}
		s.ms += s.pick(0, 0, 0, 0, 1, 700, 60000)
		return input{kind: 'M', now: s.ms}
	}
	if s.one(3) {
		return input{kind: 'I', config: s.config, image: s.policy.Retain()}
	}
	s.ms += s.pick(0, 1000, 1<<24)
	s.seconds += max(1, s.pick(s.out.Seconds, s.out.Seconds, s.out.Seconds, 1, 60))
	return s.wake()
}

func (s *script) wake() input {
	s.sends = s.sends[:0]
	return input{kind: 'W', now: s.seconds, entropy: s.Uint32(), newEvent: !s.one(3), urgent: s.one(10)}
}

// strange is an input that nothing called for.
func (s *script) strange() input {
	switch s.Uint32() % 7 {
	case 0:
		return input{kind: 'T', now: s.ms}
	case 1:
		return input{kind: 'M', now: s.ms}
	case 2:
		s.seconds += 1 + s.Uint32()%100
		return s.wake()
	case 3:
		s.ms -= s.Uint32() % 100
		return input{kind: 'M', now: s.ms}
	case 4:
		if s.out.Action != Sleep { // it belongs to a boot
			return s.answer()
		}
		return input{kind: 'N', seq: s.policy.state.Seq + s.Uint32()%SeqBlock + 1}
	case 5:
		if s.out.Action != Sleep {
			return s.answer()
		}
		return input{kind: 'I', config: s.config, image: s.damaged()}
	}
	return s.answer()
}

// damaged is retained memory with a byte changed, which now and then the checksum covers.
func (s *script) damaged() [Size]byte {
	image := s.policy.Retain()
	image[s.Uint32()%Size] ^= uint8(1 + s.Uint32()%255)
	if s.one(2) {
		put32(image[Size-4:], checksum(image[:Size-4]))
	}
	return image
}

var answers = [...]uint8{2<<5 | 4, 2<<5 | 4, 2<<5 | 1, 5<<5 | 3, 5<<5 | 3, 5<<5 | 3, 5 << 5, 4<<5 | 1, 4<<5 | 1, 4 << 5, 4<<5 | 29, 0, 0, 3 << 5, 2, 7 << 5}

func (s *script) answer() input {
	r := Reply{
		Type:      uint8(s.pick(2, 2, 2, 2, 2, 3, 0, 1)),
		Code:      answers[s.Uint32()%uint32(len(answers))],
		HasMaxAge: s.one(2),
		MaxAge:    s.pick(0, 5, 30, 3000, 1<<32-1),
		HasEcho:   s.one(2),
		TokenLen:  4,
	}
	r.From = uint8(s.Uint32() % (N + 1))
	if len(s.sends) > 0 {
		latest := s.sends[len(s.sends)-1-int(s.Uint32()%uint32(len(s.sends)))]
		r.From, r.MessageID = latest.Address, latest.MessageID
		copy(r.Token[:], latest.Token[:])
	}
	if r.Type == RST {
		r.Code = 0
	}
	if r.Code == 0 {
		r.TokenLen = 0
	}
	if s.one(15) {
		r.MessageID++
	}
	if s.one(15) {
		r.Token[s.Uint32()%8] ^= 1
	}
	if s.one(30) {
		r.TokenLen = uint8(s.Uint32() % 9)
	}
	return input{kind: 'X', now: s.ms, reply: r}
}

// play runs a script of so many inputs and shows each with its output.
func play(c chance, steps int, see func(s *script, in input)) {
	s := &script{chance: c}
	in := s.first()
	for range steps {
		s.fitted = in.kind == 'X' && s.policy.Fits(in.reply)
		s.out = in.run(&s.policy)
		if s.out.Action == Send && (in.kind != 'T' && in.kind != 'I' && in.kind != 'N') {
			s.sends = append(s.sends, s.out)
		}
		see(s, in)
		in = s.next()
	}
}
