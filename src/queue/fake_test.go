package queue

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// fakeSQS is a queue in memory that fails on demand: before storing, after
// storing, slowly and partly.
type fakeSQS struct {
	delay       time.Duration // of each call, cut short by the caller's context
	before      error         // returned in place of storing
	after       error         // returned although everything is stored
	refuse      string        // an entry that contains it fails for what it holds
	refuseWhole bool          // and with it the whole call
	code        string        // of what refuse does; empty: InvalidMessageContents
	ownFault    bool          // SQS says that what refuse does is its own fault
	fail        string        // an entry that contains it fails as SQS's fault
	forget      string        // an entry that contains it is in neither list

	mu        sync.Mutex // guards the following
	calls     []call
	stored    []types.SendMessageBatchRequestEntry
	stretched []types.ChangeMessageVisibilityBatchRequestEntry
	flying    int
	ended     time.Time // when the last call did
	mostOpen  int
}

type call struct {
	at      time.Time
	entries int
	bytes   int
}

func (f *fakeSQS) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	f.mu.Lock()
	c := call{at: time.Now(), entries: len(in.Entries)}
	for _, e := range in.Entries {
		c.bytes += len(*e.MessageBody)
	}
	f.calls = append(f.calls, c)
	f.flying++
	f.mostOpen = max(f.mostOpen, f.flying)
	delay, before := f.delay, f.before
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.flying--
		f.ended = time.Now()
		f.mu.Unlock()
	}()

	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if before != nil {
		return nil, before
	}
	if len(in.Entries) == 0 {
		return nil, &smithy.GenericAPIError{Code: "AWS.SimpleQueueService.EmptyBatchRequest"}
	}
	out := new(sqs.SendMessageBatchOutput)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range in.Entries {
		if f.refuseWhole && strings.Contains(*e.MessageBody, f.refuse) {
			return nil, &smithy.GenericAPIError{Code: cmp.Or(f.code, "InvalidMessageContents"), Message: "whole call"}
		}
	}
	for _, e := range in.Entries {
		has := func(mark string) bool { return mark != "" && strings.Contains(*e.MessageBody, mark) }
		switch {
		case has(f.refuse):
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String(cmp.Or(f.code, "InvalidMessageContents")), SenderFault: !f.ownFault})
		case has(f.fail):
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError")})
		case has(f.forget):
		default:
			f.stored = append(f.stored, e)
			out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
		}
	}
	if f.after != nil {
		return nil, f.after
	}
	return out, nil
}

func (f *fakeSQS) ChangeMessageVisibilityBatch(_ context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	if f.before != nil {
		return nil, f.before
	}
	out := new(sqs.ChangeMessageVisibilityBatchOutput)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range in.Entries {
		switch *e.ReceiptHandle {
		case "gone":
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("MessageNotInflight"), SenderFault: true})
		case "gone, by its long name":
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("AWS.SimpleQueueService.MessageNotInflight"), SenderFault: true})
		case "bad":
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("ReceiptHandleIsInvalid"), SenderFault: true})
		default:
			f.stretched = append(f.stretched, e)
		}
	}
	return out, nil
}

var errDown = errors.New("connection refused")
