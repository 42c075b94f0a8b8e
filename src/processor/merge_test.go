package processor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// merges applies JSON reports, numbered 1, 2, … and received at the given times, each
// to the shadow that the one before has left, and returns the last refusal.
func merges(t *testing.T, shadow *fakeShadow, reports ...any) (last error) {
	t.Helper()
	for i := 0; i < len(reports); i += 2 {
		at := reports[i].(int64)
		r := says(at, reports[i+1].(string))
		values, err := decode(&r)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseShadow(shadow.document())
		if err != nil {
			t.Fatal(err)
		}
		changed, err := s.merge(keyOf(&r, "use1-a", 0), values)
		last = err
		if err == nil && changed {
			shadow.update(s.patch())
		}
	}
	return last
}

func TestMerge(t *testing.T) {
	for _, tt := range []struct {
		name    string
		before  string
		reports []any
		want    string
	}{
		{"a late partial report fills what nothing newer has set", `{}`, []any{at0 + 9, `{"t":2}`, at0, `{"t":1,"h":1}`}, `{"h":1,"t":2}`},
		{"a late report does not bring back what was deleted", `{}`, []any{at0 + 9, `{"t":null}`, at0, `{"t":1}`}, `{}`},
		{"though the deletion was not the newest report", `{}`, []any{at0 + 5, `{"t":null}`, at0 + 9, `{"h":1}`, at0, `{"t":1}`}, `{"h":1}`},
		{"an object is replaced whole", `{}`, []any{at0, `{"o":{"a":1,"b":{"c":2,"d":3}}}`, at0 + 1, `{"o":{"b":{"d":4}}}`}, `{"o":{"b":{"d":4}}}`},
		{"an object by a scalar and back", `{}`, []any{at0, `{"o":{"a":1}}`, at0 + 1, `{"o":1}`, at0 + 2, `{"o":{"b":1}}`}, `{"o":{"b":1}}`},
		{"an object by an array", `{}`, []any{at0, `{"o":{"a":1}}`, at0 + 1, `{"o":[1,{"a":1}]}`}, `{"o":[1,{"a":1}]}`},
		{"a null inside says nothing", `{}`, []any{at0, `{"o":{"a":1,"b":null}}`}, `{"o":{"a":1}}`},
		{"an object without content deletes", `{}`, []any{at0, `{"o":{"a":1}}`, at0 + 1, `{"o":{"b":{"c":null}}}`}, `{}`},
		{"and keeps out what is older", `{}`, []any{at0 + 1, `{"o":{}}`, at0, `{"o":1}`}, `{}`},
		{"a stranger's field counts as set by the newest report", `{}`, []any{at0 + 1, `{"t":1}`}, `{"t":1}`},
		{"without bookkeeping any report is newer", `{"t":1,"x":{"y":1}}`, []any{at0, `{"t":2,"x":{"z":1}}`}, `{"t":2,"x":{"z":1}}`},
		{"damaged bookkeeping is rebuilt", `{"t":1,"_coap":{"v":1,"type":"th","k":"???"}}`, []any{at0, `{"t":2}`, at0 - 1, `{"t":3}`}, `{"t":2}`},
		{"bookkeeping that is no object is rebuilt", `{"t":1,"_coap":7}`, []any{at0, `{"t":2}`, at0 - 1, `{"t":3}`}, `{"t":2}`},
		{"a field at the floor is replaced by any report that is accepted", `{}`,
			[]any{at0, `{"t":1}`, at0 + 16*day, `{"h":1}`, at0 + 2*day, `{"t":2}`}, `{"h":1,"t":2}`},
		{"a field not yet at the floor is not", `{}`,
			[]any{at0 + 3*day, `{"t":1}`, at0 + 16*day, `{"h":1}`, at0 + 2*day, `{"t":2}`}, `{"h":1,"t":1}`},
	} {
		shadow := newShadow(tt.before)
		if err := merges(t, shadow, tt.reports...); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := shadow.values(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// At the floor a field has no number either: whatever is accepted is newer.
func TestFloorForgetsTheNumber(t *testing.T) {
	s := &state{fields: map[string]*field{}}
	for _, r := range []struct {
		at, seq int64
		text    string
	}{{at0, 100, `{"t":"old"}`}, {at0 + maxSpan + second, 200, `{"h":1}`}, {at0 + 2*second, 5, `{"t":"late"}`}} {
		report := says(r.at, r.text)
		values, err := decode(&report)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.merge(key{time: r.at, seq: uint64(r.seq), numbered: true}, values); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.fields["t"].value; got != "late" {
		t.Errorf("got %v", got)
	}
}

// What a stranger writes beside the bookkeeping is as new as the newest report was.
func TestStrangersField(t *testing.T) {
	shadow := newShadow(`{}`)
	merges(t, shadow, at0, `{"t":1}`)
	shadow.reported["led"] = "on"
	merges(t, shadow, at0-1, `{"led":"old"}`)
	if got, want := shadow.values(), `{"led":"on","t":1}`; got != want {
		t.Errorf("after an older report: got %s, want %s", got, want)
	}
	merges(t, shadow, at0+1, `{"led":"off"}`)
	if got, want := shadow.values(), `{"led":"off","t":1}`; got != want {
		t.Errorf("after a newer report: got %s, want %s", got, want)
	}
}

// What a stranger does to the device's own fields the bookkeeping does not see.
func TestStrangersChange(t *testing.T) {
	for _, tt := range []struct {
		name   string
		first  []any
		change string
		late   []any
		want   string
	}{
		{"a field of the newest report is deleted: an older report brings it back",
			[]any{at0 + 10, `{"t":2,"h":1}`}, `{"t":null}`, []any{at0, `{"t":1}`}, `{"h":1,"t":1}`},
		{"a field of an older report is changed: it keeps that report's key",
			[]any{at0 + 10, `{"t":1}`, at0 + 100, `{"h":1}`}, `{"t":99}`, []any{at0 + 20, `{"t":2}`}, `{"h":1,"t":2}`},
		{"and what is older than that does not replace it",
			[]any{at0 + 10, `{"t":1}`, at0 + 100, `{"h":1}`}, `{"t":99}`, []any{at0, `{"t":2}`}, `{"h":1,"t":99}`},
		{"a field of an older report is deleted: that is a tombstone",
			[]any{at0 + 10, `{"t":1}`, at0 + 100, `{"h":1}`}, `{"t":null}`, []any{at0, `{"t":2}`}, `{"h":1}`},
	} {
		shadow := newShadow(`{}`)
		merges(t, shadow, tt.first...)
		shadow.update([]byte(fmt.Sprintf(`{"version":%d,"state":{"reported":%s}}`, shadow.version, tt.change)))
		merges(t, shadow, tt.late...)
		if got := shadow.values(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestNothingToWrite(t *testing.T) {
	shadow := newShadow(`{}`)
	merges(t, shadow, at0, `{"t":1}`, at0+9, `{"t":2,"h":null}`)
	version := shadow.version
	merges(t, shadow, at0+9, `{"t":2,"h":null}`, at0, `{"t":1}`, at0+3, `{"t":7,"h":7}`)
	if shadow.version != version {
		t.Errorf("%d writes that change nothing", shadow.version-version)
	}
	// The value is the same, but the key is new: without it an older report would
	// come through later.
	merges(t, shadow, at0+20, `{"t":2}`, at0+15, `{"t":5}`)
	if got, want := shadow.values(), `{"t":2}`; got != want || shadow.version != version+1 {
		t.Errorf("got %s in %d writes, want %s in one", got, shadow.version-version, want)
	}
}

func TestTooOld(t *testing.T) {
	shadow := newShadow(`{}`)
	if err := merges(t, shadow, at0+maxSpan, `{"t":2}`, at0, `{"h":1}`); err != nil {
		t.Errorf("15 days behind: %v", err)
	}
	if err := merges(t, shadow, at0-1, `{"x":1}`); !errors.Is(err, tooOld) {
		t.Errorf("more than 15 days behind: %v", err)
	}
	if got, want := shadow.values(), `{"h":1,"t":2}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Tombstones of 15 days have kept out all they could.
func TestTombstonesExpire(t *testing.T) {
	shadow := newShadow(`{}`)
	merges(t, shadow, at0, `{"gone":null}`, at0+maxSpan, `{"t":1}`)
	if n := len(tombstones(t, shadow)); n != 1 {
		t.Errorf("%d tombstones after 15 days, want 1", n)
	}
	merges(t, shadow, at0+maxSpan+1, `{"t":2}`)
	if n := len(tombstones(t, shadow)); n != 0 {
		t.Errorf("%d tombstones after more, want none", n)
	}
}

func tombstones(t *testing.T, shadow *fakeShadow) (ids []string) {
	s, err := parseShadow(shadow.document())
	if err != nil {
		t.Fatal(err)
	}
	for id, f := range s.fields {
		if !f.stored {
			ids = append(ids, id)
		}
	}
	return ids
}

// A deletion that the same batch makes 15 days old is still written.
func TestOldDeletionInABatchIsWritten(t *testing.T) {
	shadow := newShadow(`{}`)
	merges(t, shadow, at0, `{"gone":1,"t":1}`)
	s, err := parseShadow(shadow.document())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		at     int64
		values map[string]any
	}{{at0 + 1, map[string]any{"gone": nil}}, {at0 + 16*day, map[string]any{"t": "x"}}} {
		if _, err := s.merge(key{time: r.at}, r.values); err != nil {
			t.Fatal(err)
		}
	}
	shadow.update(s.patch())
	if got, want := shadow.values(), `{"t":"x"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The 65th field is refused, the thing is not.
func TestTooManyFields(t *testing.T) {
	var names []string
	for i := range maxFields - 1 {
		names = append(names, fmt.Sprintf(`"f%d":%d`, i, i))
	}
	shadow := newShadow(`{}`)
	all := "{" + strings.Join(names, ",") + "}"
	if err := merges(t, shadow, at0, all, at0+1, `{"gone":null}`); err != nil {
		t.Fatalf("%d fields and a tombstone: %v", maxFields-1, err)
	}
	before := shadow.values()
	if err := merges(t, shadow, at0+2, `{"f0":7,"one":1}`); !errors.Is(err, tooManyFields) {
		t.Errorf("one more: %v", err)
	}
	if got := shadow.values(); got != before {
		t.Errorf("a refused report has changed the shadow to %s", got)
	}
	if err := merges(t, shadow, at0+3, `{"f0":7,"f1":null}`); err != nil {
		t.Errorf("no new field: %v", err)
	}
	if err := merges(t, shadow, at0+2+maxSpan, `{"one":1}`); err != nil {
		t.Errorf("in the place of a tombstone that has expired: %v", err)
	}
}

func TestNewerBookkeeping(t *testing.T) {
	for _, reported := range []string{
		`{"_coap":{"v":2,"whatever":[1]}}`,
		`{"_coap":{"v":1,"type":"th","k":"gAEC"}}`, // v was set back by an older release's first write
	} {
		shadow := newShadow(reported)
		if _, err := parseShadow(shadow.document()); !errors.Is(err, errBookkeeping) {
			t.Errorf("%s: got %v", reported, err)
		}
	}
}

// Only what changes is written, and a field that is not there is not deleted.
func TestPatchIsSmall(t *testing.T) {
	shadow := newShadow(`{}`)
	merges(t, shadow, at0, `{"a":1,"b":{"c":1,"d":{"e":1}},"z":5}`)
	s, err := parseShadow(shadow.document())
	if err != nil {
		t.Fatal(err)
	}
	s.thingType = "th"
	if _, err := s.merge(key{time: at0 + 1}, map[string]any{"b": map[string]any{"d": "x"}, "gone": nil, "z": nil}); err != nil {
		t.Fatal(err)
	}
	got := string(s.patch())
	want := `{"state":{"reported":{"_coap":{"v":1,"type":"th","k":"` + encodeKeys(s.newest, s.fields) + `"},"b":{"c":null,"d":"x"},"z":null}},"version":3}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
