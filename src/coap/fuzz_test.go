package coap

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

func FuzzClassify(f *testing.F) {
	for _, row := range hostileRows(f) {
		f.Add(row.datagram)
	}
	dirty := new(Request)
	Classify(build(message.NonConfirmable, codes.PUT, "12345678", []option{
		{message.URIPath, "a"}, {message.URIPath, "b"}, {message.ContentFormat, "1"}, {message.URIQuery, "s=1"},
		{message.Accept, "1"}, {message.NoResponse, "\x02"},
	}, "left over"), dirty)
	f.Fuzz(func(t *testing.T, datagram []byte) {
		original := bytes.Clone(datagram)

		m, reason := Parse(datagram)
		if reason == None {
			inside(t, datagram, m.Token)
			inside(t, datagram, m.Payload)
			// There is one encoding of a message only, so what is built again is equal.
			again := AppendHeader(nil, m.Type, m.Code, m.MessageID, m.Token)
			last := message.OptionID(0)
			for id, value := range m.Options() {
				inside(t, datagram, value)
				again = AppendOption(again, last, id, value)
				last = id
			}
			if again = AppendPayload(again, m.Payload); !bytes.Equal(again, datagram) {
				t.Fatalf("built again: %x", again)
			}
		}

		var r Request
		verdict := Classify(datagram, &r)
		if reason != None && (verdict.Action == Handle || verdict.Action == Respond && len(datagram) <= MaxDatagram) {
			t.Fatalf("%+v for a datagram that is malformed: %s", verdict, reason)
		}
		if (verdict.Action == Handle) != (verdict.Reason == None) {
			t.Fatalf("verdict %+v", verdict)
		}
		checkBound(t, datagram, verdict.Append(nil, &r.Exchange, 0x1234))
		for _, code := range []codes.Code{codes.Changed, codes.NotFound, codes.ServiceUnavailable} {
			reply := r.Append(nil, 0x1234, Response{Code: code, MaxAge: 1 << 31, Payload: datagram})
			if verdict.Action == Handle {
				checkBound(t, datagram, reply)
			}
		}
		if verdict.Action == Handle {
			inside(t, datagram, r.Payload)
			for _, segment := range r.Path() {
				inside(t, datagram, segment)
			}
			if n := len(r.AppendQuery(nil)); n > MaxQueries*(3*255+1) {
				t.Fatalf("a query of %d bytes", n)
			}
			_, _, _ = r.Seq()
		}

		// A request that was used before gives the same.
		used := *dirty
		if got := Classify(datagram, &used); got != verdict || used.Exchange != r.Exchange {
			t.Fatalf("with a used request %+v, else %+v", got, verdict)
		}
		if verdict.Action == Handle && (used.Method != r.Method || used.ContentFormat != r.ContentFormat || used.Accept != r.Accept ||
			len(used.Path()) != len(r.Path()) || !bytes.Equal(used.AppendQuery(nil), r.AppendQuery(nil)) || !bytes.Equal(used.Payload, r.Payload)) {
			t.Fatal("a used request differs")
		}
		if !bytes.Equal(datagram, original) {
			t.Fatal("the datagram was written to")
		}
	})
}

// inside checks that view lies in the datagram.
func inside(t *testing.T, datagram, view []byte) {
	t.Helper()
	if len(view) == 0 {
		return
	}
	first := uintptr(unsafe.Pointer(unsafe.SliceData(datagram)))
	at := uintptr(unsafe.Pointer(unsafe.SliceData(view)))
	if at < first || at+uintptr(len(view)) > first+uintptr(len(datagram)) {
		t.Fatal("a view outside the datagram")
	}
}
