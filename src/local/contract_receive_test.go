package local

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (p *probe) tryReceive(url *string, change func(*sqs.ReceiveMessageInput)) ([]types.Message, error) {
	in := &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}}
	change(in)
	out, err := p.sqs.ReceiveMessage(p.Context(), in)
	if err != nil {
		return nil, err
	}
	return out.Messages, nil
}

// one sends a message and receives it.
func (p *probe) one(url *string) types.Message {
	p.Helper()
	send(p, p.clients, url, "m")
	return p.again(url)
}

// again receives the one message that is there.
func (p *probe) again(url *string) types.Message {
	p.Helper()
	got := receive(p, p.clients, url, 1)
	if len(got) != 1 {
		p.Fatalf("received %d messages, want 1", len(got))
	}
	return got[0]
}

func (p *probe) delete(url, handle *string) error {
	return errorOf(p.sqs.DeleteMessage(p.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: handle}))
}

func (p *probe) change(url, handle *string, seconds int32) error {
	return errorOf(p.sqs.ChangeMessageVisibility(p.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: handle, VisibilityTimeout: seconds}))
}

// counts are the numbers of messages: visible, in flight, delayed.
func (p *probe) counts(url *string) string {
	p.Helper()
	a := p.attributes(url, "All")
	return a["ApproximateNumberOfMessages"] + " " + a["ApproximateNumberOfMessagesNotVisible"] + " " + a["ApproximateNumberOfMessagesDelayed"]
}

var receiveRules = []rule{
	{"receive-visibility-timeout", func(p *probe) {
		url := p.queue("q", "VisibilityTimeout", "1")
		p.one(url)
		equalTo(p, "in flight", bodies(receive(p, p.clients, url, 0)), "")
		p.sleep(1200 * time.Millisecond)
		equalTo(p, "after the timeout", bodies(receive(p, p.clients, url, 0)), "m")
	}},
	{"receive-own-visibility-timeout", func(p *probe) {
		url := p.queue("q")
		send(p, p.clients, url, "m")
		got, err := p.tryReceive(url, func(in *sqs.ReceiveMessageInput) { in.VisibilityTimeout = 1 })
		p.fine(got, err)
		p.sleep(1200 * time.Millisecond)
		equalTo(p, "after the call's timeout", bodies(receive(p, p.clients, url, 0)), "m")
	}},
	{"receive-ranges", func(p *probe) {
		url := p.queue("q")
		for what, change := range map[string]func(*sqs.ReceiveMessageInput){
			"11 messages":            func(in *sqs.ReceiveMessageInput) { in.MaxNumberOfMessages = 11 },
			"21 s of waiting":        func(in *sqs.ReceiveMessageInput) { in.WaitTimeSeconds = 21 },
			"43201 s of being alone": func(in *sqs.ReceiveMessageInput) { in.VisibilityTimeout = 43201 },
		} {
			_, err := p.tryReceive(url, change)
			wantError(p, what, err, "InvalidParameterValue", 400)
		}
		_, err := p.tryReceive(url, func(in *sqs.ReceiveMessageInput) {
			in.MessageSystemAttributeNames = []types.MessageSystemAttributeName{"Nonsense"}
		})
		wantError(p, "unknown attribute", err, "InvalidAttributeName", 400)
	}},
	{"receive-at-most", func(p *probe) {
		url := p.queue("q")
		_, err := p.trySendBatch(url, "a", "b", "c")
		p.fine(nil, err)
		got, err := p.tryReceive(url, func(in *sqs.ReceiveMessageInput) { in.MaxNumberOfMessages = 0 }) // not given
		p.fine(got, err)
		equalTo(p, "messages by default", len(got), 1)
		got, err = p.tryReceive(url, func(in *sqs.ReceiveMessageInput) { in.MaxNumberOfMessages = 1 })
		p.fine(got, err)
		equalTo(p, "messages", len(got), 1)
	}},
	{"receive-system-attributes", func(p *probe) {
		url := p.queue("q", "VisibilityTimeout", "1")
		before := time.Now().UnixMilli()
		first := p.one(url).Attributes
		p.sleep(1200 * time.Millisecond)
		second := p.again(url).Attributes
		equalTo(p, "counts", first["ApproximateReceiveCount"]+" "+second["ApproximateReceiveCount"], "1 2")
		equalTo(p, "first receive, the second time", second["ApproximateFirstReceiveTimestamp"], first["ApproximateFirstReceiveTimestamp"])
		equalTo(p, "sent, the second time", second["SentTimestamp"], first["SentTimestamp"])
		var sent int64
		if _, err := fmt.Sscan(first["SentTimestamp"], &sent); err != nil || sent < before || sent > time.Now().UnixMilli() {
			p.Errorf("SentTimestamp %s is not now, %d", first["SentTimestamp"], before)
		}
		if first["SenderId"] == "" {
			p.Errorf("no SenderId in %v", first)
		}
		got, err := p.tryReceive(url, func(in *sqs.ReceiveMessageInput) { in.MessageSystemAttributeNames = nil; in.WaitTimeSeconds = 2 })
		p.fine(got, err)
		equalTo(p, "attributes that nobody asked for", len(got[0].Attributes), 0)
	}},
	{"receive-long-poll", func(p *probe) {
		url := p.queue("q")
		got := make(chan []types.Message)
		begin := time.Now()
		go func() {
			m, _ := p.tryReceive(url, func(in *sqs.ReceiveMessageInput) { in.WaitTimeSeconds = 3 })
			got <- m
		}()
		p.sleep(time.Second)
		send(p, p.clients, url, "m")
		equalTo(p, "received", bodies(<-got), "m")
		if d := time.Since(begin); d > 2500*time.Millisecond {
			p.Errorf("received after %v, want at once after 1 s", d)
		}
		begin = time.Now()
		equalTo(p, "received", bodies(receive(p, p.clients, url, 2)), "")
		if d := time.Since(begin); d < 1900*time.Millisecond {
			p.Errorf("nothing after %v, want 2 s", d)
		}
	}},
	{"receive-queue-wait-time", func(p *probe) {
		url := p.queue("q", "ReceiveMessageWaitTimeSeconds", "1")
		begin := time.Now()
		_, err := p.tryReceive(url, func(in *sqs.ReceiveMessageInput) {})
		p.fine(nil, err)
		if d := time.Since(begin); d < 900*time.Millisecond {
			p.Errorf("nothing after %v, want the queue's 1 s", d)
		}
	}},
	{"receive-counts", func(p *probe) {
		url := p.queue("q")
		_, err := p.trySendBatch(url, "a", "b", "c")
		p.fine(nil, err)
		p.fine(nil, p.trySend(url, "d", func(in *sqs.SendMessageInput) { in.DelaySeconds = 900 }))
		got, err := p.tryReceive(url, func(in *sqs.ReceiveMessageInput) { in.MaxNumberOfMessages = 1 })
		p.fine(got, err)
		equalTo(p, "visible, in flight, delayed", p.counts(url), "2 1 1")
	}},
	{"receive-retention", func(p *probe) {
		url := p.queue("q", "MessageRetentionPeriod", "60")
		send(p, p.clients, url, "m")
		p.sleep(59 * time.Second)
		equalTo(p, "messages after 59 s", p.counts(url), "1 0 0")
		p.sleep(2 * time.Second)
		equalTo(p, "messages after 61 s", p.counts(url), "0 0 0")
	}},
	{"receive-retention-changed", func(p *probe) {
		url := p.queue("q")
		send(p, p.clients, url, "m")
		p.sleep(2 * time.Minute)
		p.fine(nil, p.set(url, "MessageRetentionPeriod", "60"))
		equalTo(p, "messages", p.counts(url), "0 0 0")
	}},
	{"delete-last-handle", func(p *probe) {
		url := p.queue("q", "VisibilityTimeout", "1")
		old := p.one(url)
		p.sleep(1200 * time.Millisecond)
		m := p.again(url)
		if *m.ReceiptHandle == *old.ReceiptHandle {
			p.Error("two receives gave the same handle")
		}
		p.fine(nil, p.delete(url, old.ReceiptHandle)) // succeeds, and deletes nothing
		equalTo(p, "after the old handle", p.counts(url), "0 1 0")
		p.fine(nil, p.delete(url, m.ReceiptHandle))
		equalTo(p, "after the last handle", p.counts(url), "0 0 0")
		p.fine(nil, p.delete(url, m.ReceiptHandle))
	}},
	{"delete-after-timeout", func(p *probe) {
		url := p.queue("q", "VisibilityTimeout", "1")
		m := p.one(url)
		p.sleep(1200 * time.Millisecond)
		p.fine(nil, p.delete(url, m.ReceiptHandle))
		equalTo(p, "messages", p.counts(url), "0 0 0")
	}},
	{"delete-invalid-handle", func(p *probe) {
		url, other := p.queue("q"), p.queue("other")
		m := p.one(other)
		wantError(p, "nonsense", p.delete(url, aws.String("nonsense")), "ReceiptHandleIsInvalid", 404)
		wantError(p, "of another queue", p.delete(url, m.ReceiptHandle), "ReceiptHandleIsInvalid", 404)
	}},
	{"delete-batch", func(p *probe) {
		url := p.queue("q")
		m := p.one(url)
		out, err := p.sqs.DeleteMessageBatch(p.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("a"), ReceiptHandle: m.ReceiptHandle}, {Id: aws.String("b"), ReceiptHandle: aws.String("nonsense")}}})
		p.fine(out, err)
		if len(out.Successful) != 1 || *out.Successful[0].Id != "a" || len(out.Failed) != 1 || *out.Failed[0].Id != "b" ||
			*out.Failed[0].Code != "ReceiptHandleIsInvalid" || !out.Failed[0].SenderFault {
			p.Errorf("answer %+v %+v", out.Successful, out.Failed)
		}
		equalTo(p, "messages", p.counts(url), "0 0 0")
	}},
	{"change-counts-from-now", func(p *probe) {
		url := p.queue("q", "VisibilityTimeout", "2")
		m := p.one(url)
		p.sleep(1500 * time.Millisecond)
		p.fine(nil, p.change(url, m.ReceiptHandle, 2))
		p.sleep(1500 * time.Millisecond) // 3 s after the receive, 1.5 s after the change
		equalTo(p, "before the new timeout", p.counts(url), "0 1 0")
		p.sleep(time.Second)
		equalTo(p, "after the new timeout", p.counts(url), "1 0 0")
	}},
	{"change-zero-shows", func(p *probe) {
		url := p.queue("q")
		m := p.one(url)
		p.fine(nil, p.change(url, m.ReceiptHandle, 0))
		equalTo(p, "messages", p.counts(url), "1 0 0")
	}},
	{"change-not-in-flight", func(p *probe) {
		url := p.queue("q", "VisibilityTimeout", "1")
		m := p.one(url)
		p.sleep(1200 * time.Millisecond)
		wantError(p, "visible again", p.change(url, m.ReceiptHandle, 10), "AWS.SimpleQueueService.MessageNotInflight", 400)
		p.fine(nil, p.delete(url, m.ReceiptHandle))
		wantError(p, "deleted", p.change(url, m.ReceiptHandle, 10), "InvalidParameterValue", 400)
		wantError(p, "nonsense", p.change(url, aws.String("nonsense"), 10), "ReceiptHandleIsInvalid", 404)
	}},
	{"change-twelve-hours", func(p *probe) {
		url := p.queue("q", "VisibilityTimeout", "30")
		m := p.one(url)
		wantError(p, "43201 s", p.change(url, m.ReceiptHandle, 43201), "InvalidParameterValue", 400)
		p.sleep(10 * time.Second)
		wantError(p, "12 h 10 s after the receive", p.change(url, m.ReceiptHandle, 43200), "InvalidParameterValue", 400)
		p.fine(nil, p.change(url, m.ReceiptHandle, 43190))
	}},
	{"change-this-receive-only", func(p *probe) {
		url := p.queue("q", "VisibilityTimeout", "1")
		m := p.one(url)
		p.fine(nil, p.change(url, m.ReceiptHandle, 2))
		p.sleep(2200 * time.Millisecond)
		p.again(url)
		p.sleep(1200 * time.Millisecond) // the queue's timeout again, not 2 s
		equalTo(p, "messages", p.counts(url), "1 0 0")
	}},
	{"change-batch", func(p *probe) {
		url := p.queue("q")
		m := p.one(url)
		out, err := p.sqs.ChangeMessageVisibilityBatch(p.Context(), &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
			{Id: aws.String("a"), ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0},
			{Id: aws.String("b"), ReceiptHandle: aws.String("nonsense"), VisibilityTimeout: 0}}})
		p.fine(out, err)
		if len(out.Successful) != 1 || len(out.Failed) != 1 || !strings.Contains(*out.Failed[0].Code, "ReceiptHandleIsInvalid") {
			p.Errorf("answer %+v %+v", out.Successful, out.Failed)
		}
		equalTo(p, "messages", p.counts(url), "1 0 0")
	}},
}
