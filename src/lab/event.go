package lab

import (
	"bytes"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// record is one message as Lambda writes it into an event (AWS Lambda Developer Guide,
// "Using Lambda with Amazon SQS", standard queue message event).
type record struct {
	MessageID         string                     `json:"messageId"`
	ReceiptHandle     string                     `json:"receiptHandle"`
	Body              string                     `json:"body"`
	Attributes        map[string]string          `json:"attributes"`
	MessageAttributes map[string]recordAttribute `json:"messageAttributes"`
	MD5OfAttributes   string                     `json:"md5OfMessageAttributes,omitempty"`
	MD5OfBody         string                     `json:"md5OfBody"`
	EventSource       string                     `json:"eventSource"`
	EventSourceARN    string                     `json:"eventSourceARN"`
	Region            string                     `json:"awsRegion"`
}

type recordAttribute struct {
	StringValue *string `json:"stringValue,omitempty"`
	BinaryValue []byte  `json:"binaryValue,omitempty"` // base64
	// Always empty: SQS does not implement lists.
	StringListValues []string `json:"stringListValues"`
	BinaryListValues []string `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

// encodeRecord returns m, received from source, as a record of an event.
func encodeRecord(source Queue, m types.Message) []byte {
	r := record{
		MessageID:         aws.ToString(m.MessageId),
		ReceiptHandle:     aws.ToString(m.ReceiptHandle),
		Body:              aws.ToString(m.Body),
		Attributes:        m.Attributes,
		MessageAttributes: map[string]recordAttribute{},
		MD5OfAttributes:   aws.ToString(m.MD5OfMessageAttributes),
		MD5OfBody:         aws.ToString(m.MD5OfBody),
		EventSource:       "aws:sqs",
		EventSourceARN:    source.ARN(),
		Region:            source.Region,
	}
	if r.Attributes == nil {
		r.Attributes = map[string]string{}
	}
	for name, a := range m.MessageAttributes {
		r.MessageAttributes[name] = recordAttribute{
			StringValue: a.StringValue, BinaryValue: a.BinaryValue,
			StringListValues: []string{}, BinaryListValues: []string{},
			DataType: aws.ToString(a.DataType),
		}
	}
	// Not json.Marshal, which would write <, > and & as six bytes each.
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		panic(err) // strings and bytes cannot fail
	}
	return bytes.TrimSuffix(line.Bytes(), []byte("\n"))
}

const (
	eventHead = `{"Records":[`
	eventTail = `]}`
)

// A batch is what one invocation is going to carry: messages and their records.
type batch struct {
	messages []types.Message
	records  [][]byte
	size     int // of the event
}

// add takes a message unless the event would exceed what Lambda hands over.
func (b *batch) add(m types.Message, record []byte) bool {
	size := b.size + len(record) + len(",")
	if len(b.records) == 0 {
		size = len(eventHead) + len(record) + len(eventTail)
	} else if size > maxPayload {
		return false
	}
	b.messages = append(b.messages, m)
	b.records = append(b.records, record)
	b.size = size
	return true
}

// event is the JSON that the function gets.
func (b *batch) event() []byte {
	event := make([]byte, 0, b.size)
	event = append(event, eventHead...)
	event = append(event, bytes.Join(b.records, []byte(","))...)
	return append(event, eventTail...)
}
