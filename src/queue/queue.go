package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"coap-for-aws-iot/src/envelope"
)

// Limits of one SendMessageBatch or ChangeMessageVisibilityBatch call. SQS takes
// 1 MiB; queues made by Terraform's AWS provider 5 take 256 KiB.
const (
	maxEntries    = 10
	maxCallBytes  = 256 << 10
	parallelCalls = 8
)

// ErrRefused reports a message that SQS refused as the sender's fault: sending it
// again changes nothing, and it says nothing about the health of the queue.
var ErrRefused = errors.New("refused by SQS")

// A Queue is one SQS queue. Its methods may be called concurrently.
type Queue struct {
	client client
	url    string
}

// New returns the queue at url. c is used as it is, see [NewClient].
func New(c *sqs.Client, url string) *Queue { return &Queue{client: c, url: url} }

// An Outgoing is one message to be sent.
type Outgoing struct {
	Body      string
	FirstSent int64         // attribute FirstSentTimestamp, in ms; 0: none
	Attempt   int           // attribute Attempt; 0: none
	Reason    string        // attribute Reason, cut to 200 characters of printable ASCII; empty: none
	Delay     time.Duration // until it becomes visible, at most 15 minutes, whole seconds
}

// size is what SQS counts: body, and name, type and value of each attribute. No
// attribute of ours is longer than 256 bytes in all.
func (o *Outgoing) size() int { return len(o.Body) + 3*256 }

func (o *Outgoing) attributes() map[string]types.MessageAttributeValue {
	if o.FirstSent == 0 && o.Attempt == 0 && o.Reason == "" {
		return nil
	}
	attributes := make(map[string]types.MessageAttributeValue, 3)
	set := func(name, kind, value string) {
		attributes[name] = types.MessageAttributeValue{DataType: aws.String(kind), StringValue: aws.String(value)}
	}
	if o.FirstSent != 0 {
		set(envelope.AttributeFirstSent, "Number", strconv.FormatInt(o.FirstSent, 10))
	}
	if o.Attempt != 0 {
		set(envelope.AttributeAttempt, "Number", strconv.Itoa(o.Attempt))
	}
	if o.Reason != "" {
		set(envelope.AttributeReason, "String", printable(o.Reason))
	}
	return attributes
}

// printable makes s fit for an attribute: a reason may quote what a stranger sent,
// and an attribute that SQS refuses would take its message with it.
func printable(s string) string {
	b := []byte(s[:min(len(s), 200)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// Send puts messages on the queue, in as few calls as the limits of SQS allow and
// several calls at a time. It returns one error per message: nil means that SQS
// holds it; an error that wraps ErrRefused that SQS never will; any other error
// means unknown, never "not stored".
func (q *Queue) Send(ctx context.Context, messages []Outgoing) []error {
	errs := make([]error, len(messages))
	var calls sync.WaitGroup
	slots := make(chan struct{}, parallelCalls)
	for start := 0; start < len(messages); {
		end, size := start, 0
		for end < len(messages) && end-start < maxEntries {
			if size += messages[end].size(); size > maxCallBytes && end > start {
				break
			}
			end++
		}
		part, partErrs := messages[start:end], errs[start:end]
		start = end
		slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-slots }()
			q.sendCall(ctx, part, partErrs)
		})
	}
	calls.Wait()
	return errs
}

// sendCall sends messages in one call and sets one error per message.
func (q *Queue) sendCall(ctx context.Context, messages []Outgoing, errs []error) {
	entries := make([]types.SendMessageBatchRequestEntry, len(messages))
	for i := range messages {
		entries[i] = types.SendMessageBatchRequestEntry{
			Id:                aws.String(strconv.Itoa(i)),
			MessageBody:       &messages[i].Body,
			MessageAttributes: messages[i].attributes(),
			DelaySeconds:      int32(messages[i].Delay / time.Second),
		}
	}
	out, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries})
	if err = refused(err); errors.Is(err, ErrRefused) && len(messages) > 1 {
		// SQS does not say which one it objects to.
		half := len(messages) / 2
		q.sendCall(ctx, messages[:half], errs[:half])
		q.sendCall(ctx, messages[half:], errs[half:])
		return
	}
	if err != nil {
		err = fmt.Errorf("send to queue: %w", err)
		for i := range errs {
			errs[i] = err
		}
		return
	}
	for i := range errs {
		errs[i] = errUnanswered
	}
	for _, entry := range out.Successful {
		if i, ok := entryIndex(entry.Id, errs); ok {
			errs[i] = nil
		}
	}
	for _, entry := range out.Failed {
		if i, ok := entryIndex(entry.Id, errs); ok {
			errs[i] = entryError("send to queue", entry)
		}
	}
}

// Warm makes SQS answer and changes nothing: it sends a batch without entries, which SQS
// refuses. So it opens what a later call needs, DNS, connection and credentials, with no
// more permission than sqs:SendMessage, and tells whether the queue would hear that call.
func (q *Queue) Warm(ctx context.Context) error {
	_, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: []types.SendMessageBatchRequestEntry{}})
	if api, ok := errors.AsType[smithy.APIError](err); ok && bare(api.ErrorCode()) == "EmptyBatchRequest" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep the connection to a queue: %w", err)
	}
	return nil
}

// errUnanswered reports an entry that SQS named neither among the successful nor
// among the failed ones.
var errUnanswered = errors.New("queue: no answer for this entry of a batch")

func entryIndex(id *string, errs []error) (int, bool) {
	i, err := strconv.Atoi(aws.ToString(id))
	return i, err == nil && 0 <= i && i < len(errs)
}

func entryError(doing string, entry types.BatchResultErrorEntry) error {
	err := fmt.Errorf("%s: %s: %s", doing, aws.ToString(entry.Code), aws.ToString(entry.Message))
	// A sender's fault may also be about keys or permissions, which pass.
	if entry.SenderFault && slices.Contains(contentFaults, bare(aws.ToString(entry.Code))) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// contentFaults are the errors with which SQS refuses an entry, or a whole call, for
// what its messages hold. Every other client error (no access, no such queue, a bad
// signature) is about the queue and may pass.
var contentFaults = []string{"InvalidMessageContents", "InvalidParameterValue", "BatchRequestTooLong"}

// bare is the code of an error without the prefix that SQS puts before some of them: the
// SDK reports the code of SQS's query protocol, "AWS.SimpleQueueService.EmptyBatchRequest".
func bare(code string) string { return strings.TrimPrefix(code, "AWS.SimpleQueueService.") }

// refused wraps ErrRefused around an error that blames the content of a call.
func refused(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok && slices.Contains(contentFaults, bare(api.ErrorCode())) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// Stretch makes messages that were received from this queue invisible for d from
// now on, at most 12 hours, whole seconds. It returns one error per message; a
// message that is no longer in flight is not an error, because there is nothing
// left to stretch.
func (q *Queue) Stretch(ctx context.Context, messages []Message, d time.Duration) []error {
	errs := make([]error, len(messages))
	var calls sync.WaitGroup
	slots := make(chan struct{}, parallelCalls)
	for start := 0; start < len(messages); start += maxEntries {
		end := min(start+maxEntries, len(messages))
		part, partErrs := messages[start:end], errs[start:end]
		slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-slots }()
			q.stretchCall(ctx, part, d, partErrs)
		})
	}
	calls.Wait()
	return errs
}

func (q *Queue) stretchCall(ctx context.Context, messages []Message, d time.Duration, errs []error) {
	entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(messages))
	for i := range messages {
		entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{
			Id:                aws.String(strconv.Itoa(i)),
			ReceiptHandle:     &messages[i].Receipt,
			VisibilityTimeout: int32(d / time.Second),
		}
	}
	out, err := q.client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url, Entries: entries})
	if err != nil {
		err = fmt.Errorf("stretch visibility: %w", err)
		for i := range errs {
			errs[i] = err
		}
		return
	}
	for _, entry := range out.Failed {
		if bare(aws.ToString(entry.Code)) == "MessageNotInflight" {
			continue
		}
		if i, ok := entryIndex(entry.Id, errs); ok {
			errs[i] = entryError("stretch visibility", entry)
		}
	}
}
