package local

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (p *probe) trySend(url *string, body string, change ...func(*sqs.SendMessageInput)) error {
	in := &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body}
	for _, f := range change {
		f(in)
	}
	return errorOf(p.sqs.SendMessage(p.Context(), in))
}

// trySendBatch sends bodies under the ids 0, 1, 2 and so on.
func (p *probe) trySendBatch(url *string, bodies ...string) (*sqs.SendMessageBatchOutput, error) {
	in := &sqs.SendMessageBatchInput{QueueUrl: url}
	for i, body := range bodies {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: &body})
	}
	return p.sqs.SendMessageBatch(p.Context(), in)
}

func withAttribute(name, kind, value string) func(*sqs.SendMessageInput) {
	return func(in *sqs.SendMessageInput) {
		if in.MessageAttributes == nil {
			in.MessageAttributes = make(map[string]types.MessageAttributeValue)
		}
		v := types.MessageAttributeValue{DataType: &kind}
		if strings.HasPrefix(kind, "Binary") {
			v.BinaryValue = []byte(value)
		} else {
			v.StringValue = &value
		}
		in.MessageAttributes[name] = v
	}
}

var sendRules = []rule{
	{"send-characters", func(p *probe) {
		url := p.queue("q")
		good := "\t\n\r \u007f\u00e9\ud7ff\ue000\ufffd\U00010000\U0010ffff"
		p.fine(nil, p.trySend(url, good))
		got := receive(p, p.clients, url, 1)
		equalTo(p, "body", bodies(got), good)
		for _, bad := range []string{"\ufffe", "\uffff", "a\x00", "\x0b", "\x1f", "\x08"} {
			wantError(p, fmt.Sprintf("%q", bad), p.trySend(url, bad), "InvalidMessageContents", 400)
		}
	}},
	{"send-empty-body", func(p *probe) {
		wantError(p, "no character", p.trySend(p.queue("q"), ""), "MissingParameter", 400)
	}},
	{"send-size", func(p *probe) {
		url := p.queue("q", "MaximumMessageSize", "1024")
		p.fine(nil, p.trySend(url, strings.Repeat("x", 1024)))
		p.refused("InvalidParameterValue", 400, map[string]error{
			"body":                p.trySend(url, strings.Repeat("x", 1025)),
			"bytes of characters": p.trySend(url, strings.Repeat("é", 513)),
			"attributes count":    p.trySend(url, strings.Repeat("x", 1010), withAttribute("name", "String", "12345")), // 4 + 6 + 5
		})
	}},
	{"send-delay", func(p *probe) {
		url := p.queue("q", "DelaySeconds", "1")
		delay := func(n int32) func(*sqs.SendMessageInput) {
			return func(in *sqs.SendMessageInput) { in.DelaySeconds = n }
		}
		p.fine(nil, p.trySend(url, "the queue's"))
		p.fine(nil, p.trySend(url, "its own", delay(2)))
		equalTo(p, "at once", bodies(receive(p, p.clients, url, 0)), "")
		equalTo(p, "delayed", p.attributes(url, "ApproximateNumberOfMessagesDelayed")["ApproximateNumberOfMessagesDelayed"], "2")
		p.sleep(1200 * time.Millisecond)
		equalTo(p, "after 1.2 s", bodies(receive(p, p.clients, url, 0)), "the queue's")
		p.sleep(time.Second)
		equalTo(p, "after 2.2 s", bodies(receive(p, p.clients, url, 0)), "its own")
		wantError(p, "901 s", p.trySend(url, "x", delay(901)), "InvalidParameterValue", 400)
		wantError(p, "-1 s", p.trySend(url, "x", delay(-1)), "InvalidParameterValue", 400)
	}},
	{"send-deduplication-id", func(p *probe) {
		err := p.trySend(p.queue("q"), "x", func(in *sqs.SendMessageInput) { in.MessageDeduplicationId = aws.String("d") })
		wantError(p, "on a standard queue", err, "InvalidParameterValue", 400)
	}},
	{"send-group-id", func(p *probe) {
		url := p.queue("q")
		group := func(id string) func(*sqs.SendMessageInput) {
			return func(in *sqs.SendMessageInput) { in.MessageGroupId = &id }
		}
		p.fine(nil, p.trySend(url, "x", group("tenant-1")))
		equalTo(p, "MessageGroupId", receive(p, p.clients, url, 1)[0].Attributes["MessageGroupId"], "tenant-1")
		wantError(p, "129 characters", p.trySend(url, "x", group(strings.Repeat("g", 129))), "InvalidParameterValue", 400)
	}},
	{"send-attributes", func(p *probe) { // the SDK compares the digests
		url := p.queue("q")
		p.fine(nil, p.trySend(url, "x", withAttribute("n", "Number.int", "-1.5e3"), withAttribute("bin", "Binary", "\x00\xff"),
			withAttribute("a.b-c_D", "String", "wörter"), withAttribute("a.z", "String.x", "2")))
		got := receive(p, p.clients, url, 1)[0]
		if len(got.MessageAttributes) != 4 || string(got.MessageAttributes["bin"].BinaryValue) != "\x00\xff" ||
			*got.MessageAttributes["n"].DataType != "Number.int" || *got.MessageAttributes["a.b-c_D"].StringValue != "wörter" {
			p.Errorf("attributes %v", got.MessageAttributes)
		}
	}},
	{"send-attribute-selection", func(p *probe) {
		url := p.queue("q")
		p.fine(nil, p.trySend(url, "x", withAttribute("a.b", "String", "1"), withAttribute("a.c", "String", "2"), withAttribute("d", "String", "3")))
		for _, ask := range []struct {
			names []string
			want  int
		}{{nil, 0}, {[]string{"d", "none"}, 1}, {[]string{"a.*"}, 2}, {[]string{".*"}, 3}} {
			out, err := p.sqs.ReceiveMessage(p.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MessageAttributeNames: ask.names, WaitTimeSeconds: 1})
			p.fine(out, err)
			equalTo(p, fmt.Sprint("attributes for ", ask.names), len(out.Messages[0].MessageAttributes), ask.want)
			p.fine(p.sqs.ChangeMessageVisibility(p.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: out.Messages[0].ReceiptHandle}))
		}
	}},
	{"send-attribute-count", func(p *probe) {
		var ten []func(*sqs.SendMessageInput)
		for i := range 10 {
			ten = append(ten, withAttribute(fmt.Sprint("a", i), "String", "v"))
		}
		url := p.queue("q")
		p.fine(nil, p.trySend(url, "x", ten...))
		wantError(p, "eleven", p.trySend(url, "x", append(ten, withAttribute("a10", "String", "v"))...), "InvalidParameterValue", 400)
	}},
	{"send-attribute-names", func(p *probe) {
		url := p.queue("q")
		for _, bad := range []string{".a", "a.", "a..b", "AWS.x", "aWs.x", "Amazon.x", "a b", "ä", strings.Repeat("n", 257)} {
			wantError(p, bad, p.trySend(url, "x", withAttribute(bad, "String", "v")), "InvalidParameterValue", 400)
		}
		p.fine(nil, p.trySend(url, "x", withAttribute(strings.Repeat("n", 256), "String", "v")))
	}},
	{"send-attribute-values", func(p *probe) {
		url := p.queue("q")
		p.refused("InvalidParameterValue", 400, map[string]error{
			"no type":      p.trySend(url, "x", withAttribute("a", "", "v")),
			"unknown type": p.trySend(url, "x", withAttribute("a", "Text", "v")),
			"empty":        p.trySend(url, "x", withAttribute("a", "String", "")),
			"not a number": p.trySend(url, "x", withAttribute("a", "Number", "1x")),
		})
		wantError(p, "character", p.trySend(url, "x", withAttribute("a", "String", "\ufffe")), "InvalidMessageContents", 400)
	}},
	{"send-trace-header", func(p *probe) {
		url := p.queue("q", "MaximumMessageSize", "1024")
		trace := "Root=1-5759e988-bd862e3fe1be46a994272793"
		header := func(name string) func(*sqs.SendMessageInput) {
			return func(in *sqs.SendMessageInput) {
				in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{name: {DataType: aws.String("String"), StringValue: &trace}}
			}
		}
		p.fine(nil, p.trySend(url, strings.Repeat("x", 1024), header("AWSTraceHeader"))) // it does not count
		equalTo(p, "AWSTraceHeader", receive(p, p.clients, url, 1)[0].Attributes["AWSTraceHeader"], trace)
		wantError(p, "another", p.trySend(url, "x", header("Other")), "InvalidParameterValue", 400)
	}},
	{"send-batch-whole-failures", func(p *probe) {
		url := p.queue("q")
		_, err := p.trySendBatch(url, strings.Split(strings.Repeat("x", 11), "")...)
		wantError(p, "eleven entries", err, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400)
		_, err = p.trySendBatch(url, strings.Repeat("x", 600<<10), strings.Repeat("x", 600<<10))
		wantError(p, "1.2 MiB", err, "AWS.SimpleQueueService.BatchRequestTooLong", 400)
		_, err = p.sqs.SendMessageBatch(p.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{}})
		wantError(p, "none", err, "AWS.SimpleQueueService.EmptyBatchRequest", 400)
		two := func(a, b string) error {
			return errorOf(p.sqs.SendMessageBatch(p.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
				{Id: &a, MessageBody: aws.String("x")}, {Id: &b, MessageBody: aws.String("x")}}}))
		}
		wantError(p, "the same id", two("a", "a"), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400)
		wantError(p, "a bad id", two("a", "b c"), "AWS.SimpleQueueService.InvalidBatchEntryId", 400)
		wantError(p, "a long id", two("a", strings.Repeat("i", 81)), "AWS.SimpleQueueService.InvalidBatchEntryId", 400)
		equalTo(p, "messages in the queue", bodies(receive(p, p.clients, url, 0)), "")
	}},
	{"send-batch-each-on-its-own", func(p *probe) {
		url := p.queue("q", "MaximumMessageSize", "1024")
		out, err := p.trySendBatch(url, "good", "\ufffe", strings.Repeat("x", 1025), "fine")
		p.fine(out, err)
		var ids []string
		for _, e := range out.Successful {
			ids = append(ids, *e.Id)
		}
		equalTo(p, "successful", strings.Join(ids, " "), "0 3")
		codes := map[string]string{}
		for _, e := range out.Failed {
			codes[*e.Id] = fmt.Sprint(*e.Code, e.SenderFault)
		}
		equalTo(p, "entry 1", codes["1"], "InvalidMessageContentstrue")
		equalTo(p, "entry 2", codes["2"], "InvalidParameterValuetrue")
	}},
}
