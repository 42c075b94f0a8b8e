package local

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// ReceiveMessage (SQS API reference).

type receiveMessageIn struct {
	queueURLIn
	AttributeNames              []string // the older name of the next
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
}

type receivedMessage struct {
	MessageId              string
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string         `json:",omitempty"`
	MD5OfMessageAttributes string                    `json:",omitempty"`
	MessageAttributes      map[string]attributeValue `json:",omitempty"`
}

type receiveOut struct {
	Messages []receivedMessage `json:",omitempty"`
}

// senderID is the principal that sent every message: no caller is told from another.
const senderID = "AIDAAAAAAAAAAAAAAAAAA"

// systemAttributes are the names that ReceiveMessage knows. Those of FIFO queues are
// accepted and never present.
var systemAttributes = []string{
	"All", "ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount", "AWSTraceHeader",
	"DeadLetterQueueSourceArn", "MessageDeduplicationId", "MessageGroupId", "SenderId",
	"SentTimestamp", "SequenceNumber", "SqsManagedSseEnabled",
}

func (s *Service) receiveMessage(c *call, in *receiveMessageIn) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	n, err := within("MaxNumberOfMessages", in.MaxNumberOfMessages, 1, 1, 10)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	set := q.settings
	q.mu.Unlock()
	wait, err := within("WaitTimeSeconds", in.WaitTimeSeconds, int(set.wait/time.Second), 0, 20)
	if err != nil {
		return nil, err
	}
	visibility, err := within("VisibilityTimeout", in.VisibilityTimeout, int(set.visibility/time.Second), 0, 43200)
	if err != nil {
		return nil, err
	}
	names := append(in.MessageSystemAttributeNames, in.AttributeNames...)
	for _, name := range names {
		if !slices.Contains(systemAttributes, name) {
			return nil, fail(http.StatusBadRequest, "InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	r := receiver{s: s, c: c, q: q, n: n, visibility: time.Duration(visibility) * time.Second, long: wait > 0}
	messages, err := r.poll(c.now.Add(time.Duration(wait) * time.Second))
	if err != nil {
		return nil, err
	}
	out := receiveOut{}
	for i := range messages {
		out.Messages = append(out.Messages, messages[i].json(q, names, in.MessageAttributeNames))
	}
	return out, nil
}

// within returns a number of the request, or its default, if it is in range.
func within(name string, v *int, or, low, high int) (int, *apiError) {
	if v == nil {
		return or, nil
	}
	if *v < low || *v > high {
		return 0, invalidParameter("Value %d for parameter %s is invalid. Reason: Must be between %d and %d, if provided.", *v, name, low, high)
	}
	return *v, nil
}

// json writes a message with those attributes that the receiver asked for.
func (m *message) json(q *queue, system, user []string) receivedMessage {
	out := receivedMessage{
		MessageId:     m.id,
		ReceiptHandle: receiptHandle{q.id, m.seq, m.receipt}.String(),
		MD5OfBody:     hexMD5(m.body),
		Body:          m.body,
	}
	if attributes := chosen(m.attributes, user); len(attributes) > 0 {
		out.MessageAttributes = attributesJSON(attributes)
		out.MD5OfMessageAttributes = attributesMD5(attributes)
	}
	if len(system) == 0 {
		return out
	}
	all := slices.Contains(system, "All")
	out.Attributes = make(map[string]string, 4)
	give := func(name, value string) {
		if value != "" && (all || slices.Contains(system, name)) {
			out.Attributes[name] = value
		}
	}
	give("SenderId", senderID)
	give("SentTimestamp", strconv.FormatInt(m.sent.UnixMilli(), 10))
	give("ApproximateReceiveCount", strconv.Itoa(m.receives))
	give("ApproximateFirstReceiveTimestamp", strconv.FormatInt(m.firstReceived.UnixMilli(), 10))
	give("AWSTraceHeader", m.traceID)
	give("MessageGroupId", m.groupID)
	give("DeadLetterQueueSourceArn", m.source)
	return out
}
