package lab

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// sqsClient is the part of the SDK that a poller calls; tests cut the wire here.
type sqsClient interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
}

// A poller is what Lambda calls an event source mapping: it gathers batches from a queue,
// invokes a function with each, and deletes what the function has done. All else comes
// back when its visibility timeout is over. ReportBatchItemFailures is on.
//
// One thing it does not imitate: with a window, Lambda may take up to 20 s to find the
// first message of a quiet queue.
type poller struct {
	// set once
	spec   Function
	sqs    sqsClient
	invoke func(ctx context.Context, event []byte) ([]byte, error)
	say    func(format string, args ...any) // a line of the lab's log

	mu    sync.Mutex // guards the following
	stats Deliveries
	stuck bool          // the last receive failed
	delay time.Duration // after it
}

// Deliveries counts what became of the messages that a function's poller received.
type Deliveries struct {
	Received uint64 `json:"received"`
	Deleted  uint64 `json:"deleted"`  // done
	Returned uint64 `json:"returned"` // left on the queue, to come back
}

const (
	receiveSize = 10                     // messages a ReceiveMessage, at most
	longPoll    = 20 * time.Second       // the longest that SQS allows
	shortPoll   = 500 * time.Millisecond // between receives in the last second of a window
	retryDelay  = 500 * time.Millisecond // after a receive that failed, doubling
	retryMost   = 10 * time.Second       // while they go on failing
	deleteSize  = 10                     // messages a DeleteMessageBatch, at most
	deleteLimit = 10 * time.Second

	// receiveLimit is how long an answer may take beyond the long poll: a queue that
	// accepts calls and never answers must not stop the poller for good.
	receiveLimit = 10 * time.Second
)

// maxPollers is how many batches Lambda gathers at a time to begin with, if the
// concurrency allows as many (AWS Lambda Developer Guide, "Configuring scaling behavior
// for SQS event source mappings"). The lab never adds more.
const maxPollers = 5

// run polls until ctx is done, and returns when the batches that were gathered by then
// are settled. life is the context of invocations.
func (p *poller) run(ctx, life context.Context) {
	var pollers sync.WaitGroup
	for range min(maxPollers, p.spec.Concurrency) {
		pollers.Go(func() {
			var rest []types.Message
			for ctx.Err() == nil || len(rest) > 0 {
				var b batch
				if b, rest = p.gather(ctx, rest); len(b.messages) > 0 {
					p.handle(life, &b)
				}
			}
		})
	}
	pollers.Wait()
}

// gather returns the next batch: rest, which the batch before had no room for, and what
// it receives until the batch is full, or the window is over, which begins with the first
// message. With ctx done it returns what it has.
func (p *poller) gather(ctx context.Context, rest []types.Message) (batch, []types.Message) {
	var b batch
	var end time.Time
	for {
		for len(rest) > 0 && len(b.messages) < p.spec.BatchSize {
			if !b.add(rest[0], encodeRecord(p.spec.Queue, rest[0])) {
				return b, rest
			}
			rest = rest[1:]
		}
		wait := longPoll
		if n := len(b.messages); n > 0 {
			if end.IsZero() {
				end = time.Now().Add(p.spec.Window)
			}
			if wait = time.Until(end); wait <= 0 || n == p.spec.BatchSize {
				return b, rest
			}
			if wait < time.Second { // SQS waits for whole seconds
				pause(ctx, min(wait, shortPoll))
				wait = 0
			}
		}
		if ctx.Err() != nil {
			return b, rest
		}
		rest = p.receive(ctx, min(receiveSize, p.spec.BatchSize-len(b.messages)), wait)
	}
}

// receive returns up to n messages, none if there are none within wait, or after an error.
func (p *poller) receive(ctx context.Context, n int, wait time.Duration) []types.Message {
	call, cancel := context.WithTimeout(ctx, wait+receiveLimit)
	defer cancel()
	out, err := p.sqs.ReceiveMessage(call, &sqs.ReceiveMessageInput{
		QueueUrl:                    &p.spec.Queue.URL,
		MaxNumberOfMessages:         int32(n),
		WaitTimeSeconds:             int32(min(wait, longPoll) / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	})
	if ctx.Err() != nil && err != nil {
		return nil
	}
	p.mu.Lock()
	was := p.stuck
	p.stuck = err != nil
	if err != nil {
		p.delay = min(max(2*p.delay, retryDelay), retryMost)
	} else {
		p.delay = 0
		p.stats.Received += uint64(len(out.Messages))
	}
	delay := p.delay
	p.mu.Unlock()
	if err != nil {
		if !was {
			p.say("poll %s, until it works: %v", p.spec.Queue.Name, err)
		}
		pause(ctx, delay)
		return nil
	}
	if was {
		p.say("polling %s again", p.spec.Queue.Name)
	}
	return out.Messages
}

// handle invokes the function with a batch and deletes what it has done.
func (p *poller) handle(life context.Context, b *batch) {
	response, err := p.invoke(life, b.event())
	var done []types.Message
	if err == nil {
		done, err = succeeded(b.messages, response)
	}
	returned := len(b.messages) - len(done)
	if err != nil {
		p.say("a batch of %d comes back within %v: %v", returned, p.spec.Queue.Visibility, err)
	}
	deleted := p.delete(life, done)
	p.mu.Lock()
	p.stats.Deleted += uint64(deleted)
	p.stats.Returned += uint64(returned)
	p.mu.Unlock()
}

// delete deletes messages and returns how many it could. The others come again, which the
// function has to bear: SQS delivers at least once.
func (p *poller) delete(life context.Context, messages []types.Message) (n int) {
	// What the function has done is deleted even while the lab closes.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(life), deleteLimit)
	defer cancel()
	for start := 0; start < len(messages); start += deleteSize {
		part := messages[start:min(start+deleteSize, len(messages))]
		entries := make([]types.DeleteMessageBatchRequestEntry, len(part))
		for i, m := range part {
			entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle}
		}
		out, err := p.sqs.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &p.spec.Queue.URL, Entries: entries})
		switch {
		case err != nil:
			p.say("delete %d messages: %v", len(part), err)
		case len(out.Failed) > 0:
			p.say("delete %d messages: %s: %s", len(out.Failed), aws.ToString(out.Failed[0].Code), aws.ToString(out.Failed[0].Message))
			fallthrough
		default:
			n += len(out.Successful)
		}
	}
	return n
}

// snapshot returns the counters.
func (p *poller) snapshot() Deliveries {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// pause sleeps for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
