package processor

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The string is stored in shadows, so its form may not change.
func TestKeysAreGolden(t *testing.T) {
	newest := key{time: at0, seq: 500, numbered: true}
	fields := map[string]*field{
		"t":                       {key: newest, stored: true},
		"h":                       {key: key{time: at0 - 60_000, seq: 499, numbered: true}, stored: true},
		"gone":                    {key: key{time: at0 - 60_000, seq: 499, numbered: true}},
		id("a-name-that-is-long"): {key: key{time: at0 + 5, tie: 7}, stored: true},
		"old":                     {stored: true},
		"now":                     {key: newest}, // deleted by the newest report
	}
	const want = "QICAuuiqM_QDI29sZERnb25lwKkHAhFoQ25vdwAACCmN0wXTaUd8CQc"
	got := encodeKeys(newest, fields)
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	n, keys, ok := decodeKeys(got)
	if !ok || n != newest {
		t.Fatalf("decoded %+v, %v", n, ok)
	}
	delete(fields, "t")
	wantKeys := map[string]key{}
	for id, f := range fields {
		wantKeys[id] = f.key
	}
	if !maps.Equal(keys, wantKeys) {
		t.Errorf("decoded %+v, want %+v", keys, wantKeys)
	}
}

func TestKeysOfAnOrdinaryThing(t *testing.T) {
	for _, tt := range []struct {
		newest key
		want   int
	}{
		{key{time: at0, seq: 1<<7 - 1, numbered: true}, 11},
		{key{time: at0, seq: 1<<14 - 1, numbered: true}, 12},
		{key{time: at0, seq: 1<<21 - 1, numbered: true}, 14},
		{key{time: at0, seq: math.MaxUint64, numbered: true}, 23},
		{key{time: at0, tie: math.MaxUint32}, 16},
		{key{}, 0},
	} {
		fields := map[string]*field{}
		for i := range 20 {
			fields[fmt.Sprint("field-", i)] = &field{key: tt.newest, stored: true}
		}
		if got := len(encodeKeys(tt.newest, fields)); got != tt.want {
			t.Errorf("%+v: %d characters, want %d", tt.newest, got, tt.want)
		}
	}
}

// The arithmetic beside encodeKeys holds.
func TestKeysAtTheWorst(t *testing.T) {
	newest := key{time: 1 << 41, seq: math.MaxUint64, numbered: true}
	fields := map[string]*field{}
	for i := range maxFields {
		k := key{time: newest.time - maxSpan + int64(i), seq: newest.seq - 1<<63 + uint64(i), numbered: true}
		fields[id(fmt.Sprint("a-long-name-", i))] = &field{key: k}
	}
	if got := len(encodeKeys(newest, fields)); got > 2071 || got < 1900 {
		t.Errorf("%d characters", got)
	}
}

func TestDamagedKeys(t *testing.T) {
	for _, text := range []string{
		"?", "A", "AA", "AAA", "QAE", // nothing, or no newest time, or no number
		"AAEAAQ",   // an id that is not there
		"AAEAC2E",  // an id that is cut off
		"AAEAAWEC", // a field's time without its tie
		"AAEAIWEhYQ",
		strings.Repeat("_", 64),
	} {
		if newest, keys, ok := decodeKeys(text); ok {
			t.Errorf("%q: decoded %+v %+v", text, newest, keys)
		}
	}
}

func TestKeysRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		anyKey := func(label string) key {
			k := key{time: rapid.Int64Range(1, 1<<42).Draw(t, label), numbered: rapid.Bool().Draw(t, label)}
			if k.numbered {
				k.seq = rapid.Uint64().Draw(t, label)
			} else {
				k.tie = rapid.Uint32().Draw(t, label)
			}
			return k
		}
		newest := anyKey("newest")
		some := []key{newest, {}, anyKey("key"), anyKey("key")}
		fields, want := map[string]*field{}, map[string]key{}
		for range rapid.IntRange(0, 10).Draw(t, "fields") {
			name := id(rapid.StringN(0, 12, -1).Draw(t, "name"))
			f := &field{key: rapid.SampledFrom(some).Draw(t, "key"), stored: rapid.Bool().Draw(t, "stored")}
			fields[name] = f
			delete(want, name)
			if !f.stored || f.key != newest {
				want[name] = f.key
			}
		}
		got, keys, ok := decodeKeys(encodeKeys(newest, fields))
		if !ok || got != newest || !maps.Equal(keys, want) {
			t.Fatalf("got %+v %+v %v, want %+v %+v", got, keys, ok, newest, want)
		}
	})
}

// FuzzDecodeKeys gives the decoder what somebody may write into a shadow by hand.
func FuzzDecodeKeys(f *testing.F) {
	f.Add("QICAuuiqM_QDI29sZERnb25lwKkHAhFoQ25vdwAACCmN0wXTaUd8CQc")
	f.Add("AAEA")
	f.Fuzz(func(t *testing.T, text string) {
		newest, keys, ok := decodeKeys(text)
		if !ok {
			return
		}
		fields := map[string]*field{}
		for id, k := range keys {
			fields[id] = &field{key: k}
		}
		again, keysAgain, ok := decodeKeys(encodeKeys(newest, fields))
		if !ok || again != newest || !maps.Equal(keys, keysAgain) {
			t.Fatalf("%q: decoded %+v %+v, then %+v %+v %v", text, newest, keys, again, keysAgain, ok)
		}
	})
}
