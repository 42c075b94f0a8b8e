package local

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/processor"
)

// script draws what a few devices say, nested, deleted and repeated, in an order of
// arrival that is not the order of sending, in batches.
func script(seed uint64) (batches [][]string) {
	rng := rand.New(rand.NewPCG(seed, 7))
	start := time.Now().Add(-time.Hour).UnixMilli()
	var bodies []string
	for n := range 60 {
		fields := map[string]any{}
		for range 1 + rng.IntN(3) {
			name := string(rune('a' + rng.IntN(5)))
			switch rng.IntN(5) {
			case 0:
				fields[name] = nil
			case 1:
				fields[name] = map[string]any{"x": n, string(rune('p' + rng.IntN(3))): map[string]any{"y": n}}
			case 2:
				fields[name] = []any{n, "é", true}
			default:
				fields[name] = n
			}
		}
		payload, err := json.Marshal(fields)
		if err != nil {
			panic(err)
		}
		body := envelope.AppendHeader(nil, envelope.Origin{Ingestor: "use1-a", Region: "us-east-1"})
		body = envelope.AppendReport(body, &envelope.Report{
			Received: start + int64(n)*1000, From: netip.MustParseAddrPort("192.0.2.1:5683"), Type: "th", ID: fmt.Sprint("m", n%3),
			Seq: uint64(n), Numbered: true, Format: 50, Payload: payload,
		})
		bodies = append(bodies, string(body))
		if rng.IntN(4) == 0 {
			bodies = append(bodies, string(body))
		}
	}
	rng.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
	for len(bodies) > 0 {
		n := min(1+rng.IntN(5), len(bodies))
		batches = append(batches, bodies[:n])
		bodies = bodies[n:]
	}
	return batches
}

// play lets a processor apply a script to one AWS and returns what the shadows report.
func play(t *testing.T, endpoint string, client *http.Client, batches [][]string) map[string]any {
	t.Helper()
	ctx := context.Background()
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("x", "x", "")}
	if client != nil {
		cfg.HTTPClient = client
	}
	queues, registry, data := sqs.NewFromConfig(cfg), iot.NewFromConfig(cfg), iotdataplane.NewFromConfig(cfg)
	var urls []string
	for _, name := range []string{"script", "script-dlq"} {
		out, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name})
		if err != nil {
			t.Fatal(err)
		}
		urls = append(urls, *out.QueueUrl)
	}
	// moto wipes the shadow of a thing that is created again, and knows no shadow
	// without a thing: so the things are there, as if somebody had registered them.
	if _, err := registry.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: aws.String("th")}); err != nil {
		t.Fatal(err)
	}
	things := []string{"m0", "m1", "m2"}
	for _, name := range things {
		if _, err := registry.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name, ThingTypeName: aws.String("th")}); err != nil {
			t.Fatal(err)
		}
	}
	p := processor.New(processor.Config{QueueURL: urls[0], DLQURL: urls[1], IoTEndpoint: endpoint, AutoCreate: processor.CreateNone}, cfg)
	for _, batch := range batches {
		var event events.SQSEvent
		for i, body := range batch {
			event.Records = append(event.Records, events.SQSMessage{
				MessageId: fmt.Sprint(i), ReceiptHandle: "r", Body: body,
				Attributes: map[string]string{"SentTimestamp": fmt.Sprint(time.Now().UnixMilli()), "ApproximateReceiveCount": "1"},
			})
		}
		response, err := p.Handle(ctx, event)
		if err != nil || len(response.BatchItemFailures) > 0 {
			t.Fatalf("%+v, %v", response, err)
		}
	}
	reported := map[string]any{}
	for _, name := range things {
		out, err := data.GetThingShadow(ctx, &iotdataplane.GetThingShadowInput{ThingName: &name})
		if err != nil {
			t.Fatal(err)
		}
		var document struct{ State struct{ Reported any } }
		if err := json.Unmarshal(out.Payload, &document); err != nil {
			t.Fatal(err)
		}
		if fields, ok := document.State.Reported.(map[string]any); !ok || len(fields) < 3 {
			t.Fatalf("%s reports only %v", name, document.State.Reported)
		}
		reported[name] = document.State.Reported
	}
	return reported
}

// moto's shadows, another implementation by other people, end equal.
func TestMotoShadowsEndEqual(t *testing.T) {
	for seed := range uint64(3) {
		url := startMoto(t)
		s := New(Options{BaseURL: "http://local.test"})
		batches := script(seed)
		ours := play(t, "http://local.test", &http.Client{Transport: s.Transport()}, batches)
		moto := play(t, url, nil, batches)
		if !reflect.DeepEqual(ours, moto) {
			t.Errorf("seed %d: ours\n%v\nmoto's\n%v", seed, ours, moto)
		}
		s.Close()
	}
}
