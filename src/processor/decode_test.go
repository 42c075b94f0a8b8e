package processor

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane/types"
	"github.com/fxamacker/cbor/v2"

	"coap-for-aws-iot/src/envelope"
)

// decoded is what a payload says, as JSON, or the first word of why it cannot be said.
func decoded(format int, payload string) string {
	r := says(at0, payload)
	r.Format = format
	values, err := decode(&r)
	if word, ok := reason(err); ok {
		return string(word)
	}
	if err != nil {
		return "not a poison: " + err.Error()
	}
	if values == nil {
		return "nothing"
	}
	return string(appendJSON(nil, values))
}

func TestDecodeText(t *testing.T) {
	for _, tt := range []struct {
		name, payload string
		format        int
		want          string
	}{
		{"no payload", "", envelope.NoFormat, "nothing"},
		{"no payload", "", formatJSON, "nothing"},
		{"text", "21.5 °C\n", formatText, `{"text":"21.5 °C\n"}`},
		{"a number is text", "21.5", formatText, `{"text":"21.5"}`},
		{"JSON in text", "\r\n {\"t\":1}", formatText, `{"t":1}`},
		{"an array in text", "[1]", envelope.NoFormat, `{"value":[1]}`},
		{"JSON cut off in text", `{"t":1`, formatText, "undecodable"},
		{"bytes of no format", "\xff{", envelope.NoFormat, `{"base64":"/3s="}`},
		{"bytes that claim to be text", "\xff{", formatText, "undecodable"},
		{"octets, even if they are JSON", `{"t":1}`, formatOctets, `{"base64":"eyJ0IjoxfQ=="}`},
		{"XML", "<t/>", 41, "content-format"},
		{"LwM2M TLV", "\xc3", 11542, "content-format"},
	} {
		if got := decoded(tt.format, tt.payload); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestDecodeJSON(t *testing.T) {
	for _, tt := range []struct{ name, payload, want string }{
		{"digits stay as they are", `{"a":1.50,"b":1e400,"c":123456789012345678901234567890,"d":-0,"e":1E+2}`,
			`{"a":1.50,"b":1e400,"c":123456789012345678901234567890,"d":-0,"e":1E+2}`},
		{"a scalar", `true`, `{"value":true}`},
		{"null", `null`, `{"value":null}`},
		{"an array", `[1,"x"]`, `{"value":[1,"x"]}`},
		{"null deletes", `{"a":null}`, `{"a":null}`},
		{"null inside says nothing", `{"a":{"b":null,"c":1}}`, `{"a":{"c":1}}`},
		{"nothing inside deletes", `{"a":{"b":{"c":null,"d":{}}}}`, `{"a":null}`},
		{"no fields", `{}`, `{}`},
		{"HTML is not escaped", `{"a":"<&>"}`, `{"a":"<&>"}`},
		{"an empty key", `{"":1}`, `{"":1}`},
		{"an empty array is a value", `{"a":[]}`, `{"a":[]}`},
		{"objects in arrays stay as they are", `{"a":[{},{"b":{}}]}`, `{"a":[{},{"b":{}}]}`},
		{"four levels", `{"a":{"b":{"c":{"d":{"e":1}}}}}`, `{"a":{"b":{"c":{"d":{"e":1}}}}}`},
		{"five", `{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}`, "too-deep"},
		{"five that hold nothing", `{"a":{"b":{"c":{"d":{"e":{"f":null}}}}}}`, `{"a":null}`},
		{"arrays are levels", `{"a":[[[[1]]]]}`, `{"a":[[[[1]]]]}`},
		{"arrays are levels", `{"a":[[[[[1]]]]]}`, "too-deep"},
		{"absurdly deep", `{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, "too-deep"},
		{"null in an array", `{"a":[1,null]}`, "undecodable"},
		{"null deep in an array", `{"a":[{"b":null}]}`, "undecodable"},
		{"the bookkeeping", `{"_coap":{"v":1}}`, "reserved"},
		{"and what may become one", `{"_coap2":1}`, "reserved"},
		{"inside it is free", `{"a":{"_coap":1}}`, `{"a":{"_coap":1}}`},
		{"a key twice", `{"a":1,"a":1}`, "undecodable"},
		{"a key twice, spelt differently", `{"a":1,"\u0061":2}`, "undecodable"},
		{"a key twice inside", `{"x":[{"a":1,"a":2}]}`, "undecodable"},
		{"cut off", `{"a":`, "undecodable"},
		{"cut off in an array", `[1,`, "undecodable"},
		{"more than one", `{} {}`, "undecodable"},
		{"a trailing comma", `{"a":1,}`, "undecodable"},
		{"NaN", `{"a":NaN}`, "undecodable"},
		{"a leading zero", `{"a":01}`, "undecodable"},
		{"not UTF-8", "{\"a\":\"\xff\"}", "undecodable"},
		{"a byte order mark", "\ufeff{}", "undecodable"},
		{"half a surrogate pair", `{"a":"\ud800"}`, "{\"a\":\"\ufffd\"}"},
	} {
		if got := decoded(formatJSON, tt.payload); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// RFC 8949, section 6.1, and where it leaves a choice.
func TestDecodeCBOR(t *testing.T) {
	for _, tt := range []struct{ name, hex, want string }{
		{"a half", "a16174f94d60", `{"t":21.5}`},
		{"a single keeps its own digits", "a16174fa41a8cccd", `{"t":21.1}`},
		{"a double", "a16174fb4035199999999999", `{"t":21.099999999999998}`},
		{"a large double", "a16174fb4415af1d78b58c40", `{"t":100000000000000000000}`},
		{"a larger double", "a16174fb4480f0cf064dd592", `{"t":1e+22}`},
		{"unsigned", "a161741bffffffffffffffff", `{"t":18446744073709551615}`},
		{"negative", "a161743bffffffffffffffff", `{"t":-18446744073709551616}`},
		{"text, array, simple", "a16174836178f5f4", `{"t":["x",true,false]}`},
		{"null deletes", "a16174f6", `{"t":null}`},
		{"bytes", "a1617443fffe3e", `{"t":"__4-"}`},
		{"bytes meant for base64", "a16174d643fffe3e", `{"t":"//4+"}`},
		{"bytes meant for hex", "a16174d743fffe3e", `{"t":"fffe3e"}`},
		{"bytes below that tag", "a16174d78143fffe3e", `{"t":["fffe3e"]}`},
		{"a bignum", "a16174c249010000000000000000", `{"t":"AQAAAAAAAAAA"}`},
		{"a negative bignum", "a16174c349010000000000000000", `{"t":"~AQAAAAAAAAAA"}`},
		{"other tags are looked through", "a16174c1fb41d452d9e2000000", `{"t":1363896200}`},
		{"integer keys", "a2011820203820", `{"-1":-33,"1":32}`},
		{"indefinite lengths", "bf61749f01ff6161bf6162ff", "undecodable"},
		{"indefinite lengths", "bf61749f01ff6161bf616200ffff", `{"a":{"b":0},"t":[1]}`},
		{"a scalar", "17", `{"value":23}`},
		{"the bookkeeping", "a1655f636f617000", "reserved"},
		{"NaN", "a16174f97e00", "undecodable"},
		{"infinity", "a16174fa7f800000", "undecodable"},
		{"undefined", "a16174f7", "undecodable"},
		{"a simple value", "a16174f0", "undecodable"},
		{"a key twice", "a2617401617402", "undecodable"},
		{"a key twice, as text and number", "a20101613102", "undecodable"},
		{"bytes as a key", "a1416100", "undecodable"},
		{"an array as a key", "a1810100", "undecodable"},
		{"a float as a key", "a1f93c0000", "undecodable"},
		{"text that is not UTF-8", "a1617461ff", "undecodable"},
		{"a key that is not UTF-8", "a161ff00", "undecodable"},
		{"cut off", "a16174", "undecodable"},
		{"more than one", "0000", "undecodable"},
		{"more promised than there is", "9bffffffffffffffff00", "undecodable"},
		{"five levels", "a161618181818181" + "00", "too-deep"},
		{"absurdly deep", strings.Repeat("81", 500) + "00", "undecodable"},
		{"tags without end", strings.Repeat("c1", 500) + "00", "undecodable"},
	} {
		b, err := hex.DecodeString(tt.hex)
		if err != nil {
			t.Fatal(tt.name, err)
		}
		if got := decoded(formatCBOR, string(b)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Most packs are the examples of RFC 8428, section 5.
func TestDecodeSenML(t *testing.T) {
	for _, tt := range []struct{ name, payload, want string }{
		{"single datapoint", `[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]`, `{"urn:dev:ow:10e2073a01080063":23.1}`},
		{"multiple datapoints", `[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},{"n":"current","u":"A","v":1.2}]`,
			`{"urn:dev:ow:10e2073a01080063:current":1.2,"urn:dev:ow:10e2073a01080063:voltage":120.1}`},
		{"of several times the last", `[{"bn":"dev/","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
			{"n":"current","t":-5,"v":1.2},{"n":"current","v":1.7},{"n":"current","t":-4,"v":1.3}]`, `{"dev/current":1.7,"dev/voltage":120.1}`},
		{"relative to now", `[{"n":"t","v":1},{"n":"t","t":-10,"v":2}]`, `{"t":1}`},
		{"now is after any absolute time", `[{"n":"t","v":1},{"n":"t","t":1276020076,"v":2}]`, `{"t":1}`},
		{"the same time: the later record", `[{"n":"t","v":1},{"n":"t","v":2}]`, `{"t":2}`},
		{"kinds of values", `[{"n":"temp","v":23.5},{"n":"label","vs":"Room 1"},{"n":"open","vb":false},{"n":"nfc-reader","vd":"aGkgCg"}]`,
			`{"label":"Room 1","nfc-reader":"aGkgCg","open":false,"temp":23.5}`},
		{"digits stay as they are", `[{"n":"t","v":21.50}]`, `{"t":21.50}`},
		{"base value", `[{"bn":"a","bv":20,"v":1.5},{"n":"b","v":-20}]`, `{"a":21.5,"ab":0}`},
		{"sum", `[{"n":"e","s":7},{"n":"p","bs":1,"v":2,"s":3}]`, `{"e":7,"p":{"sum":4,"value":2}}`},
		{"only base values", `[{"bn":"a"},{"n":"b","v":1}]`, `{"ab":1}`},
		{"no records", `[]`, `{}`},
		{"no name", `[{"v":1}]`, "undecodable"},
		{"a name that is none", `[{"n":"a b","v":1}]`, "undecodable"},
		{"a name like bookkeeping", `[{"n":"_coap","v":1}]`, "undecodable"},
		{"two values", `[{"n":"a","v":1,"vs":"x"}]`, "undecodable"},
		{"a value of the wrong kind", `[{"n":"a","vb":1}]`, "undecodable"},
		{"a value of the wrong kind", `[{"n":"a","v":"1"}]`, "undecodable"},
		{"a value of the wrong kind", `[{"n":"a","v":null}]`, "undecodable"},
		{"a sum beyond floats", `[{"n":"a","bv":1e308,"v":1e308}]`, "undecodable"},
		{"a label that must be understood", `[{"n":"a","v":1,"x_":1}]`, "undecodable"},
		{"one that need not be", `[{"n":"a","v":1,"x":1}]`, `{"a":1}`},
		{"a newer version", `[{"bver":11,"n":"a","v":1}]`, "undecodable"},
		{"not an array", `{"n":"a","v":1}`, "undecodable"},
		{"not records", `[1]`, "undecodable"},
	} {
		if got := decoded(formatSenMLJSON, tt.payload); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// RFC 8428, section 6: the example of figure 3, and a label twice.
func TestDecodeSenMLCBOR(t *testing.T) {
	pack := func(records ...map[any]any) string {
		b, err := cbor.Marshal(records)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, tt := range []struct{ name, payload, want string }{
		{"labels", pack(
			map[any]any{-2: "urn:dev:ow:10e2073a0108006:", -3: 1.276020076001e+09, -4: "A", -1: 5, 0: "voltage", 1: "V", 2: 120.1},
			map[any]any{0: "current", 6: -5, 2: 1.2},
			map[any]any{0: "current", 2: 1.7},
			map[any]any{0: "raw", 8: []byte("hi \n")},
		), `{"urn:dev:ow:10e2073a0108006:current":1.7,"urn:dev:ow:10e2073a0108006:raw":"aGkgCg","urn:dev:ow:10e2073a0108006:voltage":120.1}`},
		{"a label twice", pack(map[any]any{0: "a", "n": "b", 2: 1}), "undecodable"},
		{"NaN", pack(map[any]any{0: "a", 2: math.NaN()}), "undecodable"},
	} {
		if got := decoded(formatSenMLCBOR, tt.payload); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// FuzzDecode gives every decoder hostile payloads. What comes out is a poison, or
// something that AWS IoT stores as it is.
func FuzzDecode(f *testing.F) {
	for _, payload := range []string{
		`{"t":21.5}`, `{"a":{"b":[1,{"c":null}]},"a":1}`, `[{"bn":"a","bv":1,"n":"b","v":2},{"vd":"x","s":3}]`,
		"\xa2\x01\xfa\x41\xa8\xcc\xcd\x61t\xc3\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00", "\x81\xa2\x00\x61t\x02\x17", "text", `{"a":1e400,"\ud800":0}`,
	} {
		for _, format := range []int{envelope.NoFormat, formatText, formatOctets, formatJSON, formatCBOR, formatSenMLJSON, formatSenMLCBOR} {
			f.Add(format, []byte(payload))
		}
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, format int, payload []byte) {
		w.t = t
		r := says(at0, string(payload))
		r.Format = format
		values, err := decode(&r)
		if err != nil {
			if word, ok := reason(err); !ok || word == "" {
				t.Fatalf("not a poison: %v", err)
			}
			return
		}
		s := &state{version: 1, fields: map[string]*field{}}
		if _, err := s.merge(keyOf(&r, "use1-a", at0), values); err != nil {
			if !errors.Is(err, tooManyFields) {
				t.Fatal(err)
			}
			return
		}
		ctx, thing := context.Background(), "fuzz"
		w.data.DeleteThingShadow(ctx, &iotdataplane.DeleteThingShadowInput{ThingName: &thing})
		out, err := w.data.UpdateThingShadow(ctx, &iotdataplane.UpdateThingShadowInput{ThingName: &thing, Payload: []byte(firstWrite)})
		if err != nil {
			t.Fatal(err)
		}
		if s.version, err = parseUpdated(out.Payload); err != nil {
			t.Fatal(err)
		}
		_, err = w.data.UpdateThingShadow(ctx, &iotdataplane.UpdateThingShadowInput{ThingName: &thing, Payload: s.patch()})
		if is[*types.RequestEntityTooLargeException](err) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", s.patch(), err)
		}
		for name, value := range values {
			if value == nil {
				delete(values, name)
			}
		}
		if got, want := w.reported(thing), string(appendJSON([]byte{}, values)); got != want && !(len(values) == 0 && got == "{}") {
			t.Fatalf("AWS IoT stores %s of %s", got, want)
		}
	})
}
