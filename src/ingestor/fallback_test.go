package ingestor

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/queue"
)

// A device hears 2.04 as soon as either queue holds its report, once.
func TestFallback(t *testing.T) {
	down := errors.New("no route to host")
	for _, tt := range []struct {
		name   string
		change func(*fakeSQS)
		after  time.Duration
		stored int // by its own queue
		copies int // by the other one
		want   string
	}{
		{"its own queue confirms", func(f *fakeSQS) {}, 20 * time.Millisecond, 1, 0, changed},
		{"its own queue is just quick enough", func(f *fakeSQS) { f.delay = 249 * time.Millisecond }, 249 * time.Millisecond, 1, 0, changed},
		{"its own queue is slow", func(f *fakeSQS) { f.delay = 260 * time.Millisecond }, 260 * time.Millisecond, 1, 0, changed},
		{"its own queue hangs", func(f *fakeSQS) { f.delay = time.Hour }, 330 * time.Millisecond, 0, 1, changed},
		{"its own queue is down", func(f *fakeSQS) { f.before = down }, 100 * time.Millisecond, 0, 1, changed},
		{"its own queue stores and the answer is lost", func(f *fakeSQS) { f.after = down }, 100 * time.Millisecond, 1, 1, changed},
		{"its own queue refuses the content", func(f *fakeSQS) { f.refuse = "x" }, 20 * time.Millisecond, 0, 0, "ACK 4.00 mid=0001 token=a1b2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			other := &fakeSQS{delay: 80 * time.Millisecond}
			inWorlds(t, nil, other, func(w *world) {
				time.Sleep(time.Second)
				w.sqs.set(tt.change)
				begun := time.Now()
				w.device.send(con(1, "th/a1", "x"))
				time.Sleep(2 * time.Second)
				got := w.device.take()
				if len(got) != 1 || got[0].text != tt.want || got[0].at.Sub(begun) != tt.after {
					t.Errorf("got %v, want %q after %v", got, tt.want, tt.after)
				}
				if n, m := len(w.sqs.reports(t)), len(other.reports(t)); n != tt.stored || m != tt.copies {
					t.Errorf("%d reports stored and %d by the other queue, want %d and %d", n, m, tt.stored, tt.copies)
				}
				if n := w.counter("coap_fallback_stored_total", ""); n != float64(tt.copies) {
					t.Errorf("coap_fallback_stored_total is %v, want %d", n, tt.copies)
				}
			})
		})
	}
}

// With both queues down devices hear 5.03 within 700 ms, and at once after a few of them;
// one line for each queue says so.
func TestBothQueuesDown(t *testing.T) {
	other := &fakeSQS{delay: time.Hour}
	inWorlds(t, nil, other, func(w *world) {
		w.sqs.set(func(f *fakeSQS) { f.delay = time.Hour })
		post := func(mid uint16) time.Duration {
			begun := time.Now()
			w.device.send(con(mid, "th/a1", "x"))
			time.Sleep(900 * time.Millisecond)
			got := w.device.take()
			if want := fmt.Sprintf("ACK 5.03 mid=%04x token=a1b2 Max-Age", mid); len(got) != 1 || got[0].text != want {
				t.Fatalf("got %v, want %q", got, want)
			}
			return got[0].at.Sub(begun)
		}
		for mid := range uint16(3) {
			if d := post(mid); d != confirmWithin {
				t.Errorf("report %d: 5.03 after %v", mid, d)
			}
		}
		if d := post(4); d != 0 {
			t.Errorf("5.03 after %v although both queues are known to be down", d)
		}
		for _, name := range []string{"coap_queue_down", "coap_fallback_down"} {
			if n := w.gauge(name); n != 1 {
				t.Errorf("%s is %v", name, n)
			}
		}
		if n := strings.Count(w.log.String(), "gets only probes"); n != 2 {
			t.Errorf("%d lines, want one for each queue:\n%s", n, w.log)
		}
	})
}

// gauge reads a gauge of the ingestor as Prometheus would.
func (w *world) gauge(name string) float64 {
	w.t.Helper()
	families, err := w.in.metrics.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	w.t.Fatalf("there is no gauge %s", name)
	return 0
}

// A report that goes by way of the fallback lies in the other region's queue and not in
// the queue of the same name in its own. The URL does not help: as in AWS, whoever signs
// for a region reaches that region's queues.
func TestFallbackReachesTheOtherRegion(t *testing.T) {
	regions := []string{"us-east-1", "eu-west-1"}
	service := local.New(local.Options{})
	defer service.Close()
	client := func(region string) *sqs.Client {
		return sqs.NewFromConfig(aws.Config{
			Region: region, BaseEndpoint: aws.String("http://aws.invalid"), HTTPClient: &http.Client{Transport: service.Transport()},
			Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
		})
	}
	inWorlds(t, nil, service.Transport(), func(w *world) {
		for _, region := range regions {
			if _, err := client(region).CreateQueue(w.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("reports")}); err != nil {
				t.Fatal(err)
			}
		}
		w.sqs.set(func(f *fakeSQS) { f.before = errors.New("no route to host") })
		w.device.send(con(1, "th/a1", "x"))
		time.Sleep(time.Second)
		w.device.expect(t, "by way of the fallback", changed)
		for i, region := range regions {
			out, err := client(region).ReceiveMessage(w.t.Context(), &sqs.ReceiveMessageInput{
				QueueUrl: aws.String("https://sqs." + region + ".amazonaws.com/000000000000/reports"), MaxNumberOfMessages: 10,
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Messages) != i { // none in its own region, one in the other
				t.Errorf("%s holds %d bundles, want %d", region, len(out.Messages), i)
			}
			for _, m := range out.Messages {
				b, err := envelope.Open(*m.Body)
				if err != nil || b.Origin != (envelope.Origin{Ingestor: "use1-a", Region: "us-east-1"}) || strings.Count(*m.Body, "\n") != 1 {
					t.Errorf("%+v, %v:\n%s", b, err, *m.Body)
				}
			}
		}
	})
}

// What keeps the connection warm is what the real protocol takes for an answer, and it
// leaves nothing on the queue.
func TestWarm(t *testing.T) {
	service := local.New(local.Options{})
	defer service.Close()
	cfg := aws.Config{
		BaseEndpoint: aws.String("http://aws.invalid"), HTTPClient: &http.Client{Transport: service.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
	}
	q := queue.At(cfg, "eu-west-1", "https://sqs.eu-west-1.amazonaws.com/000000000000/reports")
	if err := q.Warm(t.Context()); err == nil {
		t.Error("a queue that does not exist is as good as one that does")
	}
	cfg.Region = "eu-west-1"
	if _, err := sqs.NewFromConfig(cfg).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("reports")}); err != nil {
		t.Fatal(err)
	}
	if err := q.Warm(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := service.AddFault(local.Fault{Service: "sqs", Kind: local.Error}); err != nil {
		t.Fatal(err)
	}
	if err := q.Warm(t.Context()); err == nil {
		t.Error("an internal error is no answer")
	}
}
