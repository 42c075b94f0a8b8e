package replicator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/metric"
)

const bundle = `{"coap":1,"ingestor":"euw1-a","region":"eu-west-1"}
{"at":1,"from":"203.0.113.7:49152","con":true,"mid":4660,"type":"th","id":"a1","payload":"1"}
{"at":2,"from":"203.0.113.7:49152","con":true,"mid":4661,"type":"th","id":"a1","payload":"2"}`

// A world is a replicator between two queues, all in this process.
type world struct {
	t                  *testing.T
	aws                *local.Service
	own, primary       *sqs.Client
	ownURL, primaryURL string
	cfg                Config
	r                  *Replicator
	metrics            bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, aws: local.New(local.Options{BaseURL: "http://local.test"})}
	config := w.config(&http.Client{Transport: w.aws.Transport()})
	client := func(region string) *sqs.Client {
		return sqs.NewFromConfig(config, func(o *sqs.Options) { o.Region = region })
	}
	w.own, w.primary = client("eu-west-1"), client("us-east-1")
	w.ownURL, w.primaryURL = w.queue(w.own), w.queue(w.primary)
	w.cfg = Config{QueueURL: w.ownURL, PrimaryQueueURL: w.primaryURL, PrimaryRegion: "us-east-1"}
	w.r = New(w.cfg, config)
	w.r.metrics = &w.metrics
	w.r.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	return w
}

func (w *world) config(client *http.Client) aws.Config {
	return aws.Config{
		Region:       "eu-west-1",
		BaseEndpoint: aws.String("http://local.test"),
		Credentials:  credentials.NewStaticCredentialsProvider("x", "x", ""),
		HTTPClient:   client,
	}
}

func (w *world) queue(c *sqs.Client) string {
	out, err := c.CreateQueue(context.Background(), &sqs.CreateQueueInput{
		QueueName:  aws.String("reports"),
		Attributes: map[string]string{"VisibilityTimeout": "20", "MessageRetentionPeriod": "1036800"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.QueueUrl
}

func (w *world) put(body string, attributes map[string]string) {
	w.t.Helper()
	in := &sqs.SendMessageInput{QueueUrl: &w.ownURL, MessageBody: &body, MessageAttributes: map[string]types.MessageAttributeValue{}}
	for name, value := range attributes {
		in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("Number"), StringValue: &value}
	}
	if _, err := w.own.SendMessage(context.Background(), in); err != nil {
		w.t.Fatal(err)
	}
}

// receive takes what is visible on a queue, in the form in which Lambda hands it on.
func (w *world) receive(c *sqs.Client, url string) (records []events.SQSMessage) {
	w.t.Helper()
	for {
		out, err := c.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
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
func (w *world) run() (handled, failed int) {
	w.t.Helper()
	records := w.receive(w.own, w.ownURL)
	if len(records) == 0 {
		return 0, 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := w.r.Handle(ctx, events.SQSEvent{Records: records})
	if err != nil {
		w.t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, f := range out.BatchItemFailures {
		kept[f.ItemIdentifier] = true
	}
	for _, r := range records {
		if !kept[r.MessageId] {
			if _, err := w.own.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &w.ownURL, ReceiptHandle: &r.ReceiptHandle}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	return len(records), len(kept)
}

// counts returns the metrics since it was last called, added up.
func (w *world) counts() map[string]float64 {
	sum := map[string]float64{}
	for line := range bytes.Lines(w.metrics.Bytes()) {
		of, values, ok := metric.ParseLog(line)
		if !ok || of != metric.Service("replicator") {
			w.t.Fatalf("not a line of metrics: %s", line)
		}
		for name, n := range values {
			sum[name] += n
		}
	}
	w.metrics.Reset()
	return sum
}

func (w *world) fault(f local.Fault) (end func()) {
	w.t.Helper()
	id, err := w.aws.AddFault(f)
	if err != nil {
		w.t.Fatal(err)
	}
	return func() { w.aws.RemoveFault(id) }
}

func TestForwardKeepsBytesAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.aws.Close()
		sent := strconv.FormatInt(time.Now().UnixMilli(), 10)
		w.put(bundle, nil)
		w.put("no bundle at all", map[string]string{envelope.AttributeFirstSent: "946600000000", envelope.AttributeAttempt: "3"})
		w.put(`{"coap":99}`, nil)
		time.Sleep(time.Hour)
		if handled, failed := w.run(); handled != 3 || failed != 0 {
			t.Errorf("%d handled, %d failed", handled, failed)
		}
		got := map[string]string{}
		for _, r := range w.receive(w.primary, w.primaryURL) {
			text := ""
			for _, name := range []string{envelope.AttributeFirstSent, envelope.AttributeAttempt} {
				if a, ok := r.MessageAttributes[name]; ok {
					text += a.DataType + " " + *a.StringValue + " "
				}
			}
			got[r.Body] = text
		}
		want := map[string]string{
			bundle:             "Number " + sent + " ",
			"no bundle at all": "Number 946600000000 Number 3 ",
			`{"coap":99}`:      "Number " + sent + " ",
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if counts := w.counts(); counts[metric.Forwarded] != 2 || counts[metric.LagP99] < 3600_000 {
			t.Errorf("counts %v", counts)
		}
		if left := w.receive(w.own, w.ownURL); len(left) > 0 {
			t.Errorf("%d messages left", len(left))
		}
	})
}

// One entry of a batch fails: that message alone stays.
func TestPartialFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.aws.Close()
		for i := range 10 {
			w.put(fmt.Sprintf("%s%d", bundle, i), nil)
		}
		w.fault(local.Fault{Region: "us-east-1", Service: "sqs", Operation: "SendMessageBatch", Kind: local.Partial, Share: 0.75, Times: 1}) // none fails once in a million runs
		handled, failed := w.run()
		forwarded := len(w.receive(w.primary, w.primaryURL))
		if handled != 10 || failed == 0 || forwarded != 10-failed {
			t.Errorf("%d handled, %d failed, %d forwarded", handled, failed, forwarded)
		}
		if counts := w.counts(); counts[metric.Forwarded] != float64(2*forwarded) || counts[metric.Stretched] != float64(failed) {
			t.Errorf("counts %v", counts)
		}
	})
}

// The primary queue fails in each way: before it stores, after it has stored, slowly.
// Nothing is lost, and what it stored without saying so is forwarded again.
func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault local.Fault
		seen  int // copies of each message in the primary queue after recovery
	}{
		{"dead", local.Fault{Kind: local.Dead}, 1},
		{"error", local.Fault{Kind: local.Error}, 1},
		{"no access", local.Fault{Kind: local.Error, Code: "AccessDenied", Status: 403}, 1},
		{"answer lost", local.Fault{Kind: local.Dead, After: true}, 2},
		{"hang", local.Fault{Kind: local.Hang}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.aws.Close()
				tt.fault.Region, tt.fault.Operation = "us-east-1", "SendMessageBatch"
				end := w.fault(tt.fault)
				for i := range 3 {
					w.put(fmt.Sprintf("%s%d", bundle, i), nil)
				}
				start := time.Now()
				if handled, failed := w.run(); handled != 3 || failed != 3 {
					t.Errorf("%d handled, %d failed", handled, failed)
				}
				if took := time.Since(start); took > 27*time.Second {
					t.Errorf("took %v of 30 s", took)
				}
				if counts := w.counts(); counts[metric.Forwarded] != 0 || counts[metric.Stretched] != 3 {
					t.Errorf("counts %v", counts)
				}
				end()
				time.Sleep(31 * time.Second)
				if handled, failed := w.run(); handled != 3 || failed != 0 {
					t.Errorf("after recovery: %d handled, %d failed", handled, failed)
				}
				if got := len(w.receive(w.primary, w.primaryURL)); got != 3*tt.seen {
					t.Errorf("%d messages in the primary queue", got)
				}
			})
		})
	}
}

// A message that SQS refuses stays on the queue, does not open the breaker, and
// reaches the dead-letter queue by redrive in the end.
func TestRefusedStaysAndIsRedriven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.aws.Close()
		dead, err := w.own.CreateQueue(t.Context(), &sqs.CreateQueueInput{
			QueueName: aws.String("dead"), Attributes: map[string]string{"MessageRetentionPeriod": "1209600"},
		})
		if err != nil {
			t.Fatal(err)
		}
		set := func(c *sqs.Client, url, name, value string) {
			_, err := c.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{name: value}})
			if err != nil {
				t.Fatal(err)
			}
		}
		set(w.own, w.ownURL, "RedrivePolicy", `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000000:dead","maxReceiveCount":1000}`)
		set(w.primary, w.primaryURL, "MaximumMessageSize", "1024")
		big := bundle + strings.Repeat("x", 2000)
		w.put(big, nil)
		for range openAfter + 1 {
			w.run()
			time.Sleep(15 * time.Minute)
		}
		if all, _ := w.r.breaker.allow(time.Now()); !all {
			t.Error("a refused message has opened the breaker")
		}
		for i := range 6 {
			w.put(fmt.Sprintf("%s%d", bundle, i), nil)
			w.run()
			time.Sleep(time.Minute)
		}
		if got := len(w.receive(w.primary, w.primaryURL)); got != 6 {
			t.Errorf("%d messages forwarded, want the 6 that fit", got)
		}
		if counts := w.counts(); counts[metric.Refused] == 0 || counts[metric.Forwarded] != 12 {
			t.Errorf("counts %v", counts)
		}
		for day := range 12 {
			end := time.Now().Add(24 * time.Hour)
			for time.Now().Before(end) {
				w.run()
				time.Sleep(time.Minute)
			}
			if got := w.receive(w.own, *dead.QueueUrl); len(got) == 1 {
				if got[0].Body != big || day < 9 {
					t.Errorf("on day %d: %d bytes", day, len(got[0].Body))
				}
				return
			}
		}
		t.Error("not in the dead-letter queue after 12 days")
	})
}

// Two days without the primary queue: nothing goes to a dead-letter queue, the calls
// are few, and the backlog drains within one step of visibility after recovery.
func TestOutageOfDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.aws.Close()
		end := w.fault(local.Fault{Region: "us-east-1", Service: "sqs", Kind: local.Dead})
		put := 0
		for range 48 * 60 {
			if put < 200 {
				w.put(fmt.Sprintf("%s%d", bundle, put), nil)
				put++
			}
			w.run()
			time.Sleep(time.Minute)
		}
		counts := w.counts()
		if counts[metric.Forwarded] != 0 || counts[metric.OldestWaiting] == 0 {
			t.Errorf("counts %v", counts)
		}
		// Without the breaker: 200 messages x (5 receives on the way to 15 minutes +
		// 4 an hour), about 39,000 messages sent.
		if counts[metric.Tried] > 48*60+openAfter || counts[metric.Stretched] < 30_000 {
			t.Errorf("%v messages tried in two days, %v stretched", counts[metric.Tried], counts[metric.Stretched])
		}
		end()
		recovered := time.Now()
		got := 0
		for got < put {
			w.run()
			got += len(w.receive(w.primary, w.primaryURL))
			if time.Since(recovered) > maxStep {
				t.Fatalf("%d of %d after %v", got, put, time.Since(recovered))
			}
			time.Sleep(time.Second)
		}
		if _, failed := w.run(); failed > 0 {
			t.Errorf("%d failed after recovery", failed)
		}
	})
}

// maxStep is the longest step of visibility and the time for which the breaker may
// not have noticed.
const maxStep = 15*time.Minute + probeEvery + time.Second

// Each queue's requests are signed for its own region.
func TestSignsForEachRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.aws.Close()
		scopes := &scopes{next: w.aws.Transport(), of: map[string]string{}}
		w.r = New(w.cfg, w.config(&http.Client{Transport: scopes}))
		w.r.metrics = io.Discard
		w.r.log = slog.New(slog.NewTextHandler(io.Discard, nil))
		w.fault(local.Fault{Region: "us-east-1", Operation: "SendMessageBatch", Kind: local.Error})
		w.put(bundle, nil)
		w.run()
		want := map[string]string{
			"AmazonSQS.SendMessageBatch":             "us-east-1",
			"AmazonSQS.ChangeMessageVisibilityBatch": "eu-west-1",
		}
		if !maps.Equal(scopes.of, want) {
			t.Errorf("got %v, want %v", scopes.of, want)
		}
	})
}

// A scopes transport remembers for which region each operation was signed.
type scopes struct {
	next http.RoundTripper
	of   map[string]string
}

func (s *scopes) RoundTrip(r *http.Request) (*http.Response, error) {
	parts := strings.Split(r.Header.Get("Authorization"), "/")
	s.of[r.Header.Get("X-Amz-Target")] = parts[2]
	return s.next.RoundTrip(r)
}

func TestEmptyEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.aws.Close()
		out, err := w.r.Handle(t.Context(), events.SQSEvent{})
		if err != nil || len(out.BatchItemFailures) > 0 {
			t.Errorf("got %v, %v", out, err)
		}
	})
}
