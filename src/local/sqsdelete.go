package local

import (
	"net/http"
	"time"
)

// DeleteMessage, ChangeMessageVisibility and their batches (SQS API reference).

type handleEntry struct {
	Id                string // of a batch's entry
	ReceiptHandle     string
	VisibilityTimeout *int // ChangeMessageVisibility only
}

type handleIn struct {
	QueueUrl string
	handleEntry
}

type handleBatchIn struct {
	QueueUrl string
	Entries  []handleEntry
}

// A handleAction does something with the message of a receipt handle. It is called with
// the queue's mutex held.
type handleAction func(q *queue, now time.Time, e *handleEntry) *apiError

func (s *Service) deleteMessage(c *call, in *handleIn) (any, *apiError) {
	return s.one(c, in, deleteOne)
}

func (s *Service) deleteMessageBatch(c *call, in *handleBatchIn) (any, *apiError) {
	return s.batch(c, in, deleteOne)
}

func (s *Service) changeMessageVisibility(c *call, in *handleIn) (any, *apiError) {
	if in.VisibilityTimeout == nil {
		return nil, missingParameter("VisibilityTimeout")
	}
	return s.one(c, in, changeOne)
}

func (s *Service) changeMessageVisibilityBatch(c *call, in *handleBatchIn) (any, *apiError) {
	return s.batch(c, in, changeOne)
}

func (s *Service) one(c *call, in *handleIn, do handleAction) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if in.ReceiptHandle == "" {
		return nil, missingParameter("ReceiptHandle")
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advance(c.now)
	return nil, do(q, c.now, &in.handleEntry)
}

func (s *Service) batch(c *call, in *handleBatchIn, do handleAction) (any, *apiError) {
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
	out := batchOut{Successful: make([]any, 0, len(ids)), Failed: []failedEntry{}}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advance(c.now)
	for i := range in.Entries {
		e := &in.Entries[i]
		if err := do(q, c.now, e); err != nil {
			out.fail(e.Id, err)
			continue
		}
		out.Successful = append(out.Successful, entryID{e.Id})
	}
	return out, nil
}

// ownHandle parses a receipt handle of q.
func ownHandle(q *queue, text string) (receiptHandle, *apiError) {
	h, ok := parseReceiptHandle(text)
	if !ok || h.queue != q.id {
		return h, fail(http.StatusNotFound, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	return h, nil
}

// deleteOne deletes a message, even one whose visibility timeout is over. A handle that is
// not of the last receive succeeds and deletes nothing.
func deleteOne(q *queue, _ time.Time, e *handleEntry) *apiError {
	h, err := ownHandle(q, e.ReceiptHandle)
	if err != nil {
		return err
	}
	if m := q.find(h); m != nil {
		q.remove(m)
	}
	return nil
}

// maxVisibility bounds the time in flight, counted from the receive.
const maxVisibility = 12 * time.Hour

func changeOne(q *queue, now time.Time, e *handleEntry) *apiError {
	h, err := ownHandle(q, e.ReceiptHandle)
	if err != nil {
		return err
	}
	seconds, err := within("VisibilityTimeout", e.VisibilityTimeout, 0, 0, 43200)
	if err != nil {
		return err
	}
	m := q.find(h)
	if m == nil {
		return invalidParameter("Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", e.ReceiptHandle)
	}
	if !m.inFlight() {
		return fail(http.StatusBadRequest, "MessageNotInflight", "The specified message isn't in flight.")
	}
	visibility := time.Duration(seconds) * time.Second
	if now.Add(visibility).Sub(m.received) > maxVisibility {
		return invalidParameter("Value %d for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [%d seconds]", seconds, int(maxVisibility/time.Second))
	}
	q.reschedule(m, now, visibility)
	return nil
}
