package local

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func TestInFlightLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := start(t, Options{})
		url := makeQueue(t, c, "q", nil)
		q := s.region("us-east-1").queues.get("q")
		for range maxInFlight - 1 {
			q.add(&message{id: "x", body: "m", sent: time.Now()}, time.Now(), time.Now())
		}
		if got, _ := q.receive(time.Now(), maxInFlight, time.Hour, false); len(got) != maxInFlight-1 {
			t.Fatalf("%d in flight", len(got))
		}
		for range 3 {
			send(t, c, url, "m")
		}
		if got := receive(t, c, url, 0); len(got) != 1 {
			t.Errorf("received %d messages with room for one", len(got))
		}
		_, err := c.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url})
		wantError(t, "short poll", err, "OverLimit", 403)
		begin := time.Now()
		if got := receive(t, c, url, 20); len(got) != 0 || time.Since(begin) != 20*time.Second {
			t.Errorf("long poll: %d messages after %v, want none and no error after 20s", len(got), time.Since(begin))
		}
	})
}

// TestNotImitated: what AWS has and this package has not is refused, never ignored.
func TestNotImitated(t *testing.T) {
	_, c := start(t, Options{})
	ctx := t.Context()
	for name, value := range map[string]string{"FifoQueue": "true", "KmsMasterKeyId": "alias/aws/sqs"} {
		_, err := c.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("q"), Attributes: map[string]string{name: value}})
		wantError(t, name, err, "AWS.SimpleQueueService.UnsupportedOperation", 400)
	}
	for what, err := range map[string]error{
		"tags of a type": errorOf(c.iot.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: aws.String("t"), Tags: []types.Tag{{Key: aws.String("k")}}})),
		"MQTT 5": errorOf(c.iot.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: aws.String("t"),
			ThingTypeProperties: &types.ThingTypeProperties{Mqtt5Configuration: &types.Mqtt5Configuration{}}})),
		"retain":         errorOf(c.data.Publish(ctx, &iotdataplane.PublishInput{Topic: aws.String("t"), Retain: true})),
		"reserved topic": errorOf(c.data.Publish(ctx, &iotdataplane.PublishInput{Topic: aws.String("$aws/things/a/shadow/update")})),
		"endpoint":       errorOf(c.iot.DescribeEndpoint(ctx, &iot.DescribeEndpointInput{EndpointType: aws.String("iot:Jobs")})),
	} {
		wantError(t, what, err, "InvalidRequestException", 400)
	}
	_, err := c.iot.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("a"), BillingGroupName: aws.String("b")})
	wantError(t, "billing group", err, "ResourceNotFoundException", 404)
	_, err = c.data.ListRetainedMessages(ctx, &iotdataplane.ListRetainedMessagesInput{})
	wantError(t, "retained messages", err, "UnknownOperationException", 404)
}

func TestWrongRequests(t *testing.T) {
	s := New(Options{})
	const signed = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=x"
	for _, test := range []struct {
		method, path, target, authorization, body string
		status                                    int
		want                                      string
	}{
		{"POST", "/", "DynamoDB_20120810.ListTables", signed, "{}", 400, "UnknownOperationException"},
		{"POST", "/", "AmazonSQS.SendMessage", signed, "{", 400, "SerializationException"},
		{"POST", "/", "AmazonSQS.SendMessage", signed, "{}", 400, "MissingParameter"},
		{"POST", "/", "AmazonSQS.SendMessage", signed, `{"QueueUrl":"q","MessageBody":"m"}`, 404, "InvalidAddress"},
		{"POST", "/", "AmazonSQS.SendMessage", signed, `{"QueueUrl":"http://x/us-east-1/999999999999/q","MessageBody":"m"}`, 400, "QueueDoesNotExist"},
		{"GET", "/", "AmazonSQS.ListQueues", signed, "{}", 400, "UnknownOperationException"},
		{"POST", "/", "AmazonSQS.ListQueues", "", "{}", 403, "MissingAuthenticationTokenException"},
		{"POST", "/", "AmazonSQS.ListQueues", "Bearer x", "{}", 403, "MissingAuthenticationTokenException"},
		{"POST", "/", "AmazonSQS.ListQueues", strings.Replace(signed, "us-east-1", "a.b", 1), "{}", 403, "InvalidSignatureException"},
		{"POST", "/things/a", "", "", "{}", 403, "MissingAuthenticationTokenException"},
		{"POST", "/things/a", "", signed, "{", 400, "SerializationException"},
		{"POST", "/things//shadow", "", signed, "{}", 404, "UnknownOperationException"},
		{"PUT", "/things/a", "", signed, "{}", 404, "UnknownOperationException"},
		{"GET", "/nonsense", "", signed, "", 404, "UnknownOperationException"},
		{"GET", "/things?X-Amz-Credential=x%2F20260101%2Fus-east-1%2Fiot%2Faws4_request", "", "", "", 200, ""},
	} {
		r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
		r.Header.Set("Authorization", test.authorization)
		if test.target != "" {
			r.Header.Set("X-Amz-Target", test.target)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != test.status || !strings.Contains(w.Body.String()+w.Header().Get("X-Amzn-Errortype"), test.want) {
			t.Errorf("%+v: %d %v %s", test, w.Code, w.Header(), w.Body)
		}
		if w.Header().Get("X-Amzn-Requestid") == "" {
			t.Errorf("%+v: no request id", test)
		}
	}
}

func TestRequestTooLong(t *testing.T) {
	s := New(Options{})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/things/a/shadow", strings.NewReader(strings.Repeat("x", maxRequest+1))))
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", w.Code)
	}
}

func TestCharacters(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "a\t\n\r é€😀": true, "\ufffd": true, "\U0010ffff": true, "\x7f": true,
		"\x00": false, "\x1f": false, "\ufffe": false, "\uffff": false, "\xff": false, "\xed\xa0\x80": false,
	} {
		if validText(text) != want {
			t.Errorf("validText(%q) = %v", text, !want)
		}
	}
	for text, want := range map[string]bool{
		`"abc"`: false, `"\ud83d\ude00"`: false, `"\uD83D\uDE00x\u00e9"`: false, `"\\ud800"`: false, `"\"\\\\ud800"`: false,
		`"\ud800"`: true, `"\udc00"`: true, `"\ud800x"`: true, `"\ud800\ud800"`: true, `"\ud800\n"`: true, `"\ud83d\ude00\udc00"`: true, `"\ud8`: false,
	} {
		if loneSurrogate([]byte(text)) != want {
			t.Errorf("loneSurrogate(%s) = %v", text, !want)
		}
	}
}

// TestPollersTakeTurns: a message wakes one waiting caller, and one that goes away just
// then hands it on.
func TestPollersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := start(t, Options{})
		url := makeQueue(t, c, "q", nil)
		got := make(chan string, 10)
		for range 5 {
			go func() { got <- bodies(receive(t, c, url, 20)) }()
		}
		synctest.Wait()
		for i := range 5 {
			send(t, c, url, fmt.Sprint(i))
			synctest.Wait()
			if len(got) != i+1 {
				t.Fatalf("%d callers have an answer after %d messages", len(got), i+1)
			}
		}
		q := s.region("us-east-1").queues.get("q")
		q.mu.Lock()
		first, second := q.wait(), q.wait()
		q.mu.Unlock()
		send(t, c, url, "x")
		if len(first) != 1 || len(second) != 0 {
			t.Error("the caller that waited longest was not woken")
		}
		q.mu.Lock()
		q.unwait(first, true) // without having received anything
		q.mu.Unlock()
		if len(second) != 1 {
			t.Error("the other caller was not woken")
		}
	})
}

// TestConcurrentCallers: each message reaches exactly one of many receivers.
func TestConcurrentCallers(t *testing.T) {
	_, c := start(t, Options{})
	url := makeQueue(t, c, "q", nil)
	const senders, each = 4, 100
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for n := range each {
				if _, err := c.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String(fmt.Sprint(i, " ", n))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var mu sync.Mutex
	seen := make(map[string]int)
	for range 4 {
		wg.Go(func() {
			for {
				out, err := c.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
				if err != nil || len(out.Messages) == 0 {
					return
				}
				for _, m := range out.Messages {
					mu.Lock()
					seen[*m.Body]++
					mu.Unlock()
					if _, err := c.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if len(seen) != senders*each {
		t.Errorf("%d of %d messages arrived", len(seen), senders*each)
	}
	for body, n := range seen {
		if n != 1 {
			t.Errorf("message %s arrived %d times", body, n)
		}
	}
}
