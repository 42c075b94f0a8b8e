package coap

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

func TestResponse(t *testing.T) {
	const salt = 0x8001
	for _, test := range []struct {
		name       string
		t          message.Type
		noResponse string
		response   Response
		want       []byte
	}{
		{ // RFC 7252, section 5.2.1
			"CON gets a piggybacked ACK", message.Confirmable, "", Response{Code: codes.Changed},
			[]byte{0x62, 0x44, 0x12, 0x34, 't', 'k'},
		},
		{ // RFC 7252, sections 5.2.3 and 4.4
			"NON gets a NON", message.NonConfirmable, "", Response{Code: codes.Changed},
			[]byte{0x52, 0x44, 0x92, 0x35, 't', 'k'},
		},
		{ // RFC 7252, section 5.9.3.4
			"Max-Age", message.Confirmable, "", Response{Code: codes.ServiceUnavailable, MaxAge: 60},
			[]byte{0x62, 0xa3, 0x12, 0x34, 't', 'k', 0xd1, 0x01, 60},
		},
		{ // RFC 7252, section 7.2 (an empty link list)
			"Content-Format", message.Confirmable, "", Response{Code: codes.Content, ContentFormat: message.AppLinkFormat},
			[]byte{0x62, 0x45, 0x12, 0x34, 't', 'k', 0xc1, 40},
		},
		{ // RFC 7252, section 3.1: ascending numbers
			"all options and a payload", message.Confirmable, "",
			Response{Code: codes.Content, ContentFormat: 40, MaxAge: 1, Size1: 256, Payload: []byte("p")},
			[]byte{0x62, 0x45, 0x12, 0x34, 't', 'k', 0xc1, 40, 0x21, 1, 0xd2, 33, 1, 0, 0xff, 'p'},
		},
		{ // RFC 7967, section 2: a CON is still acknowledged
			"CON that declines success", message.Confirmable, "\x02", Response{Code: codes.Changed}, []byte{0x60, 0, 0x12, 0x34},
		},
		{
			"NON that declines success", message.NonConfirmable, "\x02", Response{Code: codes.Changed}, nil,
		},
		{ // RFC 7967, section 2.1: the other classes are still wanted
			"NON that declines success hears 5.03", message.NonConfirmable, "\x0a", Response{Code: codes.ServiceUnavailable},
			[]byte{0x52, 0xa3, 0x92, 0x35, 't', 'k'},
		},
		{
			"NON that declines 5.xx", message.NonConfirmable, "\x10", Response{Code: codes.ServiceUnavailable}, nil,
		},
		{
			"CON that declines all", message.Confirmable, "\x1a", Response{Code: codes.Changed}, []byte{0x60, 0, 0x12, 0x34},
		},
		{ // an empty ACK would say that all is well
			"CON that declines 5.xx hears 5.03", message.Confirmable, "\x10", Response{Code: codes.ServiceUnavailable},
			[]byte{0x62, 0xa3, 0x12, 0x34, 't', 'k'},
		},
		{
			"CON that declines all hears 4.04", message.Confirmable, "\x1a", Response{Code: codes.NotFound}, []byte{0x62, 0x84, 0x12, 0x34, 't', 'k'},
		},
		{
			"NON that declines all", message.NonConfirmable, "\x1a", Response{Code: codes.NotFound}, nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			options := []option{{message.URIPath, "th"}}
			if test.noResponse != "" {
				options = append(options, option{message.NoResponse, test.noResponse})
			}
			var r Request
			if verdict := Classify(build(test.t, codes.POST, "tk", options, "x"), &r); verdict.Action != Handle {
				t.Fatalf("verdict %+v", verdict)
			}
			e := r.Exchange // kept, and the request used for another datagram
			Classify(report, &r)
			if got := e.Append([]byte("kept"), salt, test.response); string(got) != "kept"+string(test.want) {
				t.Errorf("reply %x, want %x", got[len("kept"):], test.want)
			}
		})
	}
}

// TestAmplification: the bound of RFC 9175, section 2.6, for requests of every size, tokens of
// every length, and responses that are as long as can be.
func TestAmplification(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 2000)
	var r Request
	for size := headerSize; size <= MaxDatagram+1; size++ {
		for tokenLen := 0; tokenLen <= min(maxTokenSize, size-headerSize); tokenLen++ {
			datagram := AppendHeader(nil, message.Confirmable, codes.GET, 1, long[:tokenLen])
			if n := size - len(datagram) - 1; n > 0 {
				datagram = AppendPayload(datagram, long[:n])
			}
			Classify(datagram, &r)
			for _, response := range []Response{
				{Code: codes.Content, Payload: long},
				{Code: codes.Content, Payload: long[:127]},
				{Code: codes.Content, ContentFormat: 40, Payload: long[:60]},
				{Code: codes.Content, ContentFormat: 0xffff, MaxAge: 1<<32 - 1, Size1: 1<<32 - 1, Payload: long[:50]},
			} {
				checkBound(t, datagram, r.Append(nil, 0, response))
			}
			for _, response := range []Response{ // what we do say is never cut short
				{Code: codes.ServiceUnavailable, MaxAge: 1<<32 - 1},
				{Code: codes.RequestEntityTooLarge, Size1: 1<<32 - 1},
				{Code: codes.Content, ContentFormat: 0xffff, MaxAge: 1<<32 - 1},
				{Code: codes.BadOption, Payload: long[:5]},
			} {
				reply := r.Append(nil, 0, response)
				checkBound(t, datagram, reply)
				m, _ := Parse(reply)
				got := fmt.Sprint(len(m.Payload))
				for id := range m.Options() {
					got += " " + id.String()
				}
				want := fmt.Sprint(len(response.Payload))
				for _, o := range []struct {
					id message.OptionID
					on bool
				}{{message.ContentFormat, response.ContentFormat > 0}, {message.MaxAge, response.MaxAge > 0}, {message.Size1, response.Size1 > 0}} {
					if o.on {
						want += " " + o.id.String()
					}
				}
				if got != want {
					t.Fatalf("request of %d bytes, token %d: %s, want %s", size, tokenLen, got, want)
				}
			}
		}
	}
}

func checkBound(t testing.TB, request, reply []byte) {
	t.Helper()
	if len(reply) == 0 {
		return
	}
	m, reason := Parse(reply)
	if reason != None {
		t.Fatalf("the reply %x to %x is malformed: %s", reply, request, reason)
	}
	if len(reply) > 3*len(request) || len(reply) > 132+len(m.Token) || len(reply) > MaxReply {
		t.Fatalf("a reply of %d bytes to a request of %d", len(reply), len(request))
	}
}

// TestMessageIDsOfNONs: for one salt, different Message IDs stay different (RFC 7252, section 4.4).
func TestMessageIDsOfNONs(t *testing.T) {
	seen := make([]bool, 1<<16)
	e := Exchange{size: headerSize}
	for id := range seen {
		e.MessageID = uint16(id)
		m, _ := Parse(e.Append(nil, 0xbeef, Response{Code: codes.Changed}))
		if seen[m.MessageID] {
			t.Fatalf("Message ID %04x came twice", m.MessageID)
		}
		seen[m.MessageID] = true
	}
}
