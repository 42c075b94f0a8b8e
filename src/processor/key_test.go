package processor

import (
	"testing"

	"coap-for-aws-iot/src/envelope"
)

const window = int64(1) << slotBits

func TestCompare(t *testing.T) {
	n := func(time int64, seq uint64) key { return key{time: time, seq: seq, numbered: true} }
	u := func(time int64, tie uint32) key { return key{time: time, tie: tie} }
	slot := at0 &^ (window - 1) // the beginning of a slot
	for _, tt := range []struct {
		name string
		a, b key
		want int
	}{
		{"the greater number, though it came first", n(slot, 8), n(slot+window, 7), +1},
		{"just beyond the window time decides", n(slot, 8), n(slot+window+1, 7), -1},
		{"numbers use all 64 bits", n(slot, 1<<63), n(slot, 1), +1},
		{"copies in one slot are one report", n(slot, 7), n(slot+window-1, 7), 0},
		{"copies in two slots: the later", n(slot-1, 7), n(slot, 7), -1},
		{"the same number days apart: the later", n(slot+day, 7), n(slot, 7), +1},
		{"without numbers the later", u(slot, 9), u(slot+1, 1), -1},
		{"only one numbered: the later", n(slot, 9), u(slot+1, 1), -1},
		{"the same millisecond: the tie", u(slot, 9), u(slot, 1), +1},
		{"the same millisecond, one numbered", n(slot, 1), u(slot, 9), +1},
		{"the same", u(slot, 9), u(slot, 9), 0},
		{"the floor is older than all", key{}, n(1, 0), -1},
		{"the floor is older than all", key{}, u(1, 0), -1},
	} {
		if got := compare(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: got %+d, want %+d", tt.name, got, tt.want)
		}
		if got := compare(tt.b, tt.a); got != -tt.want {
			t.Errorf("%s, the other way round: got %+d, want %+d", tt.name, got, -tt.want)
		}
	}
}

func TestJoinKeepsTheFirstTimeOfOneReport(t *testing.T) {
	slot := at0 &^ (window - 1)
	early, late := key{time: slot, seq: 7, numbered: true}, key{time: slot + 5, seq: 7, numbered: true}
	if got := join(early, late); got != early {
		t.Errorf("got %+v", got)
	}
	if got := join(late, early); got != early {
		t.Errorf("got %+v", got)
	}
}

func TestReceiveTime(t *testing.T) {
	for _, tt := range []struct {
		name                string
		received, firstSent int64
		want                int64
	}{
		{"the ingestor's clock", at0, at0 + 20, at0},
		{"a fast clock is bounded by the queue's", at0 + hour, at0 + 20, at0 + 20},
		{"a late first SentTimestamp does not raise it", at0, at0 + day, at0},
		{"no SentTimestamp", at0, 0, at0},
		{"a clock that was never set", -5, at0, 1},
	} {
		r := says(tt.received, "1")
		if got := keyOf(&r, "use1-a", tt.firstSent).time; got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// Reports of the same millisecond have an order if anything in them differs.
func TestTie(t *testing.T) {
	base := says(at0, "1")
	k := keyOf(&base, "use1-a", at0)
	other, format := says(at0, "2"), says(at0, "1")
	format.Format = envelope.NoFormat
	for _, ko := range []key{keyOf(&other, "use1-a", at0), keyOf(&format, "use1-a", at0), keyOf(&base, "use1-b", at0)} {
		if compare(k, ko) == 0 {
			t.Errorf("%+v and %+v have no order", k, ko)
		}
	}
	again := says(at0, "1")
	again.MessageID++
	if ka := keyOf(&again, "use1-a", at0); ka != k {
		t.Errorf("got %+v, want %+v", ka, k)
	}
}
