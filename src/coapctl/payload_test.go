package main

import (
	"encoding/hex"
	"io"
	"strings"
	"testing"
)

func TestEncodePayload(t *testing.T) {
	for _, tt := range []struct {
		typed, format, stdin string
		want                 string // in hex where format is cbor or octets
		number               int
	}{
		{`{"t":21.5}`, "", "", `{"t":21.5}`, appJSON},
		{`[1]`, "", "", `[1]`, appJSON},
		{`21.5`, "", "", `21.5`, textPlain},
		{" \n{\"t\":21.5}\n", "", "", " \n{\"t\":21.5}\n", appJSON},
		{`t:{`, "", "", `t:{`, textPlain},
		{` `, "", "", ` `, textPlain},
		{`{"t":`, "text", "", `{"t":`, textPlain},
		{`{"t":`, "110", "", `{"t":`, 110},
		{``, "", "", ``, textPlain},
		{`21.5`, "json", "", `21.5`, appJSON},
		{`{"t":21.5}`, "text", "", `{"t":21.5}`, textPlain},
		{`{"t":21.5,"n":[1,-1,1e3,null]}`, "cbor", "", "a2616e840120f963d0f66174f94d60", appCBOR},
		{`18446744073709551615`, "cbor", "", "fa5f800000", appCBOR},
		{`0aff`, "octets", "", "0aff", octetStream},
		{`[{"n":"t","v":1}]`, "110", "", `[{"n":"t","v":1}]`, 110},
		{`{"n":{n},"m":{n}}`, "", "", `{"n":7,"m":7}`, appJSON},
		{`{"n":{n}}`, "cbor", "", "a1616e07", appCBOR},
		{`{n}{n}`, "octets", "", "77", octetStream},
		{"-", "text", `{n}`, `{n}`, textPlain},
		{"-", "", `{"t":1}`, `{"t":1}`, appJSON},
		{"-", "octets", "\x00\xff", "00ff", octetStream},
		{"-", "cbor", "\xa0", "a0", appCBOR},
	} {
		text, err := readText(tt.typed, strings.NewReader(tt.stdin))
		if err != nil {
			t.Fatal(err)
		}
		payload, number, err := text.encode(7, tt.format)
		got := string(payload)
		if tt.format == "cbor" || tt.format == "octets" {
			got = hex.EncodeToString(payload)
		}
		if err != nil || got != tt.want || number != tt.number {
			t.Errorf("%s --format %q: %s as %v, %v; want %s as %v", tt.typed, tt.format, got, number, err, tt.want, tt.number)
		}
	}
	for _, tt := range []struct{ typed, format, want string }{
		{`{t:21.5}`, "", "begins like JSON and is none"},
		{`{"t":`, "", "quote it for the shell, as in '{\"t\":21.5}'; --format text sends it"},
		{" \t\r\n[1", "", "begins like JSON and is none"},
		{`{t:1}`, "json", "the payload is not JSON"},
		{`{t:1}`, "cbor", "typed as JSON"},
		{`{} {}`, "cbor", "typed as JSON"},
		{`xyz`, "octets", "not in hex"},
		{`{}`, "yaml", "want json, cbor, text, octets or the number"},
		{`{}`, "65536", "want json, cbor, text, octets or the number"},
	} {
		if _, _, err := (text{bytes: []byte(tt.typed)}).encode(1, tt.format); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s --format %s: %v, want %s", tt.typed, tt.format, err, tt.want)
		}
	}
}

// Stdin is no shell's, but what begins like JSON and is none ends in the same place.
func TestStdinLikeJSON(t *testing.T) {
	text, err := readText("-", strings.NewReader("{n}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := text.encode(1, ""); err == nil {
		t.Error("{n} of stdin passes for JSON")
	}
	if _, number, err := text.encode(1, "octets"); err != nil || number != octetStream {
		t.Errorf("octets: %d, %v", number, err)
	}
}

// endless is an in that never ends.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// TestStdinIsBounded: coapctl send th/a1 - < /dev/zero must not take all memory there is.
func TestStdinIsBounded(t *testing.T) {
	if text, err := readText("-", strings.NewReader(strings.Repeat("x", 1024))); err != nil || len(text.bytes) != 1024 {
		t.Errorf("1024 bytes: %d, %v", len(text.bytes), err)
	}
	for name, in := range map[string]io.Reader{"1025 bytes": strings.NewReader(strings.Repeat("x", 1025)), "endless": endless{}} {
		if _, err := readText("-", in); err == nil || !strings.HasPrefix(err.Error(), "stdin has more than 1024 bytes: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
