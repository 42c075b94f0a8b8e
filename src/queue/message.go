package queue

import (
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"coap-for-aws-iot/src/envelope"
)

// A Message is one SQS message as Lambda hands it to a reader.
type Message struct {
	ID      string // names the message in batch item failures
	Receipt string // names this receipt of it
	Body    string

	// FirstSent is the SentTimestamp of the first queue that held these reports,
	// in milliseconds: the attribute that a hop has passed on, or the message's own.
	FirstSent int64

	Attempt int    // how often the processor has sent these reports again
	Reason  string // why the processor has put it there, if it had one; else empty
	Count   int    // how often SQS has handed the message out, this time included
}

// Messages reads an event. An attribute that is no number, which only a stranger
// can have set, counts as absent.
func Messages(event events.SQSEvent) []Message {
	messages := make([]Message, len(event.Records))
	for i, record := range event.Records {
		m := Message{ID: record.MessageId, Receipt: record.ReceiptHandle, Body: record.Body}
		m.FirstSent, _ = strconv.ParseInt(record.Attributes["SentTimestamp"], 10, 64)
		m.Count, _ = strconv.Atoi(record.Attributes["ApproximateReceiveCount"])
		// The first queue stamped these reports before this one did.
		if first, ok := number(record, envelope.AttributeFirstSent); ok && (m.FirstSent == 0 || first < m.FirstSent) {
			m.FirstSent = first
		}
		if attempt, ok := number(record, envelope.AttributeAttempt); ok {
			m.Attempt = int(min(attempt, 1<<30))
		}
		if reason := record.MessageAttributes[envelope.AttributeReason].StringValue; reason != nil {
			m.Reason = *reason
		}
		messages[i] = m
	}
	return messages
}

// number returns a positive Number attribute.
func number(record events.SQSMessage, name string) (int64, bool) {
	attribute, ok := record.MessageAttributes[name]
	if !ok || attribute.StringValue == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(*attribute.StringValue, 10, 64)
	return n, err == nil && n > 0
}

// Response lists the messages that are to be handed out again once their
// visibility timeout is over; SQS deletes all others of the batch (AWS Lambda
// Developer Guide, "Returning a partial response").
func Response(failed []Message) events.SQSEventResponse {
	failures := make([]events.SQSBatchItemFailure, len(failed))
	for i, m := range failed {
		failures[i].ItemIdentifier = m.ID
	}
	return events.SQSEventResponse{BatchItemFailures: failures}
}

// The steps of Backoff.
const (
	minBackoff = 30 * time.Second
	maxBackoff = 15 * time.Minute
)

// Backoff returns for how long a message that has been handed out count times
// should stay invisible while what it needs is down: 30 s, doubling to 15 minutes.
// So 1000 receives, after which SQS moves a message to its dead-letter queue, take
// more than ten days.
func Backoff(count int) time.Duration {
	d := minBackoff
	for ; count > 1 && d < maxBackoff; count-- {
		d *= 2
	}
	return min(d, maxBackoff)
}
