package local

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func makeQueue(t testing.TB, c clients, name string, attributes map[string]string) *string {
	t.Helper()
	out, err := c.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return out.QueueUrl
}

func send(t testing.TB, c clients, url *string, body string) {
	t.Helper()
	if _, err := c.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body}); err != nil {
		t.Fatal(err)
	}
}

// receive asks for up to ten messages with all attributes.
func receive(t testing.TB, c clients, url *string, wait int32) []types.Message {
	t.Helper()
	out, err := c.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

func bodies(messages []types.Message) string {
	var b []string
	for _, m := range messages {
		b = append(b, *m.Body)
	}
	return strings.Join(b, " ")
}

func TestSendReceiveDelete(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	server := httptest.NewServer(s)
	defer server.Close()
	for name, c := range map[string]clients{
		"sockets": newClients(server.URL, "us-east-1", http.DefaultTransport),
		"direct":  inProcess(s),
	} {
		t.Run(name, func(t *testing.T) {
			url := makeQueue(t, c, "q-"+name, nil)
			if want := "/us-east-1/000000000000/q-" + name; !strings.HasSuffix(*url, want) {
				t.Fatalf("queue URL %s, want one that ends in %s", *url, want)
			}
			_, err := c.sqs.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
				{Id: aws.String("1"), MessageBody: aws.String("one <&> \u2028 é")},
				{Id: aws.String("2"), MessageBody: aws.String("two"), MessageAttributes: map[string]types.MessageAttributeValue{
					"first": {DataType: aws.String("Number"), StringValue: aws.String("1")},
					"raw":   {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
				}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			got := receive(t, c, url, 0)
			if bodies(got) != "one <&> \u2028 é two" {
				t.Fatalf("received %q", bodies(got))
			}
			if a := got[1].MessageAttributes["raw"]; string(a.BinaryValue) != "\x00\x01\xff" {
				t.Errorf("binary attribute %q", a.BinaryValue)
			}
			if got[0].Attributes["ApproximateReceiveCount"] != "1" || got[0].Attributes["SentTimestamp"] == "" {
				t.Errorf("system attributes %v", got[0].Attributes)
			}
			if again := receive(t, c, url, 0); len(again) != 0 {
				t.Errorf("received %q again within the visibility timeout", bodies(again))
			}
			for _, m := range got {
				if _, err := c.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestVisibilityAndRedrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := start(t, Options{})
		dlq := makeQueue(t, c, "dlq", nil)
		url := makeQueue(t, c, "q", map[string]string{
			"VisibilityTimeout": "60",
			"RedrivePolicy":     `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":"2"}`,
		})
		sent := time.Now()
		send(t, c, url, "poison")
		for range 2 {
			if got := receive(t, c, url, 20); len(got) != 1 {
				t.Fatalf("received %d messages", len(got))
			}
			time.Sleep(time.Minute)
		}
		if got := receive(t, c, url, 1); len(got) != 0 {
			t.Fatalf("received %q a third time", bodies(got))
		}
		got := receive(t, c, dlq, 0)
		if len(got) != 1 {
			t.Fatal("nothing in the DLQ")
		}
		a := got[0].Attributes
		if a["DeadLetterQueueSourceArn"] != "arn:aws:sqs:us-east-1:000000000000:q" || a["ApproximateReceiveCount"] != "3" ||
			a["SentTimestamp"] != timestamp(sent) {
			t.Errorf("attributes in the DLQ: %v", a)
		}
	})
}

func timestamp(t time.Time) string { return itoa(t.UnixMilli()) }

func TestLongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := start(t, Options{})
		url := makeQueue(t, c, "q", nil)
		got := make(chan string)
		poll := func() { got <- bodies(receive(t, c, url, 20)) }

		begin := time.Now()
		go poll()
		time.Sleep(7 * time.Second)
		send(t, c, url, "late")
		if b := <-got; b != "late" || time.Since(begin) != 7*time.Second {
			t.Errorf("received %q after %v, want it at once after 7s", b, time.Since(begin))
		}

		begin = time.Now()
		go poll() // until the visibility timeout of the first, 30 s, is over: nothing
		if b := <-got; b != "" || time.Since(begin) != 20*time.Second {
			t.Errorf("received %q after %v, want nothing after 20s", b, time.Since(begin))
		}
		go poll()
		if b := <-got; b != "late" || time.Since(begin) != 30*time.Second {
			t.Errorf("received %q after %v, want it when visible again, 30s", b, time.Since(begin))
		}

		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			c.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
			got <- "left"
		}()
		synctest.Wait()
		cancel()
		<-got
		go poll()
		synctest.Wait()
		s.Close() // ends the wait
		<-got
	})
}

func TestDelayAndRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := start(t, Options{})
		url := makeQueue(t, c, "q", map[string]string{"DelaySeconds": "10", "MessageRetentionPeriod": "60"})
		send(t, c, url, "slow")
		if got := receive(t, c, url, 0); len(got) != 0 {
			t.Errorf("received %q before its delay was over", bodies(got))
		}
		time.Sleep(10 * time.Second)
		if got := receive(t, c, url, 0); len(got) != 1 {
			t.Errorf("received %d messages after the delay", len(got))
		}
		time.Sleep(51 * time.Second)
		if got := receive(t, c, url, 0); len(got) != 0 {
			t.Errorf("received %q after its retention period", bodies(got))
		}
	})
}

func TestRegions(t *testing.T) {
	s, c := start(t, Options{})
	eu := newClients("http://local.test", "eu-west-1", s.Transport())
	here, there := makeQueue(t, c, "q", nil), makeQueue(t, eu, "q", nil)
	send(t, c, here, "here")
	send(t, c, there, "there") // the URL's path says where
	if b := bodies(receive(t, eu, there, 0)); b != "there" {
		t.Errorf("eu-west-1 holds %q", b)
	}
	if b := bodies(receive(t, c, here, 0)); b != "here" {
		t.Errorf("us-east-1 holds %q", b)
	}
	plain := "http://local.test/000000000000/q" // no region in it: the one signed for
	send(t, eu, &plain, "plain")
	if b := bodies(receive(t, eu, there, 0)); b != "plain" {
		t.Errorf("eu-west-1 holds %q", b)
	}
}

func TestErrorsOfSQS(t *testing.T) {
	_, c := start(t, Options{})
	url := makeQueue(t, c, "q", nil)
	none := aws.String("http://local.test/us-east-1/000000000000/none")
	_, err := c.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: none, MessageBody: aws.String("x")})
	wantError(t, "no queue", err, "AWS.SimpleQueueService.NonExistentQueue", 400)
	if _, ok := asType[*types.QueueDoesNotExist](err); !ok {
		t.Errorf("no queue: %v is not a QueueDoesNotExist", err)
	}
	_, err = c.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("\x00")})
	wantError(t, "character", err, "InvalidMessageContents", 400)
	_, err = c.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("x")})
	wantError(t, "handle", err, "ReceiptHandleIsInvalid", 404)
	_, err = c.sqs.AddPermission(t.Context(), &sqs.AddPermissionInput{QueueUrl: url, Label: aws.String("x"), AWSAccountIds: []string{"1"}, Actions: []string{"*"}})
	wantError(t, "not implemented", err, "UnknownOperationException", 400)
}

func TestNoAuthorization(t *testing.T) {
	s, _ := start(t, Options{})
	for _, target := range []string{"AmazonSQS.ListQueues", ""} {
		r := httptest.NewRequest("POST", "/things/x/shadow", strings.NewReader("{}"))
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String()+w.Header().Get("X-Amzn-Errortype"), "MissingAuthenticationToken") {
			t.Errorf("target %q: %d %s, want 403 MissingAuthenticationTokenException", target, w.Code, w.Body)
		}
	}
}
