package local

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Each benchmark runs in memory and on disk, and reports messages or calls a second. The
// SDK, the HTTP client and the server share the machine with the service, as in the lab.

// callers is how many calls are in flight for each processor: a group commit needs company.
const callers = 16

func benchmarkBoth(b *testing.B, run func(b *testing.B, c clients)) {
	for _, kind := range []string{"memory", "disk"} {
		b.Run(kind, func(b *testing.B) {
			o := Options{}
			if kind == "disk" {
				o.Data = b.TempDir()
			}
			s, err := Open(o)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			server := httptest.NewServer(s)
			defer server.Close()
			transport := &http.Transport{MaxIdleConnsPerHost: 1024}
			b.SetParallelism(callers)
			run(b, newClients(server.URL, "us-east-1", transport))
			transport.CloseIdleConnections()
		})
	}
}

func batchOf(body string) []types.SendMessageBatchRequestEntry {
	entries := make([]types.SendMessageBatchRequestEntry, 10)
	for i := range entries {
		entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: &body}
	}
	return entries
}

func benchmarkSend(b *testing.B, body string, entries int) {
	benchmarkBoth(b, func(b *testing.B, c clients) {
		url := makeQueue(b, c, "q", nil)
		in := &sqs.SendMessageBatchInput{QueueUrl: url, Entries: batchOf(body)[:entries]}
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.sqs.SendMessageBatch(b.Context(), in); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N*entries)/b.Elapsed().Seconds(), "messages/s")
	})
}

func BenchmarkSend(b *testing.B)        { benchmarkSend(b, strings.Repeat("x", 100), 10) }
func BenchmarkSendBundles(b *testing.B) { benchmarkSend(b, strings.Repeat("x", 63<<10), 4) }

func BenchmarkReceiveDelete(b *testing.B) {
	benchmarkBoth(b, func(b *testing.B, c clients) {
		url := makeQueue(b, c, "q", nil)
		in := &sqs.SendMessageBatchInput{QueueUrl: url, Entries: batchOf(strings.Repeat("x", 100))}
		for range b.N {
			if _, err := c.sqs.SendMessageBatch(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		}
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				out, err := c.sqs.ReceiveMessage(b.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10})
				if err != nil || len(out.Messages) == 0 {
					b.Error(err, len(out.Messages))
					return
				}
				entries := make([]types.DeleteMessageBatchRequestEntry, len(out.Messages))
				for i, m := range out.Messages {
					entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: m.ReceiptHandle}
				}
				if _, err := c.sqs.DeleteMessageBatch(b.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: entries}); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N*10)/b.Elapsed().Seconds(), "messages/s")
	})
}

func BenchmarkUpdateThingShadow(b *testing.B) {
	benchmarkBoth(b, func(b *testing.B, c clients) {
		var n atomic.Int64
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				i := n.Add(1)
				in := &iotdataplane.UpdateThingShadowInput{
					ThingName: aws.String(fmt.Sprintf("thing-%d", i%10_000)),
					Payload:   fmt.Appendf(nil, `{"state":{"reported":{"t":%d,"h":40.5,"_coap":{"v":1,"k":"0123456789abcdef"}}}}`, i),
				}
				if _, err := c.data.UpdateThingShadow(b.Context(), in); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	})
}

// The handler benchmarks leave out SDK, client and sockets: what the service itself can do.

func handlerRequest(method, path, target, body string) *http.Request {
	r, _ := http.NewRequest(method, "http://local.test"+path, strings.NewReader(body)) // constant, so valid
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=x")
	return r
}

func BenchmarkHandlerSend(b *testing.B) {
	s := New(Options{})
	defer s.Close()
	url := makeQueue(b, inProcess(s), "q", nil)
	var body strings.Builder
	fmt.Fprintf(&body, `{"QueueUrl":%q,"Entries":[`, *url)
	for i := range 10 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"Id":"%d","MessageBody":%q}`, i, strings.Repeat("x", 100))
	}
	body.WriteString("]}")
	transport := s.Transport()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			out, err := transport.RoundTrip(handlerRequest("POST", "/", "AmazonSQS.SendMessageBatch", body.String()))
			if err != nil || out.StatusCode != 200 {
				b.Error(err, out)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N*10)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkHandlerUpdateThingShadow(b *testing.B) {
	s := New(Options{})
	defer s.Close()
	transport := s.Transport()
	var n atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			out, err := transport.RoundTrip(handlerRequest("POST", fmt.Sprintf("/things/thing-%d/shadow", i%10_000), "",
				fmt.Sprintf(`{"state":{"reported":{"t":%d,"h":40.5,"_coap":{"v":1,"k":"0123456789abcdef"}}}}`, i)))
			if err != nil || out.StatusCode != 200 {
				b.Error(err, out)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}
