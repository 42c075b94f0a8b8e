package oracle

import (
	"strings"
	"testing"
	"time"
)

type fields = map[string]any

// say is one reading of the device "d" of type "t".
type say struct {
	fields fields
	acked  bool
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		said   []say
		shadow fields // nil: there is none
		want   Verdict
	}{
		{"nothing said, nothing there", nil, nil, Verdict{}},
		{"one reading", []say{{fields{"a": 1.0}, true}}, fields{"a": 1.0}, Verdict{Acked: 1}},
		{"an acknowledged reading without a thing", []say{{fields{"a": 1.0}, true}}, nil, Verdict{Acked: 1, Lost: 1}},
		{"an acknowledged reading is missing", []say{{fields{"a": 1.0}, true}}, fields{}, Verdict{Acked: 1, Lost: 1}},
		{"one that was not acknowledged may be missing", []say{{fields{"a": 1.0}, false}}, nil, Verdict{}},
		{"or be there", []say{{fields{"a": 1.0}, false}}, fields{"a": 1.0}, Verdict{}},
		{"the newer one supersedes", []say{{fields{"a": 1.0}, true}, {fields{"a": 2.0}, true}}, fields{"a": 2.0}, Verdict{Acked: 2, Superseded: 1}},
		{"the older one wins", []say{{fields{"a": 1.0}, true}, {fields{"a": 2.0}, true}}, fields{"a": 1.0}, Verdict{Acked: 2, Stale: 1, Superseded: 1}},
		{"an older field that nothing newer has set", []say{{fields{"a": 1.0}, true}, {fields{"b": 2.0}, true}}, fields{"a": 1.0, "b": 2.0}, Verdict{Acked: 2}},
		{"which is missing", []say{{fields{"a": 1.0}, true}, {fields{"b": 2.0}, true}}, fields{"b": 2.0}, Verdict{Acked: 2, Lost: 1}},
		{"a newer one that nobody confirmed shows", []say{{fields{"a": 1.0}, true}, {fields{"a": 2.0}, false}}, fields{"a": 2.0}, Verdict{Acked: 1, Superseded: 1}},
		{"and then has to show whole", []say{{fields{"a": 1.0, "b": 1.0}, true}, {fields{"a": 2.0, "b": 2.0}, false}}, fields{"a": 2.0, "b": 1.0}, Verdict{Acked: 1, Stale: 1, Superseded: 1}},
		{"a deleted field", []say{{fields{"a": 1.0, "b": 1.0}, true}, {fields{"a": nil}, true}}, fields{"b": 1.0}, Verdict{Acked: 2}},
		{"a deleted field that is back", []say{{fields{"a": 1.0}, true}, {fields{"a": nil}, true}}, fields{"a": 1.0}, Verdict{Acked: 2, Stale: 1, Superseded: 1}},
		{"a deletion that nobody confirmed", []say{{fields{"a": 1.0}, true}, {fields{"a": nil}, false}}, fields{}, Verdict{Acked: 1}},
		{"what nobody said", []say{{fields{"a": 1.0}, true}}, fields{"a": 3.0}, Verdict{Acked: 1, Foreign: 1}},
		{"a field that nobody named", []say{{fields{"a": 1.0}, true}}, fields{"a": 1.0, "z": true}, Verdict{Acked: 1, Foreign: 1}},
		{"leaves of an older object remain", []say{{fields{"a": fields{"x": 1.0, "y": 1.0}}, true}, {fields{"a": fields{"x": 2.0}}, true}}, fields{"a": fields{"x": 2.0, "y": 1.0}}, Verdict{Acked: 2, Foreign: 1, Superseded: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := NewLedger()
			for i, s := range tt.said {
				l.Sent("t", "d", s.fields, time.Unix(int64(i), 0)).Acked = s.acked
			}
			shadows := map[string]Shadow{}
			if tt.shadow != nil {
				shadows["d"] = Shadow{ThingType: "t", Reported: tt.shadow}
			}
			got := l.Judge(shadows, nil, nil)
			bad := got.Lost + got.Stale + got.Foreign + got.Poison + got.Wrong
			if got.OK() != (bad == 0) {
				t.Errorf("OK is %v with %+v", got.OK(), got)
			}
			faults := got.Faults
			if got.Faults = nil; !equal(*got, tt.want) {
				t.Errorf("got %+v, want %+v; %s", *got, tt.want, strings.Join(faults, "; "))
			}
		})
	}
}

func equal(a, b Verdict) bool {
	return a.Acked == b.Acked && a.Superseded == b.Superseded && a.Lost == b.Lost && a.Stale == b.Stale && a.Foreign == b.Foreign && a.Poison == b.Poison && a.Wrong == b.Wrong
}

func TestJudgePoisonAndStrangers(t *testing.T) {
	l := NewLedger()
	l.Sent("t", "d", fields{"a": 1.0}, time.Unix(0, 0)).Acked = true
	for _, mark := range []string{"p1", "p2", "p3"} {
		l.Poison(mark)
	}
	l.PoisonAcked("p1")
	l.PoisonAcked("p2")
	shadows := map[string]Shadow{
		"d": {ThingType: "other", Reported: fields{"a": 1.0}},
		"e": {ThingType: "t"},
	}
	letters := []string{"p1", "p1", "p3", "good", "suspect"}
	got := l.Judge(shadows, letters, func(text string) string { return text })
	if want := (Verdict{Acked: 3, Foreign: 2, Poison: 1, Wrong: 2}); !equal(*got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
