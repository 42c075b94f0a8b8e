package local

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func redrive(arn string, maxReceives int) string {
	return fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":"%d"}`, arn, maxReceives)
}

// withDLQ makes a queue, with a visibility timeout of one second, and its DLQ.
func (p *probe) withDLQ(maxReceives int, attributes ...string) (url, dlq *string) {
	p.Helper()
	dlq = p.queue("dlq")
	return p.queue("q", append(attributes, "VisibilityTimeout", "1", "RedrivePolicy", redrive(p.arn("dlq"), maxReceives))...), dlq
}

// bury sends a message and receives it until it is in the DLQ, from which it returns it, in flight.
func (p *probe) bury(url, dlq *string, receives int) types.Message {
	p.Helper()
	send(p, p.clients, url, "poison")
	for range receives {
		p.again(url)
		p.sleep(1200 * time.Millisecond)
	}
	equalTo(p, "received once more", bodies(receive(p, p.clients, url, 0)), "")
	return p.again(dlq)
}

var deadLetterRules = []rule{
	{"dlq-after-max-receives", func(p *probe) {
		url, dlq := p.withDLQ(2)
		m := p.bury(url, dlq, 2)
		equalTo(p, "body", *m.Body, "poison")
		equalTo(p, "source", m.Attributes["DeadLetterQueueSourceArn"], p.attributes(url, "QueueArn")["QueueArn"])
		equalTo(p, "messages left in the source", p.counts(url), "0 0 0")
	}},
	{"dlq-receive-count-goes-on", func(p *probe) {
		url, dlq := p.withDLQ(2)
		equalTo(p, "count in the DLQ", p.bury(url, dlq, 2).Attributes["ApproximateReceiveCount"], "3")
	}},
	{"dlq-keeps-enqueue-time", func(p *probe) {
		url, dlq := p.withDLQ(1)
		p.fine(nil, p.set(dlq, "MessageRetentionPeriod", "60"))
		sent := time.Now()
		m := p.bury(url, dlq, 1)
		var at int64
		fmt.Sscan(m.Attributes["SentTimestamp"], &at)
		if d := at - sent.UnixMilli(); d < 0 || d > 900 {
			p.Errorf("SentTimestamp in the DLQ is %d ms after the message was sent", d)
		}
		p.sleep(time.Until(sent.Add(61 * time.Second)))
		equalTo(p, "in the DLQ, 60 s after the message was sent to the source", p.counts(dlq), "0 0 0")
	}},
	{"dlq-must-exist", func(p *probe) {
		p.queue("q")
		url := p.queue("q")
		arn := p.arn("q")
		p.refused("InvalidAttributeValue", 400, map[string]error{
			"unknown":         p.set(url, "RedrivePolicy", redrive(arn+"x", 3)),
			"other region":    p.set(url, "RedrivePolicy", redrive(strings.Replace(arn, "us-east-1", "eu-west-1", 1), 3)),
			"not JSON":        p.set(url, "RedrivePolicy", "x"),
			"no count":        p.set(url, "RedrivePolicy", `{"deadLetterTargetArn":"`+p.arn("d")+`"}`),
			"count of 0":      p.set(url, "RedrivePolicy", redrive(p.arn("d"), 0)),
			"count of 1001":   p.set(url, "RedrivePolicy", redrive(p.arn("d"), 1001)),
			"when it is made": p.create(p.name("q2"), "RedrivePolicy", redrive(arn+"x", 3)),
		})
		p.fine(nil, p.set(url, "RedrivePolicy", redrive(p.arn("d"), 1000)))
		p.fine(nil, p.set(url, "RedrivePolicy", ""))
		equalTo(p, "removed policy", p.attributes(url, "RedrivePolicy")["RedrivePolicy"], "")
	}},
	{"dlq-allow-policy", func(p *probe) {
		url, dlq := p.queue("q"), p.queue("dlq")
		policy := redrive(p.arn("dlq"), 3)
		p.fine(nil, p.set(dlq, "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`))
		wantError(p, "denyAll", p.set(url, "RedrivePolicy", policy), "InvalidAttributeValue", 400)
		p.fine(nil, p.set(dlq, "RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":["`+p.arn("other")+`"]}`))
		wantError(p, "byQueue, another", p.set(url, "RedrivePolicy", policy), "InvalidAttributeValue", 400)
		p.fine(nil, p.set(dlq, "RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":["`+p.arn("q")+`"]}`))
		p.fine(nil, p.set(url, "RedrivePolicy", policy))
	}},
	{"dlq-allow-policy-form", func(p *probe) {
		url := p.queue("q")
		eleven := strings.TrimSuffix(strings.Repeat(`"`+p.arn("q")+`",`, 11), ",")
		p.refused("InvalidAttributeValue", 400, map[string]error{
			"unknown permission":   p.set(url, "RedriveAllowPolicy", `{"redrivePermission":"some"}`),
			"sources with denyAll": p.set(url, "RedriveAllowPolicy", `{"redrivePermission":"denyAll","sourceQueueArns":["`+p.arn("q")+`"]}`),
			"eleven sources":       p.set(url, "RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":[`+eleven+`]}`),
		})
	}},
	{"dlq-sources", func(p *probe) {
		dlq := p.queue("dlq")
		for _, name := range []string{"a", "b", "c"} {
			p.queue(name, "RedrivePolicy", redrive(p.arn("dlq"), 3))
		}
		in := &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dlq, MaxResults: aws.Int32(2)}
		first, err := p.sqs.ListDeadLetterSourceQueues(p.Context(), in)
		p.fine(first, err)
		equalTo(p, "first page", len(first.QueueUrls), 2)
		in.NextToken = first.NextToken
		second, err := p.sqs.ListDeadLetterSourceQueues(p.Context(), in)
		p.fine(second, err)
		equalTo(p, "second page", len(second.QueueUrls), 1)
		equalTo(p, "token after the last page", second.NextToken, nil)
	}},
	{"dlq-gone", func(p *probe) {
		url, dlq := p.withDLQ(1)
		p.fine(p.sqs.DeleteQueue(p.Context(), &sqs.DeleteQueueInput{QueueUrl: dlq}))
		p.one(url)
		p.sleep(1200 * time.Millisecond)
		equalTo(p, "received a second time", bodies(receive(p, p.clients, url, 0)), "m")
	}},
}

func (p *probe) startMove(source, destination string, rate *int32) (*sqs.StartMessageMoveTaskOutput, error) {
	in := &sqs.StartMessageMoveTaskInput{SourceArn: &source, MaxNumberOfMessagesPerSecond: rate}
	if destination != "" {
		in.DestinationArn = &destination
	}
	return p.sqs.StartMessageMoveTask(p.Context(), in)
}

// lastMove returns the last move task of a source.
func (p *probe) lastMove(source string) types.ListMessageMoveTasksResultEntry {
	p.Helper()
	out, err := p.sqs.ListMessageMoveTasks(p.Context(), &sqs.ListMessageMoveTasksInput{SourceArn: &source})
	if err != nil || len(out.Results) != 1 {
		p.Fatalf("list move tasks: %v, %v", out, err)
	}
	return out.Results[0]
}

var moveRules = []rule{
	{"move-to-source", func(p *probe) {
		url, dlq := p.withDLQ(1)
		old := p.bury(url, dlq, 1)
		p.fine(nil, p.change(dlq, old.ReceiptHandle, 0))
		out, err := p.startMove(p.arn("dlq"), "", nil)
		p.fine(out, err)
		m := p.again(url)
		if *m.MessageId == *old.MessageId || m.Attributes["SentTimestamp"] == old.Attributes["SentTimestamp"] {
			p.Errorf("id or time of the moved message are the old ones: %v", m.Attributes)
		}
		equalTo(p, "count", m.Attributes["ApproximateReceiveCount"], "1")
		equalTo(p, "source", m.Attributes["DeadLetterQueueSourceArn"], "")
		p.sleep(time.Second)
		task := p.lastMove(p.arn("dlq"))
		equalTo(p, "task", fmt.Sprint(*task.Status, task.ApproximateNumberOfMessagesMoved, *task.ApproximateNumberOfMessagesToMove), "COMPLETED1 1")
		equalTo(p, "handle of a task that is over", task.TaskHandle, nil)
	}},
	{"move-sent-messages-need-destination", func(p *probe) {
		url, dlq := p.withDLQ(1)
		send(p, p.clients, dlq, "sent")
		p.fine(p.startMove(p.arn("dlq"), "", nil))
		p.sleep(time.Second)
		task := p.lastMove(p.arn("dlq"))
		equalTo(p, "task", *task.Status+" "+aws.ToString(task.FailureReason), "FAILED CouldNotDetermineMessageSource")
		equalTo(p, "messages still in the DLQ", p.counts(dlq), "1 0 0")
		p.fine(p.startMove(p.arn("dlq"), p.arn("q"), nil))
		equalTo(p, "moved", bodies(receive(p, p.clients, url, 2)), "sent")
	}},
	{"move-start-refused", func(p *probe) {
		p.withDLQ(1)
		ctx := p.Context()
		p.refused("ResourceNotFoundException", 404, map[string]error{
			"no such source":      errorOf(p.startMove(p.arn("dlq")+"x", "", nil)),
			"no such destination": errorOf(p.startMove(p.arn("dlq"), p.arn("q")+"x", nil)),
			"list of no queue":    errorOf(p.sqs.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: aws.String(p.arn("q") + "x")})),
		})
		p.refused("InvalidParameterValue", 400, map[string]error{
			"a source that is no DLQ": errorOf(p.startMove(p.arn("q"), "", nil)),
			"501 messages a second":   errorOf(p.startMove(p.arn("dlq"), "", aws.Int32(501))),
			"a nonsense handle":       errorOf(p.sqs.CancelMessageMoveTask(ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: aws.String("nonsense!")})),
		})
	}},
	{"move-one-at-a-time-and-cancel", func(p *probe) {
		_, dlq := p.withDLQ(1)
		_, err := p.trySendBatch(dlq, "1", "2", "3", "4", "5", "6", "7", "8")
		p.fine(nil, err)
		task, err := p.startMove(p.arn("dlq"), p.arn("q"), aws.Int32(1))
		p.fine(task, err)
		_, err = p.startMove(p.arn("dlq"), p.arn("q"), nil)
		wantError(p, "a second task", err, "AWS.SimpleQueueService.UnsupportedOperation", 400)
		equalTo(p, "status", *p.lastMove(p.arn("dlq")).Status, "RUNNING")
		p.sleep(2500 * time.Millisecond)
		out, err := p.sqs.CancelMessageMoveTask(p.Context(), &sqs.CancelMessageMoveTaskInput{TaskHandle: task.TaskHandle})
		p.fine(out, err)
		if n := out.ApproximateNumberOfMessagesMoved; n < 2 || n > 4 {
			p.Errorf("moved %d messages in 2.5 s at one a second", n)
		}
		p.sleep(2 * time.Second)
		equalTo(p, "status", *p.lastMove(p.arn("dlq")).Status, "CANCELLED")
		equalTo(p, "left in the DLQ", p.counts(dlq), fmt.Sprint(8-out.ApproximateNumberOfMessagesMoved, " 0 0"))
	}},
}
