package coap

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

// option and build make datagrams for the tests; they assume that options are in order.
type option struct {
	id    message.OptionID
	value string
}

func build(t message.Type, code codes.Code, token string, options []option, payload string) []byte {
	b := AppendHeader(nil, t, code, 0x1234, []byte(token))
	last := message.OptionID(0)
	for _, o := range options {
		b = AppendOption(b, last, o.id, o.value)
		last = o.id
	}
	return AppendPayload(b, payload)
}

func TestRequest(t *testing.T) {
	datagram := build(message.NonConfirmable, codes.PUT, "tokn", []option{
		{message.URIHost, "h"}, {message.URIPath, "th"}, {message.URIPath, ""}, {message.ContentFormat, "\x00\x3c"},
		{message.URIQuery, "a=1"}, {message.URIQuery, "b"}, {message.Accept, "\x28"}, {message.NoResponse, "\x1a"},
	}, "body")
	var r Request
	if verdict := Classify(datagram, &r); verdict != (Verdict{Action: Handle}) {
		t.Fatalf("verdict %+v", verdict)
	}
	got := fmt.Sprintf("%v %04x %s %v %q %d %d %d %s %s",
		r.Confirmable, r.MessageID, r.Token(), r.Method, r.Path(), r.ContentFormat, r.Accept, r.NoResponse, r.AppendQuery(nil), r.Payload)
	if want := `false 1234 tokn PUT ["th" ""] 60 40 26 a=1&b body`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	// The same r again: nothing of the request before is left.
	if verdict := Classify(build(message.Confirmable, codes.GET, "", nil, ""), &r); verdict.Action != Handle {
		t.Fatalf("verdict %+v", verdict)
	}
	got = fmt.Sprintf("%v %04x %s %v %q %d %d %d %s %s",
		r.Confirmable, r.MessageID, r.Token(), r.Method, r.Path(), r.ContentFormat, r.Accept, r.NoResponse, r.AppendQuery(nil), r.Payload)
	if want := `true 1234  GET [] -1 -1 0  `; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestQueryAndSeq(t *testing.T) {
	for _, test := range []struct {
		queries []string
		query   string
		n       uint64
		present bool
		ok      bool
	}{
		{nil, "", 0, false, true},
		{[]string{"a=1", "b=2"}, "a=1&b=2", 0, false, true},
		{[]string{"a=1&b=2", "50%"}, "a=1%26b=2&50%25", 0, false, true}, // RFC 7252, section 6.5
		{[]string{"", ""}, "&", 0, false, true},
		{[]string{"s=1f4"}, "", 0x1f4, true, true},
		{[]string{"a", "s=0", "b"}, "a&b", 0, true, true},
		{[]string{"s=FFFFFFFFFFFFFFFF"}, "", 1<<64 - 1, true, true},
		{[]string{"s=0000000000000001"}, "", 1, true, true},
		{[]string{"s=00000000000000001"}, "", 0, true, false},
		{[]string{"s="}, "", 0, true, false},
		{[]string{"s"}, "", 0, true, false},
		{[]string{"s=1g"}, "", 0, true, false},
		{[]string{"s=-1"}, "", 0, true, false},
		{[]string{"s=1", "s=1"}, "", 0, true, false},
		{[]string{"s=1", "s=x"}, "", 0, true, false},
		{[]string{"sx=1", "S=1"}, "sx=1&S=1", 0, false, true},
	} {
		t.Run(fmt.Sprint(test.queries), func(t *testing.T) {
			var options []option
			for _, q := range test.queries {
				options = append(options, option{message.URIQuery, q})
			}
			var r Request
			if verdict := Classify(build(message.Confirmable, codes.POST, "", options, ""), &r); verdict.Action != Handle {
				t.Fatalf("verdict %+v", verdict)
			}
			if got := string(r.AppendQuery([]byte("?"))); got != "?"+test.query {
				t.Errorf("query %q, want %q", got, test.query)
			}
			if n, present, ok := r.Seq(); n != test.n || present != test.present || ok != test.ok {
				t.Errorf("seq %x %v %v, want %x %v %v", n, present, ok, test.n, test.present, test.ok)
			}
		})
	}
}

func TestVerdictReplies(t *testing.T) {
	for _, test := range []struct {
		name     string
		datagram []byte
		want     []byte
	}{
		{ // RFC 7252, section 5.4.1: the response SHOULD name the option.
			"bad option is named",
			build(message.Confirmable, codes.GET, "t", []option{{65535, ""}}, ""),
			build(message.Acknowledgement, codes.BadOption, "t", nil, "65535"),
		},
		{ // The first of two is named.
			"first bad option is named",
			build(message.Confirmable, codes.GET, "t", []option{{message.IfMatch, ""}, {65535, ""}}, ""),
			build(message.Acknowledgement, codes.BadOption, "t", nil, "1"),
		},
		{ // RFC 7252, section 5.9.2.9: 4.13 SHOULD include Size1.
			"too large says Size1",
			build(message.Confirmable, codes.POST, "t", []option{{message.Block1, "\x08"}}, "x"),
			build(message.Acknowledgement, codes.RequestEntityTooLarge, "t", []option{{message.Size1, "\x04\x00"}}, ""),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r Request
			verdict := Classify(test.datagram, &r)
			if got := verdict.Append(nil, &r.Exchange, 0); !bytes.Equal(got, test.want) {
				t.Errorf("reply %x, want %x", got, test.want)
			}
		})
	}
}

func TestReasonNames(t *testing.T) {
	seen := make(map[string]Reason)
	for reason := range Reasons {
		name := reason.String()
		if other, ok := seen[name]; ok || name == "" {
			t.Errorf("reasons %d and %d are both called %q", other, reason, name)
		}
		seen[name] = reason
	}
}

func TestNothingIsAllocated(t *testing.T) {
	rows := hostileRows(t)
	buf := make([]byte, 0, MaxReply)
	query := make([]byte, 0, 64)
	var r Request
	if n := testing.AllocsPerRun(10, func() {
		for _, row := range rows {
			m, _ := Parse(row.datagram)
			for id, value := range m.Options() {
				sink += int(id) + len(value)
			}
			verdict := Classify(row.datagram, &r)
			sink += len(verdict.Append(buf, &r.Exchange, 1))
			sink += len(r.Append(buf, 1, Response{Code: codes.ServiceUnavailable, MaxAge: 60}))
			if verdict.Action == Handle {
				_, _, _ = r.Seq()
				sink += len(r.AppendQuery(query)) + len(r.Path())
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var sink int

// report is what a device sends: 54 bytes, the packet that the benchmarks are about.
var report = build(message.Confirmable, codes.POST, "\x01\x02\x03\x04", []option{
	{message.URIPath, "th"}, {message.URIPath, "a1-0123456789"}, {message.ContentFormat, "\x32"}, {message.URIQuery, "s=1f4"},
}, `{"t":21.5,"h":40}`)

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		m, _ := Parse(report)
		sink += len(m.Payload)
	}
}

func BenchmarkClassify(b *testing.B) {
	b.ReportAllocs()
	var r Request
	for b.Loop() {
		sink += int(Classify(report, &r).Action)
	}
}

func BenchmarkReply(b *testing.B) {
	b.ReportAllocs()
	var r Request
	Classify(report, &r)
	buf := make([]byte, 0, MaxReply)
	for b.Loop() {
		sink += len(r.Append(buf, 1, Response{Code: codes.Changed}))
	}
}
