package coap

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

// hostileRow is a row of testdata/hostile.txt, whose head describes it.
type hostileRow struct {
	name     string
	reason   string
	datagram []byte
	want     string
	section  string
}

func hostileRows(t testing.TB) []hostileRow {
	t.Helper()
	text, err := os.ReadFile("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rows []hostileRow
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, "|")
		if len(columns) != 4 {
			t.Fatalf("%d columns in %q", len(columns), line)
		}
		for i := range columns {
			columns[i] = strings.TrimSpace(columns[i])
		}
		datagram, err := hex.DecodeString(columns[1])
		if err != nil {
			t.Fatalf("%s: %v", columns[0], err)
		}
		reason, _, _ := strings.Cut(columns[0], ":")
		rows = append(rows, hostileRow{columns[0], reason, datagram, columns[2], columns[3]})
	}
	return rows
}

// dotted is a code as the RFC writes it.
func dotted(code codes.Code) string { return fmt.Sprintf("%d.%02d", code>>5, code&31) }

func TestHostile(t *testing.T) {
	const salt = 0x5aa5
	seen := make(map[string]bool)
	for _, row := range hostileRows(t) {
		seen[row.reason] = true
		t.Run(row.name, func(t *testing.T) {
			var r Request
			verdict := Classify(row.datagram, &r)
			if got := verdict.Reason.String(); got != row.reason {
				t.Errorf("reason %s, want %s (%s)", got, row.reason, row.section)
			}
			if got := verdict.Action == Handle; got != (row.want == "handle") {
				t.Errorf("handle: %v, want %s (%s)", got, row.want, row.section)
			}
			reply, want := verdict.Append(nil, &r.Exchange, salt), row.want
			if want == "handle" {
				reply, want = r.Append(reply, salt, Response{Code: codes.Changed}), "2.04"
			}
			if got := describeReply(t, row.datagram, reply, salt); got != want {
				t.Errorf("answered %s, want %s (%s)", got, want, row.section)
			}
		})
	}
	for reason := range Reasons {
		if !seen[reason.String()] {
			t.Errorf("no row for reason %s", reason)
		}
	}
}

// describeReply names a reply in the words of hostile.txt, and checks that it fits its request.
func describeReply(t *testing.T, request, reply []byte, salt uint16) string {
	t.Helper()
	if len(reply) == 0 {
		return "silence"
	}
	asked, _, _ := parseHeader(request)
	m, reason := Parse(reply)
	if reason != None {
		t.Fatalf("the reply %x is malformed: %s", reply, reason)
	}
	wantID := asked.MessageID
	if m.Type == message.NonConfirmable {
		wantID ^= salt
	}
	if m.MessageID != wantID {
		t.Errorf("Message ID %04x, want %04x", m.MessageID, wantID)
	}
	switch {
	case m.Type == message.Reset && m.Code == codes.Empty:
		return "reset"
	case (m.Type == message.Acknowledgement) == (asked.Type == message.Confirmable) && string(m.Token) == string(asked.Token):
		return dotted(m.Code)
	}
	return fmt.Sprintf("%x", reply)
}

// TestNoReplyIsAnswered: what we say, said to us, gets no answer, so two servers cannot be
// made to talk to each other.
func TestNoReplyIsAnswered(t *testing.T) {
	for _, row := range hostileRows(t) {
		var r Request
		verdict := Classify(row.datagram, &r)
		replies := [][]byte{verdict.Append(nil, &r.Exchange, 1)}
		if verdict.Action == Handle {
			replies = append(replies, r.Append(nil, 1, Response{Code: codes.Changed}), r.Append(nil, 1, Response{Code: codes.NotFound}))
		}
		for _, reply := range replies {
			if verdict := Classify(reply, &r); verdict.Action != Silence {
				t.Errorf("%s: our reply %x would be answered: %+v", row.name, reply, verdict)
			}
		}
	}
}
