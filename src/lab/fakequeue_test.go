package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// A fakeQueue is a queue in memory, on package time.
type fakeQueue struct {
	visibility time.Duration

	mu       sync.Mutex // guards the following
	messages []*fakeMessage
	deletes  []int // entries of each DeleteMessageBatch
	down     bool
	mute     bool   // calls are never answered
	stubborn string // a message that cannot be deleted
}

type fakeMessage struct {
	id, body string
	visible  time.Time
	receives int
	deleted  bool
}

var errDown = errors.New("down")

// put adds n messages with the given body; their ids go on counting: m1, m2, ...
func (q *fakeQueue) put(n int, body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for range n {
		q.messages = append(q.messages, &fakeMessage{id: fmt.Sprint("m", len(q.messages)+1), body: body, visible: time.Now()})
	}
}

func (q *fakeQueue) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	q.mu.Lock()
	mute := q.mute
	q.mu.Unlock()
	if mute {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	until := time.Now().Add(time.Duration(in.WaitTimeSeconds) * time.Second)
	for {
		got, err := q.take(int(in.MaxNumberOfMessages))
		if err != nil || len(got) > 0 || !time.Now().Before(until) {
			return &sqs.ReceiveMessageOutput{Messages: got}, err
		}
		pause(ctx, 10*time.Millisecond)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func (q *fakeQueue) take(n int) ([]types.Message, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.down {
		return nil, errDown
	}
	now := time.Now()
	var got []types.Message
	for _, m := range q.messages {
		if m.deleted || now.Before(m.visible) || len(got) == n {
			continue
		}
		m.visible = now.Add(q.visibility)
		m.receives++
		got = append(got, types.Message{
			MessageId: &m.id, ReceiptHandle: aws.String(fmt.Sprint(m.id, "#", m.receives)), Body: &m.body,
			Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.receives)},
		})
	}
	return got, nil
}

func (q *fakeQueue) DeleteMessageBatch(_ context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.down {
		return nil, errDown
	}
	q.deletes = append(q.deletes, len(in.Entries))
	out := &sqs.DeleteMessageBatchOutput{}
	for _, e := range in.Entries {
		i := slices.IndexFunc(q.messages, func(m *fakeMessage) bool { return fmt.Sprint(m.id, "#", m.receives) == *e.ReceiptHandle })
		if i < 0 || q.messages[i].id == q.stubborn {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError")})
			continue
		}
		q.messages[i].deleted = true
		out.Successful = append(out.Successful, types.DeleteMessageBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

// left returns the receive counts of the messages that are still there, by id.
func (q *fakeQueue) left() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := map[string]int{}
	for _, m := range q.messages {
		if !m.deleted {
			left[m.id] = m.receives
		}
	}
	return left
}

// ids returns the ids of left, in order.
func (q *fakeQueue) ids() []string { return slices.Sorted(maps.Keys(q.left())) }
