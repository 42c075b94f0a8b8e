package local

import (
	"encoding/json"
	"net/http"
	"time"
)

// SendMessage and SendMessageBatch (SQS API reference).

// maxBatchBytes bounds all bodies and attributes of a batch together.
const maxBatchBytes = 1 << 20

type sendEntry struct {
	Id                      string // of a batch's entry
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]attributeValue
	MessageSystemAttributes map[string]attributeValue
	MessageGroupId          string
	MessageDeduplicationId  string
}

type sendMessageIn struct {
	queueURLIn
	sendEntry
}

type sentOut struct {
	Id                           string `json:",omitempty"`
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	MessageId                    string
}

func (s *Service) sendMessage(c *call, in *sendMessageIn) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if in.MessageBody == "" {
		return nil, missingParameter("MessageBody")
	}
	if loneSurrogate(c.body) {
		return nil, invalidContents()
	}
	q.mu.Lock()
	set := q.settings
	q.mu.Unlock()
	m, delay, out, err := newMessage(c.now, &in.sendEntry, set)
	if err != nil {
		return nil, err
	}
	return out, s.enqueue(c, q, []*message{m}, []time.Duration{delay})
}

// newMessage makes a message of what was sent, with its delay and the answer.
func newMessage(now time.Time, e *sendEntry, set settings) (m *message, delay time.Duration, out sentOut, err *apiError) {
	delay = set.delay
	if e.DelaySeconds != nil {
		if n := *e.DelaySeconds; n < 0 || n > 900 {
			return nil, 0, out, invalidParameter("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", n)
		}
		delay = time.Duration(*e.DelaySeconds) * time.Second
	}
	if e.MessageDeduplicationId != "" {
		return nil, 0, out, invalidParameter("Value %s for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type.", e.MessageDeduplicationId)
	}
	if !validGroupID(e.MessageGroupId) {
		return nil, 0, out, invalidParameter("Value %s for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.", e.MessageGroupId)
	}
	if !validText(e.MessageBody) {
		return nil, 0, out, invalidContents()
	}
	m = &message{id: newID(), body: e.MessageBody, groupID: e.MessageGroupId, sent: now}
	if m.attributes, err = parseAttributes(e.MessageAttributes); err != nil {
		return nil, 0, out, err
	}
	if m.size() > set.maxSize {
		return nil, 0, out, invalidParameter("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", set.maxSize)
	}
	system, err := parseSystemAttributes(e.MessageSystemAttributes)
	if err != nil {
		return nil, 0, out, err
	}
	if len(system) > 0 {
		m.traceID = system[0].value
	}
	out = sentOut{
		Id:                           e.Id,
		MD5OfMessageBody:             hexMD5(m.body),
		MD5OfMessageAttributes:       attributesMD5(m.attributes),
		MD5OfMessageSystemAttributes: attributesMD5(system),
		MessageId:                    m.id,
	}
	return m, delay, out, nil
}

// parseSystemAttributes takes the only one there is: AWSTraceHeader.
func parseSystemAttributes(in map[string]attributeValue) ([]messageAttribute, *apiError) {
	for name, v := range in {
		if name != "AWSTraceHeader" {
			return nil, invalidParameter("Message system attribute name '%s' is invalid.", name)
		}
		if v.DataType == nil || *v.DataType != "String" || v.StringValue == nil {
			return nil, invalidParameter("The message system attribute 'AWSTraceHeader' must be a String.")
		}
		return []messageAttribute{{name, *v.DataType, *v.StringValue}}, nil
	}
	return nil, nil
}

// validGroupID: empty, or up to 128 ASCII characters that can be seen.
func validGroupID(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= 128
}

func invalidContents() *apiError {
	return fail(http.StatusBadRequest, "InvalidMessageContents", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
}

// enqueue adds messages, all at once or none.
func (s *Service) enqueue(c *call, q *queue, messages []*message, delays []time.Duration) *apiError {
	var changes []change
	if s.journal != nil { // what can be done without the lock
		changes = make([]change, len(messages))
		for i, m := range messages {
			changes[i] = change{bucket: bucketMessages, value: m.record(c.now.Add(delays[i]))}
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.deleted {
		return noQueue()
	}
	for i, m := range messages {
		q.add(m, c.now, c.now.Add(delays[i]))
		if changes != nil {
			changes[i].key = messageKey(q.id, m.seq)
		}
	}
	if len(changes) > 0 {
		q.commit = s.journal.add(changes...)
		c.commit = q.commit
	}
	return nil
}

type sendMessageBatchIn struct {
	queueURLIn
	Entries []sendEntry
}

func (s *Service) sendMessageBatch(c *call, in *sendMessageBatchIn) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(in.Entries))
	for i := range in.Entries {
		ids[i] = in.Entries[i].Id
	}
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	for i := range in.Entries {
		if in.Entries[i].MessageBody == "" {
			return nil, missingParameter("SendMessageBatchRequestEntry.MessageBody")
		}
	}
	q.mu.Lock()
	set := q.settings
	q.mu.Unlock()

	bad := surrogateEntries(c.body, len(in.Entries))
	messages := make([]*message, 0, len(in.Entries))
	delays := make([]time.Duration, 0, len(in.Entries))
	out := batchOut{Successful: make([]succeeded, 0, len(in.Entries)), Failed: []failedEntry{}}
	total := 0
	for i := range in.Entries {
		e := &in.Entries[i]
		m, delay, sent, err := newMessage(c.now, e, set)
		if bad != nil && bad[i] {
			err = invalidContents()
		}
		if err == nil && c.spoil != nil {
			err = c.spoil()
		}
		if m != nil {
			total += m.size()
		} else {
			total += len(e.MessageBody)
		}
		if err != nil {
			out.fail(e.Id, err)
			continue
		}
		messages = append(messages, m)
		delays = append(delays, delay)
		out.Successful = append(out.Successful, sent)
	}
	if total > maxBatchBytes {
		return nil, fail(http.StatusBadRequest, "BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxBatchBytes, total)
	}
	return out, s.enqueue(c, q, messages, delays)
}

// surrogateEntries returns which entries of a batch hold half of a surrogate pair; nil if
// none does, which is the rule.
func surrogateEntries(body []byte, n int) []bool {
	if !loneSurrogate(body) {
		return nil
	}
	var in struct{ Entries []json.RawMessage }
	if json.Unmarshal(body, &in) != nil || len(in.Entries) != n {
		return nil
	}
	out := make([]bool, n)
	for i, e := range in.Entries {
		out[i] = loneSurrogate(e)
	}
	return out
}
