package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestSendSetsAttributes(t *testing.T) {
	f := &fakeSQS{}
	q := &Queue{client: f, url: "q"}
	errs := q.Send(context.Background(), []Outgoing{
		{Body: "plain"},
		{Body: "all", FirstSent: 1763840000123, Attempt: 3, Reason: "bad \u00e9\n" + strings.Repeat("x", 300), Delay: 90 * time.Second},
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := f.stored[0]; got.MessageAttributes != nil || got.DelaySeconds != 0 {
		t.Errorf("plain: %+v", got)
	}
	got := f.stored[1]
	for name, want := range map[string]string{
		"FirstSentTimestamp": "Number 1763840000123",
		"Attempt":            "Number 3",
		"Reason":             "String bad ???" + strings.Repeat("x", 193),
	} {
		a := got.MessageAttributes[name]
		if s := aws.ToString(a.DataType) + " " + aws.ToString(a.StringValue); s != want {
			t.Errorf("%s: %q, want %q", name, s, want)
		}
	}
	if got.DelaySeconds != 90 {
		t.Errorf("delay %d", got.DelaySeconds)
	}
}

func TestSendKeepsLimitsAndNamesFailures(t *testing.T) {
	f := &fakeSQS{fail: "broken", refuse: "strange"}
	q := &Queue{client: f, url: "q"}
	var messages []Outgoing
	for i := range 45 {
		body := fmt.Sprint(i, ":")
		switch i {
		case 7:
			body += "broken"
		case 30:
			body += "strange"
		}
		if i >= 20 {
			body += strings.Repeat("x", 60<<10)
		}
		messages = append(messages, Outgoing{Body: body})
	}
	for i, err := range q.Send(context.Background(), messages) {
		switch i {
		case 7:
			if err == nil || errors.Is(err, ErrRefused) {
				t.Errorf("message 7: %v", err)
			}
		case 30:
			if !errors.Is(err, ErrRefused) {
				t.Errorf("message 30: %v", err)
			}
		default:
			if err != nil {
				t.Errorf("message %d: %v", i, err)
			}
		}
	}
	for _, c := range f.calls {
		if c.entries > 10 || c.bytes > 256<<10 {
			t.Errorf("a call of %d entries, %d bytes", c.entries, c.bytes)
		}
	}
	if len(f.stored) != 43 {
		t.Errorf("%d stored", len(f.stored))
	}
}

// SQS refuses one of four messages, alone or with the whole call: the code tells whether
// for what it holds. Then no other message has to suffer for it, and sending it again is
// of no use; every other error may pass.
func TestRefusedForContent(t *testing.T) {
	for _, tt := range []struct {
		code           string
		ownFault       bool // an entry's fault is SQS's own
		entry, refused bool // what becomes of an entry, and of a whole call, is a refusal
	}{
		{code: "InvalidMessageContents", entry: true, refused: true},
		{code: "InvalidParameterValue", entry: true, refused: true},
		{code: "AWS.SimpleQueueService.BatchRequestTooLong", entry: true, refused: true},
		{code: "BatchRequestTooLong", entry: true, refused: true},
		{code: "InvalidMessageContents", ownFault: true, refused: true},
		{code: "AccessDenied"},
		{code: "AWS.SimpleQueueService.NonExistentQueue"},
	} {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, SQS's own fault %v, whole call %v", tt.code, tt.ownFault, whole), func(t *testing.T) {
				f := &fakeSQS{refuse: "strange", refuseWhole: whole, code: tt.code, ownFault: tt.ownFault}
				q := &Queue{client: f, url: "q"}
				want := tt.entry
				if whole {
					want = tt.refused
				}
				for i, err := range q.Send(context.Background(), []Outgoing{{Body: "a"}, {Body: "strange"}, {Body: "b"}, {Body: "c"}}) {
					switch {
					case i == 1 && (err == nil || errors.Is(err, ErrRefused) != want):
						t.Errorf("the strange one: %v, want it refused: %v", err, want)
					case i != 1 && (err != nil) != (whole && !want):
						t.Errorf("message %d: %v", i, err)
					}
				}
			})
		}
	}
}

func TestStretch(t *testing.T) {
	f := &fakeSQS{}
	q := &Queue{client: f, url: "q"}
	messages := make([]Message, 25)
	for i := range messages {
		messages[i].Receipt = fmt.Sprint("r", i)
	}
	messages[3].Receipt, messages[4].Receipt, messages[14].Receipt = "gone", "gone, by its long name", "bad"
	for i, err := range q.Stretch(context.Background(), messages, 2*time.Minute) {
		if (err != nil) != (i == 14) {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if len(f.stretched) != 22 || f.stretched[0].VisibilityTimeout != 120 {
		t.Errorf("stretched %d, first by %d s", len(f.stretched), f.stretched[0].VisibilityTimeout)
	}
	f.before = errDown
	for i, err := range q.Stretch(context.Background(), messages, time.Minute) {
		if !errors.Is(err, errDown) {
			t.Errorf("message %d: %v", i, err)
		}
	}
}

func TestMessages(t *testing.T) {
	text := func(s string) events.SQSMessageAttribute {
		return events.SQSMessageAttribute{DataType: "Number", StringValue: &s}
	}
	got := Messages(events.SQSEvent{Records: []events.SQSMessage{
		{MessageId: "1", ReceiptHandle: "r1", Body: "b1", Attributes: map[string]string{"SentTimestamp": "2000", "ApproximateReceiveCount": "4"}},
		{MessageId: "2", Attributes: map[string]string{"SentTimestamp": "2000", "ApproximateReceiveCount": "1"},
			MessageAttributes: map[string]events.SQSMessageAttribute{"FirstSentTimestamp": text("1000"), "Attempt": text("2")}},
		{MessageId: "3", Attributes: map[string]string{"SentTimestamp": "2000"},
			MessageAttributes: map[string]events.SQSMessageAttribute{"FirstSentTimestamp": text("3000"), "Attempt": text("-1")}},
		{MessageId: "4", Attributes: map[string]string{"SentTimestamp": "2000"},
			MessageAttributes: map[string]events.SQSMessageAttribute{"FirstSentTimestamp": text("x"), "Attempt": {}}},
	}})
	want := []Message{
		{ID: "1", Receipt: "r1", Body: "b1", FirstSent: 2000, Count: 4},
		{ID: "2", FirstSent: 1000, Attempt: 2, Count: 1},
		{ID: "3", FirstSent: 2000}, // a first queue cannot have stamped it later
		{ID: "4", FirstSent: 2000},
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v\nwant %+v", got[i], want[i])
		}
	}
	if r := Response(got[1:3]); len(r.BatchItemFailures) != 2 || r.BatchItemFailures[0].ItemIdentifier != "2" || r.BatchItemFailures[1].ItemIdentifier != "3" {
		t.Errorf("response %+v", r)
	}
}

func TestBackoff(t *testing.T) {
	for count, want := range map[int]time.Duration{
		0: 30 * time.Second, 1: 30 * time.Second, 2: time.Minute, 3: 2 * time.Minute, 5: 8 * time.Minute,
		6: 15 * time.Minute, 7: 15 * time.Minute, 1 << 30: 15 * time.Minute,
	} {
		if got := Backoff(count); got != want {
			t.Errorf("Backoff(%d) = %v, want %v", count, got, want)
		}
	}
	var total time.Duration
	for count := 1; count <= 1000; count++ {
		total += Backoff(count)
	}
	if total < 10*24*time.Hour {
		t.Errorf("1000 receives take %v, want more than ten days", total)
	}
}
