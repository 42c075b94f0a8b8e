package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/sdk"
)

// A bench is the built bootstrap of a function, run as Lambda runs it, and an AWS for it.
type bench struct {
	t      *testing.T
	aws    *local.Service
	plan   Plan
	lambda *lambda
	log    *said

	receipts map[string]string // of the messages of the last event, by id
}

// newBench builds the function for an architecture. What is not this machine's runs under
// emulator.
func newBench(t *testing.T, function, arch string, emulator ...string) *bench {
	t.Helper()
	command := append(slices.Clone(emulator), buildBootstrap(t, function, arch))
	b := &bench{t: t, aws: local.New(local.Options{}), log: &said{}}
	server := httptest.NewServer(b.aws)
	t.Cleanup(func() { b.aws.Close(); server.Close() })
	at := netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
	var four [4]netip.AddrPort
	b.plan = NewPlan(four, at, at, 30*time.Second, 180*time.Second)
	// A slow machine fills and handles an event of 6 MB in minutes: nothing may come back meanwhile.
	visibility := map[string]string{string(types.QueueAttributeNameVisibilityTimeout): "600"}
	for _, q := range b.plan.Queues {
		if _, err := b.queue(q.Region).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &q.Name, Attributes: visibility}); err != nil {
			t.Fatal(err)
		}
	}
	i := slices.IndexFunc(b.plan.Functions, func(f Function) bool { return f.Name == function })
	spec := b.plan.Functions[i]
	b.lambda = newLambda(spec, func(_ int, api string) (running, error) {
		return startCommand(exec.Command(command[0], command[1:]...), function, append(slices.Clone(spec.environ), "AWS_LAMBDA_RUNTIME_API="+api), b.log.line)
	})
	t.Cleanup(b.lambda.close)
	return b
}

// buildBootstrap builds a function and returns the path of the program.
func buildBootstrap(t *testing.T, function, arch string) string {
	t.Helper()
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-o", bootstrap, "../"+function+"/lambda")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s for %s: %v\n%s", function, arch, err, out)
	}
	return bootstrap
}

// arm64Emulator returns what runs programs for arm64 on this machine.
func arm64Emulator(t *testing.T) string {
	t.Helper()
	const emulator = "qemu-aarch64-static"
	if _, err := exec.LookPath(emulator); err != nil {
		if os.Getenv("INFRA_REQUIRED") == "1" {
			t.Fatalf("%s is missing: apt-get install qemu-user-static", emulator)
		}
		t.Skipf("%s is missing: apt-get install qemu-user-static", emulator)
	}
	return emulator
}

func (b *bench) config(region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(b.plan.Endpoint()), Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
		HTTPClient: sdk.Keep(http.DefaultClient),
	}
}

func (b *bench) queue(region string) *sqs.Client { return sqs.NewFromConfig(b.config(region)) }

// event sends bodies to the function's queue, receives them as Lambda does, and returns
// the event with them.
func (b *bench) event(bodies ...string) (event []byte, ids []string) {
	b.t.Helper()
	source := b.lambda.spec.Queue
	client := b.queue(source.Region)
	for _, body := range bodies {
		if _, err := client.SendMessage(b.t.Context(), &sqs.SendMessageInput{QueueUrl: &source.URL, MessageBody: &body}); err != nil {
			b.t.Fatal(err)
		}
	}
	var all batch
	b.receipts = map[string]string{}
	for deadline := time.Now().Add(2 * time.Minute); len(all.messages) < len(bodies); {
		if time.Now().After(deadline) {
			b.t.Fatalf("%d of %d messages were received", len(all.messages), len(bodies))
		}
		out, err := client.ReceiveMessage(b.t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &source.URL, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, MessageAttributeNames: []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		})
		if err != nil {
			b.t.Fatal(err)
		}
		for _, m := range out.Messages {
			if !all.add(m, encodeRecord(source, m)) {
				b.t.Fatal("the event is larger than Lambda allows")
			}
			ids = append(ids, *m.MessageId)
			b.receipts[*m.MessageId] = *m.ReceiptHandle
		}
	}
	return all.event(), ids
}

// invoke returns the ids that the function lists as failed. The other messages of the
// last event are deleted, as Lambda does.
func (b *bench) invoke(event []byte) []string {
	b.t.Helper()
	out, err := b.lambda.invoke(context.Background(), event)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.log.lines)
	}
	var response events.SQSEventResponse
	if err := json.Unmarshal(out, &response); err != nil {
		b.t.Fatalf("%s: %v", out, err)
	}
	failed := []string{}
	for _, f := range response.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	source := b.lambda.spec.Queue
	for id, receipt := range b.receipts {
		if slices.Contains(failed, id) {
			continue
		}
		if _, err := b.queue(source.Region).DeleteMessage(b.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &source.URL, ReceiptHandle: &receipt}); err != nil {
			b.t.Fatal(err)
		}
	}
	return failed
}

// held returns what a queue holds, at most ten messages.
func (b *bench) held(region, name string) []types.Message {
	b.t.Helper()
	url := b.plan.queueURL(region, name)
	out, err := b.queue(region).ReceiveMessage(b.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}})
	if err != nil {
		b.t.Fatal(err)
	}
	return out.Messages
}

// reported returns what a thing's shadow reports under a key.
func (b *bench) reported(thing, key string) any {
	b.t.Helper()
	out, err := iotdataplane.NewFromConfig(b.config(Primary)).GetThingShadow(b.t.Context(), &iotdataplane.GetThingShadowInput{ThingName: &thing})
	if err != nil {
		b.t.Fatal(err)
	}
	var document struct {
		State struct{ Reported map[string]any }
	}
	if err := json.Unmarshal(out.Payload, &document); err != nil {
		b.t.Fatal(err)
	}
	return document.State.Reported[key]
}

// bundleOf packs JSON payloads as reports of things t0, t1 ... from number first on, each
// bundle a millisecond after the one before.
func bundleOf(first int, payloads ...string) string {
	now := received.Add(1)
	body := envelope.AppendHeader(nil, envelope.Origin{Ingestor: "use1-a", Region: Primary})
	for i, payload := range payloads {
		body = envelope.AppendReport(body, &envelope.Report{
			Received: now, From: netip.MustParseAddrPort("192.0.2.1:5683"), Confirmable: true,
			Type: "th", ID: fmt.Sprint("t", first+i), Format: 50, Payload: []byte(payload),
		})
	}
	return string(body)
}

var received atomic.Int64

func init() { received.Store(time.Now().Add(-time.Hour).UnixMilli()) }

// fullEvent is as many full bundles as an event of 6 MB holds: each has reports of its own
// field for the same hundreds of things.
func fullEvent() (bodies []string, things int) {
	things = 400
	for n := range 90 {
		var payloads []string
		for range things {
			payloads = append(payloads, fmt.Sprintf(`{"f%d":%d}`, n%45, n))
		}
		bodies = append(bodies, bundleOf(0, payloads...))
	}
	return bodies, things
}

func TestProcessorBootstrap(t *testing.T) {
	b := newBench(t, "processor", "amd64")
	t.Run("empty", func(t *testing.T) {
		if failed := b.invoke([]byte(`{"Records":[]}`)); len(failed) != 0 {
			t.Errorf("failed %q", failed)
		}
	})
	t.Run("ordinary", func(t *testing.T) {
		event, _ := b.event(bundleOf(0, `{"n":1}`, `{"n":2}`), bundleOf(2, `{"n":3}`))
		if failed := b.invoke(event); len(failed) != 0 {
			t.Errorf("failed %q", failed)
		}
		for i, want := range []any{1.0, 2.0, 3.0} {
			if got := b.reported(fmt.Sprint("t", i), "n"); got != want {
				t.Errorf("t%d reports %v, want %v", i, got, want)
			}
		}
	})
	t.Run("all poison", func(t *testing.T) {
		event, _ := b.event(bundleOf(0, `{"n":`, `{"_coap":1}`), "no bundle at all", bundleOf(0, `{"a":{"b":{"c":{"d":{"e":{"f":{"g":1}}}}}}}`))
		if failed := b.invoke(event); len(failed) != 0 {
			t.Errorf("failed %q", failed)
		}
		var reasons []string
		for _, m := range b.held(Primary, dlqQueue) {
			word, _, _ := strings.Cut(aws.ToString(m.MessageAttributes[envelope.AttributeReason].StringValue), ":")
			reasons = append(reasons, word)
		}
		slices.Sort(reasons)
		if want := []string{"malformed", "reserved", "too-deep", "undecodable"}; !slices.Equal(reasons, want) {
			t.Errorf("reasons %q, want %q", reasons, want)
		}
	})
	t.Run("6 MB", func(t *testing.T) {
		bodies, things := fullEvent()
		event, _ := b.event(bodies...)
		if len(event) < maxPayload*8/10 {
			t.Errorf("an event of %d bytes is not full", len(event))
		}
		begun := time.Now()
		if failed := b.invoke(event); len(failed) != 0 {
			t.Errorf("%d failed", len(failed))
		}
		t.Logf("an event of %d bytes, %d reports, took %v", len(event), len(bodies)*things, time.Since(begun).Round(time.Millisecond))
		for _, thing := range []int{0, things / 2, things - 1} {
			if got := b.reported(fmt.Sprint("t", thing), "f44"); got != 89.0 {
				t.Errorf("t%d reports %v, want 89", thing, got)
			}
		}
	})
	t.Run("unknown version", func(t *testing.T) {
		event, ids := b.event(bundleOf(0, `{"n":11}`), `{"coap":2,"new":true}`+"\n{}")
		failed := b.invoke(event)
		if len(failed) != 1 || !slices.Contains(ids, failed[0]) {
			t.Errorf("failed %q of %q, want the one of version 2", failed, ids)
		}
		if got := b.reported("t0", "n"); got != 11.0 {
			t.Errorf("its neighbour reports %v", got)
		}
		for _, m := range b.held(Primary, dlqQueue) {
			if strings.HasPrefix(*m.Body, `{"coap":2`) {
				t.Error("it is in the dead-letter queue")
			}
		}
	})
}

func TestReplicatorBootstrap(t *testing.T) {
	b := newBench(t, "replicator", "amd64")
	if failed := b.invoke([]byte(`{"Records":[]}`)); len(failed) != 0 {
		t.Errorf("an empty event: failed %q", failed)
	}
	// Byte for byte, what it does not understand too.
	bodies := []string{bundleOf(0, `{"n":1}`), `{"coap":2,"new":true}` + "\n{}", "no bundle at all"}
	event, _ := b.event(bodies...)
	if failed := b.invoke(event); len(failed) != 0 {
		t.Errorf("failed %q", failed)
	}
	var forwarded []string
	for _, m := range b.held(Primary, reportsQueue) {
		forwarded = append(forwarded, *m.Body)
		if first := aws.ToString(m.MessageAttributes[envelope.AttributeFirstSent].StringValue); len(first) != 13 {
			t.Errorf("%s: first sent %q", *m.Body, first)
		}
	}
	slices.Sort(forwarded)
	if slices.Sort(bodies); !slices.Equal(forwarded, bodies) {
		t.Errorf("forwarded %q, want %q", forwarded, bodies)
	}

	if _, err := b.aws.AddFault(local.Fault{Region: Primary, Service: "sqs", Kind: local.Dead}); err != nil {
		t.Fatal(err)
	}
	full, _ := fullEvent()
	event, ids := b.event(full...)
	failed := b.invoke(event)
	slices.Sort(failed)
	if slices.Sort(ids); !slices.Equal(failed, ids) {
		t.Errorf("%d of %d messages stay while the primary is dead, want all", len(failed), len(ids))
	}
}

// What is deployed is arm64: it starts and does its work, emulated.
func TestBootstrapsOnArm64(t *testing.T) {
	emulator := arm64Emulator(t)
	for _, function := range []string{"processor", "replicator"} {
		t.Run(function, func(t *testing.T) {
			b := newBench(t, function, "arm64", emulator)
			event, _ := b.event(bundleOf(0, `{"n":1}`))
			if failed := b.invoke(event); len(failed) != 0 {
				t.Errorf("failed %q", failed)
			}
			switch function {
			case "processor":
				if got := b.reported("t0", "n"); got != 1.0 {
					t.Errorf("t0 reports %v", got)
				}
			case "replicator":
				if n := len(b.held(Primary, reportsQueue)); n != 1 {
					t.Errorf("%d forwarded", n)
				}
			}
		})
	}
}
