package device

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// testdata/vectors.txt says at its top what its lines mean. c/vectors.c reads it as well.

func TestVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var v *vector
	scenarios := 0
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "scenario" {
			v = &vector{config: Config{}}
			v.boot(1, 1)
			scenarios++
			continue
		}
		args := arguments{}
		for _, w := range words[1:] {
			key, value, found := strings.Cut(w, "=")
			if !found {
				value = "1"
			}
			args[key] = value
		}
		if err := v.step(words[0], args); err != nil {
			t.Errorf("testdata/vectors.txt:%d: %s: %v", i+1, strings.TrimSpace(line), err)
		}
	}
	if scenarios < 40 {
		t.Errorf("only %d scenarios", scenarios)
	}
}

// vector is the policy under test and what the expectations refer to.
type vector struct {
	config Config
	policy Policy
	out    Output
	before Output          // the SEND before the last one
	sent   Output          // the last SEND
	ids    [N]uint16       // the latest Message ID of each address
	counts map[string]uint // of the last run
}

type arguments map[string]string

func (a arguments) number(key string, standard uint) uint {
	if value, ok := a[key]; ok {
		n, err := strconv.ParseUint(value, 0, 32)
		if err != nil {
			panic(err)
		}
		return uint(n)
	}
	return standard
}

func (v *vector) boot(entropy, seq uint32) {
	v.policy, v.out = Boot(v.config, entropy, seq)
}

func (v *vector) do(out Output) {
	v.out = out
	if out.Action == Send {
		v.before, v.sent = v.sent, out
		v.ids[out.Address] = out.MessageID
	}
}

func (v *vector) step(verb string, a arguments) error {
	now := uint32(a.number("at", 0))
	switch verb {
	case "config":
		v.config = Config{
			Addresses: uint8(a.number("addresses", 0)),
			WindowMin: uint32(a.number("window_min", 0)),
			WindowMax: uint32(a.number("window_max", 0)),
			AwakeMax:  uint32(a.number("awake_max", 0)),
			HardLimit: uint32(a.number("hard_limit", 0)),
			Interval:  uint32(a.number("interval", 0)),
		}
		v.boot(1, 1)
	case "boot":
		v.boot(uint32(a.number("entropy", 1)), uint32(a.number("seq", 1)))
	case "renumber":
		v.policy.Renumber(uint32(a.number("seq", 1)))
	case "state":
		for key, value := range a {
			n, _ := strconv.ParseUint(value, 0, 32)
			if !v.field(key, func(uint32) uint32 { return uint32(n) }) {
				return fmt.Errorf("no field %s", key)
			}
		}
	case "wake":
		v.do(v.policy.Wake(now, uint32(a.number("entropy", 1)), a.number("new", 0) == 1, a.number("urgent", 0) == 1))
	case "tx":
		v.do(v.policy.TxDone(now))
	case "timer":
		v.do(v.policy.Timer(now))
	case "rx":
		v.do(v.policy.Rx(now, v.reply(a)))
	case "retain":
		image := v.policy.Retain()
		restored, ok := Restore(v.config, &image)
		if !ok {
			return fmt.Errorf("the state was not recognised")
		}
		v.policy = restored
	case "tear":
		image := v.policy.Retain()
		image[a.number("byte", 0)] ^= byte(a.number("mask", 255))
		if _, ok := Restore(v.config, &image); ok {
			return fmt.Errorf("a torn state was taken for a whole one")
		}
	case "run":
		v.run(a)
	case "=":
		return v.expect(a)
	default:
		return fmt.Errorf("no such verb")
	}
	return nil
}

func (v *vector) reply(a arguments) Reply {
	types := map[string]uint8{"": ACK, "con": CON, "non": NON, "ack": ACK, "rst": RST}
	r := Reply{From: uint8(a.number("from", 0)), Type: types[a["type"]], HasEcho: a.number("echo", 0) == 1}
	code := a.number("code", 204)
	if r.Type == RST {
		code = 0
	}
	r.Code = uint8(code/100<<5 | code%100)
	if _, ok := a["max_age"]; ok {
		r.HasMaxAge, r.MaxAge = true, uint32(a.number("max_age", 0))
	}
	if r.From < N {
		r.MessageID = v.ids[r.From]
	}
	if a["mid"] == "wrong" {
		r.MessageID++
	}
	if code != 0 {
		r.TokenLen = 4
		copy(r.Token[:], v.sent.Token[:])
	}
	switch a["token"] {
	case "wrong":
		r.Token[3] ^= 1
	case "short":
		r.TokenLen = 3
	case "long":
		r.TokenLen = 5
	}
	return r
}

// run is a simple world: a datagram takes 10 ms to leave, and what is not dead answers 2.04.
func (v *vector) run(a arguments) {
	v.counts = map[string]uint{}
	dead, roundTrip := a.number("dead", 0), uint32(a.number("round_trip", 300))
	for i := range uint32(a.number("check_ins", 1)) {
		var arrives [N]uint32 // 0: nothing
		ms := uint32(0)
		v.do(v.policy.Wake(1000+i*uint32(a.number("every", 3600)), i, true, false))
		for v.out.Action != Sleep {
			if v.out.Action == Send {
				v.counts["sends"]++
				ms += 10
				if dead>>v.out.Address&1 == 0 && v.out.Confirmable && arrives[v.out.Address] == 0 {
					arrives[v.out.Address] = ms + roundTrip
				}
				v.do(v.policy.TxDone(ms))
				continue
			}
			next := N
			for address, at := range arrives {
				if at != 0 && at <= v.out.Until && (next == N || at < arrives[next]) {
					next = address
				}
			}
			if next == N {
				ms = v.out.Until
				v.do(v.policy.Timer(ms))
				continue
			}
			ms = arrives[next]
			arrives[next] = 0
			v.do(v.policy.Rx(ms, v.reply(arguments{"from": strconv.Itoa(next)})))
		}
		v.counts[v.out.Outcome.String()]++
	}
}

func (v *vector) expect(a arguments) error {
	out := v.out
	for key, want := range a {
		var got string
		switch key {
		case "send", "listen", "sleep":
			got, want = [...]string{"send", "listen", "sleep"}[out.Action], key
		case "to":
			got = fmt.Sprint(out.Address)
		case "con":
			got = fmt.Sprint(flag(out.Confirmable))
		case "no_response":
			got = fmt.Sprint(flag(out.NoResponse))
		case "no_reply":
			got = fmt.Sprint(flag(out.Hint == NoReply))
		case "echo":
			got = fmt.Sprint(flag(out.Echo))
		case "mid":
			got = sameOrNew(v.before.MessageID == out.MessageID, want, out.MessageID)
		case "token":
			got = sameOrNew(v.before.Token == out.Token, want, 0)
		case "seq":
			got = fmt.Sprint(out.Seq)
		case "until":
			got = fmt.Sprint(out.Until)
		case "seconds":
			got = fmt.Sprint(out.Seconds)
		case "outcome":
			got = out.Outcome.String()
		case "window":
			got = fmt.Sprint(v.policy.Window())
		default:
			if name, ok := strings.CutPrefix(key, "n_"); ok {
				got = fmt.Sprint(v.counts[name])
			} else if !v.field(key, func(n uint32) uint32 { got = fmt.Sprint(n); return n }) {
				return fmt.Errorf("no field %s", key)
			}
		}
		if !matches(got, want) {
			return fmt.Errorf("%s is %s in %+v", key, got, out)
		}
	}
	return nil
}

func sameOrNew(same bool, want string, n uint16) string {
	switch {
	case want != "same" && want != "new":
		return fmt.Sprint(n)
	case same:
		return "same"
	}
	return "new"
}

// matches knows a word, a number and a range of numbers.
func matches(got, want string) bool {
	low, high, isRange := strings.Cut(want, "..")
	if !isRange {
		high = low
	}
	n, err1 := strconv.ParseUint(got, 0, 32)
	from, err2 := strconv.ParseUint(low, 0, 32)
	to, err3 := strconv.ParseUint(high, 0, 32)
	if err1 != nil || err2 != nil || err3 != nil {
		return got == want
	}
	return from <= n && n <= to
}

// field lets f see a field of the state, and change it.
func (v *vector) field(key string, f func(uint32) uint32) bool {
	s := &v.policy.state
	var address *Record
	if last := key[len(key)-1]; '0' <= last && last < '0'+N {
		address, key = &s.Address[last-'0'], key[:len(key)-1]
	}
	switch key {
	case "pending":
		s.Pending = f(uint32(flag(s.Pending))) == 1
	case "acknowledged":
		s.Acknowledged = f(uint32(flag(s.Acknowledged))) == 1
	case "rotation":
		s.Rotation = uint8(f(uint32(s.Rotation)))
	case "held":
		s.Held = uint8(f(uint32(s.Held)))
	case "check_in":
		s.CheckIn = uint16(f(uint32(s.CheckIn)))
	case "unproven":
		s.Unproven = uint16(f(uint32(s.Unproven)))
	case "number":
		s.Seq = f(s.Seq)
	case "last_ack":
		s.LastAck = f(s.LastAck)
	case "hold_all":
		s.HoldAll = f(s.HoldAll)
	case "silent":
		s.Silent = uint8(f(uint32(s.Silent)))
	case "rejections":
		s.Rejections = uint8(f(uint32(s.Rejections)))
	case "round_trip":
		s.RoundTrip = uint8(f(uint32(s.RoundTrip)))
	case "skip":
		s.Skip = uint8(f(uint32(s.Skip)))
	case "hold":
		address.HoldUntil = f(address.HoldUntil)
	case "penalty":
		address.Penalty = uint8(f(uint32(address.Penalty)))
	case "level":
		address.Level = uint8(f(uint32(address.Level)))
	case "misses":
		address.Misses = uint8(f(uint32(address.Misses)))
	default:
		return false
	}
	return true
}
