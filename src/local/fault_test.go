package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func addFault(t *testing.T, s *Service, f Fault) string {
	t.Helper()
	id, err := s.AddFault(f)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func trySend(t *testing.T, c clients, url *string) error {
	_, err := c.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("m")})
	return err
}

func TestFaultFits(t *testing.T) {
	s, c := start(t, Options{})
	eu := newClients("http://local.test", "eu-west-1", s.Transport())
	url, euURL := makeQueue(t, c, "q", nil), makeQueue(t, eu, "q", nil)
	calls := map[string]func() error{
		"send":       func() error { return trySend(t, c, url) },
		"send in eu": func() error { return trySend(t, eu, euURL) },
		"receive": func() error {
			return errorOf(c.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url}))
		},
		"create thing": func() error {
			return errorOf(c.iot.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: aws.String("a")}))
		},
		"update shadow": func() error { return errorOf(updateShadow(t, c, "a", `{"state":{}}`)) },
		"update in eu":  func() error { return errorOf(updateShadow(t, eu, "a", `{"state":{}}`)) },
		"describe thing": func() error {
			return errorOf(c.iot.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("a")}))
		},
	}
	if err := calls["create thing"](); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		fault Fault
		hit   []string
	}{
		{Fault{}, []string{"send", "send in eu", "receive", "create thing", "update shadow", "update in eu", "describe thing"}},
		{Fault{Region: "eu-west-1"}, []string{"send in eu", "update in eu"}},
		{Fault{Service: "iot"}, []string{"create thing", "describe thing"}},
		{Fault{Service: "iot-data", Region: "us-east-1"}, []string{"update shadow"}},
		{Fault{Operation: "SendMessage"}, []string{"send", "send in eu"}},
	} {
		test.fault.Kind = Error
		id := addFault(t, s, test.fault)
		for name, call := range calls {
			if got, want := call() != nil, slices.Contains(test.hit, name); got != want {
				t.Errorf("fault %+v: %s fails: %v, want %v", test.fault, name, got, want)
			}
		}
		if !s.RemoveFault(id) || s.RemoveFault(id) {
			t.Errorf("remove fault %s: not once", id)
		}
	}
	for name, call := range calls {
		if err := call(); err != nil {
			t.Errorf("%s without faults: %v", name, err)
		}
	}
}

func TestFaultErrorBeforeAndAfter(t *testing.T) {
	s, c := start(t, Options{})
	url := makeQueue(t, c, "q", nil)
	addFault(t, s, Fault{Kind: Error, Service: "sqs", Operation: "SendMessage", Times: 1})
	wantError(t, "before the effect", trySend(t, c, url), "InternalFailure", 500)
	if b := bodies(receive(t, c, url, 0)); b != "" {
		t.Errorf("an error before the effect left %q", b)
	}
	addFault(t, s, Fault{Kind: Error, Operation: "SendMessage", After: true, Code: "ServiceUnavailable", Status: 503, Times: 1})
	wantError(t, "after the effect", trySend(t, c, url), "ServiceUnavailable", 503)
	if b := bodies(receive(t, c, url, 0)); b != "m" {
		t.Errorf("an error after the effect left %q, want the message", b)
	}
	if err := trySend(t, c, url); err != nil || len(s.Faults()) != 0 {
		t.Errorf("faults that are spent go on: %v, %v", s.Faults(), err)
	}
	addFault(t, s, Fault{Kind: Error, Service: "iot-data"})
	_, err := updateShadow(t, c, "a", `{"state":{}}`)
	wantError(t, "data plane", err, "InternalFailureException", 500)
}

func TestFaultDeadAndHang(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	server := httptest.NewServer(s)
	defer server.Close()
	for name, c := range map[string]clients{
		"sockets": newClients(server.URL, "us-east-1", http.DefaultTransport),
		"direct":  inProcess(s),
	} {
		t.Run(name, func(t *testing.T) {
			url := makeQueue(t, c, "q", nil)
			addFault(t, s, Fault{Kind: Dead, Operation: "SendMessage", Times: 1})
			if err := trySend(t, c, url); err == nil {
				t.Error("an answer came from the dead")
			} else if _, status := errorCode(err); status != 0 {
				t.Errorf("the dead answered %d", status)
			}
			addFault(t, s, Fault{Kind: Hang, Operation: "SendMessage", After: true, Times: 1})
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := c.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("lost answer")})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("hang: %v", err)
			}
			for _, m := range receive(t, c, url, 0) {
				if *m.Body != "lost answer" {
					t.Errorf("received %q", *m.Body)
				}
			}
			s.RemoveFault("")
		})
	}
}

func TestFaultSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s, c := start(t, Options{Random: func() float64 { n++; return []float64{0.5, 0.99}[n%2] }})
		url := makeQueue(t, c, "q", nil)
		addFault(t, s, Fault{Kind: Slow, Operation: "SendMessage", Median: Delay(50 * time.Millisecond), P99: Delay(800 * time.Millisecond)})
		for _, want := range []time.Duration{800 * time.Millisecond, 50 * time.Millisecond} {
			begin := time.Now()
			if err := trySend(t, c, url); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(begin); d < want-time.Millisecond || d > want+time.Millisecond {
				t.Errorf("took %v, want %v", d, want)
			}
		}
	})
}

func TestFaultThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := start(t, Options{})
		url := makeQueue(t, c, "q", nil)
		addFault(t, s, Fault{Kind: Throttled, Rate: 5})
		pass := func() (n int) {
			for range 20 {
				if err := trySend(t, c, url); err == nil {
					n++
				} else {
					wantError(t, "throttled", err, "RequestThrottled", 403)
				}
			}
			return n
		}
		if n := pass(); n != 5 {
			t.Errorf("%d calls passed at once, want 5", n)
		}
		time.Sleep(400 * time.Millisecond)
		if n := pass(); n != 2 {
			t.Errorf("%d calls passed after 0.4 s, want 2", n)
		}
		_, err := updateShadow(t, c, "a", `{"state":{}}`)
		wantError(t, "data plane", err, "ThrottlingException", 429)
		_, err = c.iot.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: aws.String("a")})
		wantError(t, "registry", err, "ThrottlingException", 400)
	})
}

func TestFaultPartial(t *testing.T) {
	s, c := start(t, Options{})
	url := makeQueue(t, c, "q", nil)
	sendThree := func() (failed int) {
		out, err := c.sqs.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: batchOf("m")[:3]})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(out.Successful) + len(out.Failed); n != 3 {
			t.Errorf("the answer has %d entries", n)
		}
		for _, e := range out.Failed {
			if e.SenderFault || *e.Code != "InternalFailure" {
				t.Errorf("entry %+v", e)
			}
		}
		return len(out.Failed)
	}
	flip := 0
	s.faults.random = func() float64 { flip++; return float64(flip%3) / 3 } // a third of the time less than 0.2
	addFault(t, s, Fault{Kind: Partial, Share: 0.2, Operation: "SendMessageBatch"})
	if n := sendThree(); n != 1 {
		t.Errorf("%d entries failed, want 1", n)
	}
	if n := len(receive(t, c, url, 0)); n != 2 {
		t.Errorf("%d messages sent, want 2", n)
	}
	s.RemoveFault("")
	addFault(t, s, Fault{Kind: Partial, After: true, Times: 1, Operation: "SendMessageBatch"})
	if n := sendThree(); n != 3 {
		t.Errorf("%d entries failed, want 3", n)
	}
	got := receive(t, c, url, 0)
	if len(got) != 3 {
		t.Fatalf("%d messages sent, though all were said to have failed; want 3", len(got))
	}
	addFault(t, s, Fault{Kind: Partial, Operation: "DeleteMessageBatch"})
	out, err := c.sqs.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: aws.String("x"), ReceiptHandle: got[0].ReceiptHandle}}})
	if err != nil || len(out.Failed) != 1 {
		t.Errorf("delete: %+v, %v", out, err)
	}
}

func TestFaultShare(t *testing.T) {
	s, c := start(t, Options{})
	url := makeQueue(t, c, "q", nil)
	addFault(t, s, Fault{Kind: Error, Share: 0.25})
	failed := 0
	for range 1000 {
		if trySend(t, c, url) != nil {
			failed++
		}
	}
	if failed < 150 || failed > 350 {
		t.Errorf("%d of 1000 calls failed, want about 250", failed)
	}
}

func TestFaultRefused(t *testing.T) {
	s := New(Options{})
	for _, f := range []Fault{
		{}, {Kind: "broken"}, {Kind: Error, Service: "s3"}, {Kind: Error, Operation: "GetObject"}, {Kind: Error, Service: "iot", Operation: "SendMessage"},
		{Kind: Error, Share: 1.5}, {Kind: Slow}, {Kind: Slow, Median: 2, P99: 1}, {Kind: Throttled, After: true}, {Kind: Error, Status: 200}, {Kind: Error, Times: -1},
	} {
		if _, err := s.AddFault(f); err == nil {
			t.Errorf("fault %+v was added", f)
		}
	}
}

func TestQuotas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := start(t, Options{})
		pass := func(n int, call func(i int) error) (passed int) {
			for i := range n {
				if err := call(i); err == nil {
					passed++
				} else if code, _ := errorCode(err); code != "ThrottlingException" {
					t.Fatal(err)
				}
			}
			return passed
		}
		oneThing := func(int) error { return errorOf(updateShadow(t, c, "a", `{"state":{}}`)) }
		manyThings := func(i int) error { return errorOf(updateShadow(t, c, fmt.Sprint("a", i), `{"state":{}}`)) }
		create := func(i int) error {
			return errorOf(c.iot.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: aws.String(fmt.Sprint("a", i))}))
		}
		createType := func(i int) error {
			return errorOf(c.iot.CreateThingType(t.Context(), &iot.CreateThingTypeInput{ThingTypeName: aws.String(fmt.Sprint("t", i))}))
		}
		if n := pass(200, create); n != 200 {
			t.Errorf("without quotas %d of 200 calls passed", n)
		}
		if q := DefaultQuotas(); q != (Quotas{ShadowCalls: 4000, ShadowCallsPerThing: 20, CreateThing: 100, CreateThingType: 15}) {
			t.Errorf("default quotas %+v", q)
		}
		q := DefaultQuotas()
		q.ShadowCalls = 200 // the same rule, in less time
		s.SetQuotas(q)
		for range 2 { // twice, in two seconds
			if n := pass(30, oneThing); n != 20 {
				t.Errorf("%d shadow calls of one thing passed, want 20", n)
			}
			if n := pass(250, manyThings); n != 200-20 {
				t.Errorf("%d shadow calls passed, want 180 more", n)
			}
			if n := pass(150, create); n != 100 {
				t.Errorf("%d CreateThing passed, want 100", n)
			}
			if n := pass(30, createType); n != 15 {
				t.Errorf("%d CreateThingType passed, want 15", n)
			}
			time.Sleep(time.Second)
		}
		s.SetQuotas(Quotas{})
		if n := pass(200, create); n != 200 {
			t.Errorf("with quotas off %d of 200 calls passed", n)
		}
	})
}

func TestClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		s, c := start(t, Options{Now: func() time.Time { return at }})
		eu := newClients("http://local.test", "eu-west-1", s.Transport())
		s.ShiftClock("eu-west-1", -time.Minute)
		for region, want := range map[*clients]time.Time{&c: at, &eu: at.Add(-time.Minute)} {
			url := makeQueue(t, *region, "q", nil)
			send(t, *region, url, "m")
			if got := receive(t, *region, url, 0)[0].Attributes["SentTimestamp"]; got != timestamp(want) {
				t.Errorf("SentTimestamp %s, want %s", got, timestamp(want))
			}
			doc, err := updateShadow(t, *region, "a", `{"state":{}}`)
			if err != nil || doc["timestamp"] != float64(want.Unix()) {
				t.Errorf("timestamp of the shadow %v (%v), want %d", doc["timestamp"], err, want.Unix())
			}
		}
	})
}

func TestPublished(t *testing.T) {
	s, c := start(t, Options{})
	for _, topic := range []string{"dt/a/1", "$aws/rules/keep/dt/a/1"} {
		_, err := c.data.Publish(t.Context(), &iotdataplane.PublishInput{Topic: &topic, Payload: []byte("\x00payload"), Qos: 1})
		if err != nil {
			t.Fatal(err)
		}
	}
	got := s.Published("us-east-1")
	if len(got) != 2 || got[0].Topic != "dt/a/1" || got[0].Rule != "" || got[1].Topic != "dt/a/1" || got[1].Rule != "keep" ||
		string(got[1].Payload) != "\x00payload" || got[1].QoS != 1 {
		t.Errorf("published %+v", got)
	}
	topic := "t"
	for range maxPublished {
		if _, err := c.data.Publish(t.Context(), &iotdataplane.PublishInput{Topic: &topic}); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Published("us-east-1"); len(got) != maxPublished || got[0].Topic != "t" {
		t.Errorf("%d messages kept, the first of %s; want %d of t", len(got), got[0].Topic, maxPublished)
	}
}

// TestLabPaths drives all controls over HTTP, where the lab's page and its drills are.
func TestLabPaths(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	server := httptest.NewServer(s)
	defer server.Close()
	c := newClients(server.URL, "us-east-1", http.DefaultTransport)
	if _, err := c.data.Publish(t.Context(), &iotdataplane.PublishInput{Topic: aws.String("t"), Payload: []byte("p")}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "faults", "", 200, "[]\n"},
		{"POST", "faults", `{"kind":"slow","service":"sqs","region":"us-east-1","operation":"SendMessage","median":"50ms","p99":"1s"}`, 201,
			`{"id":"1","region":"us-east-1","service":"sqs","operation":"SendMessage","kind":"slow","median":"50ms","p99":"1s"}` + "\n"},
		{"POST", "faults", `{"kind":"error","after":true,"share":0.5,"times":3,"code":"X","status":503}`, 201, ""},
		{"POST", "faults", `{"kind":"nonsense"}`, 400, `{"error":"add fault: unknown kind of fault \"nonsense\""}` + "\n"},
		{"POST", "faults", `{"kind":"dead","regoin":"us-east-1"}`, 400, ""},
		{"DELETE", "faults/1", "", 204, ""},
		{"DELETE", "faults/1", "", 404, ""},
		{"GET", "faults", "", 200, `[{"id":"2","kind":"error","after":true,"share":0.5,"times":3,"code":"X","status":503}]` + "\n"},
		{"DELETE", "faults", "", 204, ""},
		{"GET", "faults", "", 200, "[]\n"},
		{"PUT", "quotas/default", "", 200, `{"shadowCalls":4000,"shadowCallsPerThing":20,"createThing":100,"createThingType":15}` + "\n"},
		{"PUT", "quotas", `{"createThing":5}`, 200, ""},
		{"GET", "quotas", "", 200, `{"shadowCalls":0,"shadowCallsPerThing":0,"createThing":5,"createThingType":0}` + "\n"},
		{"DELETE", "quotas", "", 204, ""},
		{"PUT", "clock/us-east-1", `"-90s"`, 200, `"-1m30s"` + "\n"},
		{"PUT", "clock/us-east-1", `"soon"`, 400, ""},
		{"GET", "published/us-east-1", "", 200, ""},
		{"DELETE", "published/us-east-1", "", 204, ""},
		{"GET", "published/us-east-1", "", 200, "[]\n"},
		{"GET", "nonsense", "", 404, ""},
	} {
		r, err := http.NewRequest(step.method, server.URL+"/_lab/"+step.path, strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		out, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(out.Body)
		out.Body.Close()
		if out.StatusCode != step.status || step.want != "" && string(body) != step.want {
			t.Errorf("%s %s %s: %d %s, want %d %s", step.method, step.path, step.body, out.StatusCode, body, step.status, step.want)
		}
	}
	if s.Quotas() != (Quotas{}) || len(s.Faults()) != 0 {
		t.Errorf("left over: %+v %+v", s.Quotas(), s.Faults())
	}
}
