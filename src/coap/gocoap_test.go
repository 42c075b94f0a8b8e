package coap

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"
	"pgregory.net/rapid"
)

// wellFormed draws a message that both codecs must agree on. go-coap drops options whose
// length is out of range while it decodes, so lengths are kept within it.
func wellFormed(t *rapid.T) message.Message {
	m := message.Message{
		Type:      message.Type(rapid.IntRange(0, 3).Draw(t, "type")),
		Code:      codes.Code(rapid.IntRange(1, 255).Draw(t, "code")),
		MessageID: int32(rapid.IntRange(0, 0xffff).Draw(t, "message id")),
		Token:     rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "token"),
		Payload:   rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "payload"),
	}
	kinds := []struct {
		id       message.OptionID
		min, max int
	}{
		{message.URIHost, 1, 255}, {message.ETag, 1, 8}, {message.Observe, 0, 3}, {message.URIPort, 0, 2}, {message.LocationPath, 0, 255},
		{message.URIPath, 0, 255}, {message.ContentFormat, 0, 2}, {message.MaxAge, 0, 4}, {message.URIQuery, 0, 255}, {message.Accept, 0, 2},
		{message.Block2, 0, 3}, {message.Block1, 0, 3}, {message.Size2, 0, 4}, {message.ProxyURI, 1, 1034}, {message.Size1, 0, 4},
		{message.NoResponse, 0, 1}, {2048, 0, 300}, {65000, 0, 20}, {65535, 0, 2},
	}
	for _, kind := range kinds {
		for range rapid.IntRange(0, 2).Draw(t, "how often") {
			value := rapid.SliceOfN(rapid.Byte(), kind.min, kind.max).Draw(t, "value")
			m.Options = append(m.Options, message.Option{ID: kind.id, Value: value})
		}
	}
	return m
}

func show(m message.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v %04x %x", m.Type, m.Code, m.MessageID, []byte(m.Token))
	for _, o := range m.Options {
		fmt.Fprintf(&b, " %d:%x", o.ID, o.Value)
	}
	fmt.Fprintf(&b, " %x", m.Payload)
	return b.String()
}

// TestGoCoAP: what go-coap builds we build and parse equally, and what we build it decodes.
func TestGoCoAP(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := wellFormed(t)
		theirs := make([]byte, 1<<16)
		n, err := coder.DefaultCoder.Encode(m, theirs)
		if err != nil {
			t.Fatal(err)
		}
		theirs = theirs[:n]

		ours := AppendHeader(nil, m.Type, m.Code, uint16(m.MessageID), m.Token)
		last := message.OptionID(0)
		for _, o := range m.Options {
			ours = AppendOption(ours, last, o.ID, o.Value)
			last = o.ID
		}
		if ours = AppendPayload(ours, m.Payload); !bytes.Equal(ours, theirs) {
			t.Fatalf("we build  %x\nthey build %x", ours, theirs)
		}

		view, reason := Parse(theirs)
		if reason != None {
			t.Fatalf("%s: %x", reason, theirs)
		}
		parsed := message.Message{Type: view.Type, Code: view.Code, MessageID: int32(view.MessageID), Token: view.Token, Payload: view.Payload}
		for id, value := range view.Options() {
			parsed.Options = append(parsed.Options, message.Option{ID: id, Value: value})
		}
		if show(parsed) != show(m) {
			t.Fatalf("built  %s\nparsed %s", show(m), show(parsed))
		}

		decoded := message.Message{Options: make(message.Options, 0, 64)}
		if _, err := coder.DefaultCoder.Decode(ours, &decoded); err != nil {
			t.Fatal(err)
		}
		if show(decoded) != show(m) {
			t.Fatalf("built  %s\ndecoded %s", show(m), show(decoded))
		}
	})
}

func TestAppendUintOption(t *testing.T) {
	for _, test := range []struct {
		n    uint32
		want string
	}{ // RFC 7252, section 3.2: zero is the empty value, no leading zeros
		{0, "d0 01"}, {1, "d1 01 01"}, {255, "d1 01 ff"}, {256, "d2 01 01 00"}, {1 << 16, "d3 01 01 00 00"}, {1<<32 - 1, "d4 01 ff ff ff ff"},
	} {
		if got := fmt.Sprintf("% x", AppendUintOption(nil, 0, message.MaxAge, test.n)); got != test.want {
			t.Errorf("%d: %s, want %s", test.n, got, test.want)
		}
	}
}

func TestAppendPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"long token":   func() { AppendHeader(nil, message.Confirmable, codes.GET, 1, make([]byte, 9)) },
		"order":        func() { AppendOption(nil, 2, 1, "") },
		"option value": func() { AppendOption(nil, 0, 1, make([]byte, 269+1<<16)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
