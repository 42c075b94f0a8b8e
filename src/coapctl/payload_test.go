package main

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/plgd-dev/go-coap/v3/message"
)

func TestEncodePayload(t *testing.T) {
	for _, tt := range []struct {
		typed, format, stdin string
		want                 string // in hex where format is cbor or octets
		number               message.MediaType
	}{
		{`{"t":21.5}`, "", "", `{"t":21.5}`, message.AppJSON},
		{`[1]`, "", "", `[1]`, message.AppJSON},
		{`21.5`, "", "", `21.5`, message.TextPlain},
		{`{"t":`, "", "", `{"t":`, message.TextPlain},
		{``, "", "", ``, message.TextPlain},
		{`21.5`, "json", "", `21.5`, message.AppJSON},
		{`{"t":21.5}`, "text", "", `{"t":21.5}`, message.TextPlain},
		{`{"t":21.5,"n":[1,-1,1e3,null]}`, "cbor", "", "a2616e840120f963d0f66174f94d60", message.AppCBOR},
		{`18446744073709551615`, "cbor", "", "fa5f800000", message.AppCBOR},
		{`0aff`, "octets", "", "0aff", message.AppOctets},
		{`[{"n":"t","v":1}]`, "110", "", `[{"n":"t","v":1}]`, message.AppSenmlJSON},
		{"-", "", `{"t":1}`, `{"t":1}`, message.AppJSON},
		{"-", "octets", "\x00\xff", "00ff", message.AppOctets},
		{"-", "cbor", "\xa0", "a0", message.AppCBOR},
	} {
		payload, number, err := encodePayload(tt.typed, tt.format, strings.NewReader(tt.stdin))
		got := string(payload)
		if tt.format == "cbor" || tt.format == "octets" {
			got = hex.EncodeToString(payload)
		}
		if err != nil || got != tt.want || number != tt.number {
			t.Errorf("%s --format %q: %s as %v, %v; want %s as %v", tt.typed, tt.format, got, number, err, tt.want, tt.number)
		}
	}
	for _, tt := range []struct{ typed, format, want string }{
		{`{t:1}`, "json", "the payload is not JSON"},
		{`{t:1}`, "cbor", "typed as JSON"},
		{`{} {}`, "cbor", "typed as JSON"},
		{`xyz`, "octets", "not in hex"},
		{`{}`, "yaml", "want json, cbor, text, octets or the number"},
		{`{}`, "65536", "want json, cbor, text, octets or the number"},
	} {
		if _, _, err := encodePayload(tt.typed, tt.format, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s --format %s: %v, want %s", tt.typed, tt.format, err, tt.want)
		}
	}
}
