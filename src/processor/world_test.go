package processor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/metric"
)

// A world is a processor, its queues and AWS IoT, all in this process.
type world struct {
	t       testing.TB
	aws     *local.Service
	config  aws.Config
	sqs     *sqs.Client
	iot     *iot.Client
	data    *iotdataplane.Client
	cfg     Config
	p       *Processor
	metrics output
}

// An output keeps what several containers write.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, aws: local.New(local.Options{BaseURL: "http://local.test"})}
	t.Cleanup(func() { w.aws.Close() })
	w.config = aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://local.test"),
		Credentials:  credentials.NewStaticCredentialsProvider("x", "x", ""),
		HTTPClient:   &http.Client{Transport: w.aws.Transport()},
	}
	w.sqs, w.iot, w.data = sqs.NewFromConfig(w.config), iot.NewFromConfig(w.config), iotdataplane.NewFromConfig(w.config)
	w.cfg.QueueURL, w.cfg.DLQURL = w.queue("primary"), w.queue("dead")
	w.restart()
	return w
}

func (w *world) queue(name string) string {
	out, err := w.sqs.CreateQueue(context.Background(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.QueueUrl
}

// restart is a cold start of the container.
func (w *world) restart() {
	w.p = New(w.cfg, w.config)
	w.p.metrics = &w.metrics
	w.p.log = slog.New(slog.NewTextHandler(io.Discard, nil))
}

// send puts a bundle on the queue as an ingestor does.
func (w *world) send(reports ...envelope.Report) {
	w.t.Helper()
	w.put(w.cfg.QueueURL, string(bundleOf("use1-a", reports...)))
}

func (w *world) put(url, body string) {
	w.t.Helper()
	if _, err := w.sqs.SendMessage(context.Background(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
		w.t.Fatal(err)
	}
}

// putWith puts a body on the primary queue, with a Number attribute.
func (w *world) putWith(body, name, value string) {
	w.t.Helper()
	_, err := w.sqs.SendMessage(context.Background(), &sqs.SendMessageInput{
		QueueUrl: &w.cfg.QueueURL, MessageBody: &body,
		MessageAttributes: map[string]sqstypes.MessageAttributeValue{name: {DataType: aws.String("Number"), StringValue: &value}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// attribute returns a message attribute, empty if it is not there.
func attribute(r events.SQSMessage, name string) string {
	return aws.ToString(r.MessageAttributes[name].StringValue)
}

func bundleOf(ingestor string, reports ...envelope.Report) []byte {
	body := envelope.AppendHeader(nil, envelope.Origin{Ingestor: ingestor, Region: "us-east-1"})
	for i := range reports {
		body = envelope.AppendReport(body, &reports[i])
	}
	return body
}

// receive takes what is visible on a queue, in the form in which Lambda hands it on.
func (w *world) receive(url string) []events.SQSMessage {
	w.t.Helper()
	var records []events.SQSMessage
	for {
		out, err := w.sqs.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, VisibilityTimeout: 60,
			MessageAttributeNames:       []string{"All"},
			MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"All"},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return records
		}
		for _, m := range out.Messages {
			r := events.SQSMessage{
				MessageId: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body, Attributes: m.Attributes,
				MessageAttributes: map[string]events.SQSMessageAttribute{},
			}
			for name, a := range m.MessageAttributes {
				r.MessageAttributes[name] = events.SQSMessageAttribute{StringValue: a.StringValue, DataType: *a.DataType}
			}
			records = append(records, r)
		}
	}
}

// run is one invocation with all that is visible; what it does not fail is deleted.
func (w *world) run() (failed []events.SQSBatchItemFailure) {
	w.t.Helper()
	return w.handle(w.receive(w.cfg.QueueURL))
}

func (w *world) handle(records []events.SQSMessage) (failed []events.SQSBatchItemFailure) {
	w.t.Helper()
	return w.handleBy(w.p, records)
}

// handleBy is an invocation of the given container.
func (w *world) handleBy(p *Processor, records []events.SQSMessage) (failed []events.SQSBatchItemFailure) {
	failed = w.invoke(p, records)
	w.delete(records, failed)
	return failed
}

func (w *world) invoke(p *Processor, records []events.SQSMessage) (failed []events.SQSBatchItemFailure) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := p.Handle(ctx, events.SQSEvent{Records: records})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.BatchItemFailures
}

// delete is what Lambda does with the messages of an event that have not failed.
func (w *world) delete(records []events.SQSMessage, failed []events.SQSBatchItemFailure) {
	kept := map[string]bool{}
	for _, f := range failed {
		kept[f.ItemIdentifier] = true
	}
	for _, r := range records {
		if !kept[r.MessageId] {
			if _, err := w.sqs.DeleteMessage(context.Background(), &sqs.DeleteMessageInput{QueueUrl: &w.cfg.QueueURL, ReceiptHandle: &r.ReceiptHandle}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// counts returns the metrics since it was last called, added up.
func (w *world) counts() map[string]float64 {
	sum := map[string]float64{}
	for line := range bytes.Lines(w.metrics.text.Bytes()) {
		_, values, ok := metric.ParseLog(line)
		if !ok {
			w.t.Fatalf("not a line of metrics: %s", line)
		}
		for name, n := range values {
			sum[name] += n
		}
	}
	w.metrics.text.Reset()
	return sum
}

// reported returns a thing's reported section without bookkeeping, as JSON; empty if
// there is no shadow.
func (w *world) reported(thing string) string {
	w.t.Helper()
	out, err := w.data.GetThingShadow(context.Background(), &iotdataplane.GetThingShadowInput{ThingName: &thing})
	if err != nil {
		return ""
	}
	return reportedOf(w.t, out.Payload)
}

func reportedOf(t testing.TB, document []byte) string {
	t.Helper()
	var doc struct {
		State struct {
			Reported map[string]json.RawMessage `json:"reported"`
		} `json:"state"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatal(err)
	}
	delete(doc.State.Reported, bookkeepingField)
	return string(appendJSON(nil, doc.State.Reported))
}

// says returns a report of JSON by thing "a1" of type "th".
func says(at int64, payload string) envelope.Report {
	return envelope.Report{
		Received: at, From: netip.MustParseAddrPort("203.0.113.7:49152"), Confirmable: true,
		Type: "th", ID: "a1", Format: formatJSON, Payload: []byte(payload),
	}
}

// at0 is a time in the past, so that the queue's clock never is the smaller one.
const at0 = int64(1763840000000)

func (w *world) expect(thing, want string) {
	w.t.Helper()
	if got := w.reported(thing); got != want {
		w.t.Errorf("shadow of %s: got %s, want %s", thing, got, want)
	}
}

func (w *world) expectCounts(want string) {
	w.t.Helper()
	counts := w.counts()
	got := ""
	for _, name := range []string{metric.Applied, metric.Superseded, metric.Duplicate, metric.Poison, metric.Resent, metric.Stretched} {
		if n := counts[name]; n > 0 {
			got += fmt.Sprintf("%s %s ", name, strconv.FormatFloat(n, 'f', -1, 64))
		}
	}
	if got != want+" " && got != want {
		w.t.Errorf("counts: got %q, want %q", got, want)
	}
}

// expectDead takes what is in the dead-letter queue: nothing, or one message with a
// reason that begins like that.
func (w *world) expectDead(want string) {
	w.t.Helper()
	dead := w.receive(w.cfg.DLQURL)
	if want == "" {
		if len(dead) > 0 {
			w.t.Errorf("dead letter: %v", attribute(dead[0], envelope.AttributeReason))
		}
		return
	}
	if len(dead) != 1 {
		w.t.Errorf("%d dead letters, want one: %s", len(dead), want)
		return
	}
	if got := attribute(dead[0], envelope.AttributeReason); !strings.HasPrefix(got, want) {
		w.t.Errorf("dead letter: %s, want %s", got, want)
	}
}

// inBubble runs a test with a world on virtual time.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		test(t, w)
		w.aws.Close()
	})
}

func (w *world) fault(f local.Fault) (end func()) {
	w.t.Helper()
	id, err := w.aws.AddFault(f)
	if err != nil {
		w.t.Fatal(err)
	}
	return func() { w.aws.RemoveFault(id) }
}

func by(thing string, r envelope.Report) envelope.Report {
	r.ID = thing
	return r
}

// bubbleTime is a receive time before the beginning of a bubble's time, 2000-01-01.
const bubbleTime = int64(946_600_000_000)
