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
	queueURLIn
	handleEntry
}

type handleBatchIn struct {
	queueURLIn
	Entries []handleEntry
}

// A handleAction does something with the message of a receipt handle. It is called with
// the queue's mutex held.
// What it returns makes the effect durable.
type handleAction func(q *queue, now time.Time, e *handleEntry) ([]change, *apiError)

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
	s.advance(q, c.now)
	changes, err := do(q, c.now, &in.handleEntry)
	s.settle(c, q, changes)
	return nil, err
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
	out := batchOut{Successful: make([]succeeded, 0, len(ids)), Failed: []failedEntry{}}
	q.mu.Lock()
	defer q.mu.Unlock()
	s.advance(q, c.now)
	var all []change
	for i := range in.Entries {
		e := &in.Entries[i]
		var err *apiError
		if c.spoil != nil {
			err = c.spoil()
		}
		if err == nil {
			var changes []change
			changes, err = do(q, c.now, e)
			all = append(all, changes...)
		}
		if err != nil {
			out.fail(e.Id, err)
			continue
		}
		out.Successful = append(out.Successful, entryID{e.Id})
	}
	s.settle(c, q, all)
	return out, nil
}

// settle lets c be answered when the changes are durable. Without changes it waits for the
// last one of the queue: another caller may just have deleted what this one wanted to. The
// caller holds q.mu.
func (s *Service) settle(c *call, q *queue, changes []change) {
	if len(changes) > 0 {
		q.commit = s.journal.add(changes...)
	}
	c.commit = q.commit
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
func deleteOne(q *queue, _ time.Time, e *handleEntry) ([]change, *apiError) {
	h, err := ownHandle(q, e.ReceiptHandle)
	if err != nil {
		return nil, err
	}
	m := q.find(h)
	if m == nil {
		return nil, nil
	}
	q.remove(m)
	return m.removed(q), nil
}

// maxVisibility bounds the time in flight, counted from the receive.
const maxVisibility = 12 * time.Hour

func changeOne(q *queue, now time.Time, e *handleEntry) ([]change, *apiError) {
	h, err := ownHandle(q, e.ReceiptHandle)
	if err != nil {
		return nil, err
	}
	seconds, err := within("VisibilityTimeout", e.VisibilityTimeout, 0, 0, 43200)
	if err != nil {
		return nil, err
	}
	m := q.find(h)
	if m == nil {
		return nil, invalidParameter("Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", e.ReceiptHandle)
	}
	if !m.inFlight() {
		return nil, fail(http.StatusBadRequest, "MessageNotInflight", "The specified message isn't in flight.")
	}
	visibility := time.Duration(seconds) * time.Second
	if now.Add(visibility).Sub(m.received) > maxVisibility {
		return nil, invalidParameter("Value %d for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [%d seconds]", seconds, int(maxVisibility/time.Second))
	}
	q.reschedule(m, now, visibility)
	return []change{m.savedReceives(q)}, nil
}
