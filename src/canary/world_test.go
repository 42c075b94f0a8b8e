package canary

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/metric"
	"coap-for-aws-iot/src/udp"
)

const primary, secondary = "us-east-1", "eu-west-1"

// A world is a canary in the secondary region, endpoints that do as they are told, and
// the AWS of both regions, all in a bubble.
type world struct {
	t       *testing.T
	aws     *local.Service
	net     *udp.Network
	config  Config
	canary  *Canary
	metrics bytes.Buffer
	log     bytes.Buffer
}

func inWorld(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, aws: local.New(local.Options{BaseURL: "http://local.test"}), net: udp.NewNetwork(nil)}
		defer w.aws.Close()
		for _, name := range []string{"reports", "dead"} {
			client := sqs.NewFromConfig(w.wire(secondary, w.aws.Transport()))
			out, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
			if err != nil {
				t.Fatal(err)
			}
			w.config.TouchQueues = append(w.config.TouchQueues, *out.QueueUrl)
		}
		w.config.Name, w.config.PrimaryRegion = "euw1", primary
		f(w)
	})
}

func (w *world) wire(region string, transport http.RoundTripper) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String("http://local.test"),
		Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
		HTTPClient:  &http.Client{Transport: transport},
	}
}

// start makes the canary; transport is what is between it and AWS.
func (w *world) start(transport http.RoundTripper) {
	w.canary = New(w.config, w.wire(secondary, transport))
	w.canary.metrics = &w.metrics
	w.canary.log = slog.New(slog.NewTextHandler(&w.log, nil))
	w.canary.device.Open = func(context.Context) (udp.Socket, error) {
		return w.net.Listen(netip.MustParseAddrPort("198.51.100.1:0"))
	}
}

// A host is behind one address: an ingestor and all that comes after it.
type host struct {
	lose   int32         // datagrams that do not reach it
	code   codes.Code    // of its answers; 0: none
	delay  time.Duration // of its answers
	lag    time.Duration // from then on until its report is in the shadow; negative: never
	region string        // whose AWS IoT is written to
	write  func(report string) string

	heard atomic.Int32
}

// listen puts a host on the network and into the canary's configuration.
func (w *world) listen(name, address string, h *host) {
	at := netip.MustParseAddrPort(address)
	w.config.Endpoints = append(w.config.Endpoints, Endpoint{name, at})
	if h == nil {
		return // nobody is there
	}
	socket, err := w.net.Listen(at)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { socket.Close() })
	go func() {
		for {
			packets := []udp.Packet{{Buf: make([]byte, coap.MaxDatagram)}}
			if _, err := socket.ReadBatch(packets); err != nil {
				return
			}
			if h.heard.Add(1) > h.lose && h.code != 0 {
				w.accept(h, socket, packets[0])
			}
		}
	}()
}

func (w *world) accept(h *host, socket udp.Socket, p udp.Packet) {
	r := new(coap.Request)
	if verdict := coap.Classify(p.Buf, r); verdict.Action != coap.Handle || !r.Confirmable {
		w.t.Errorf("not a CON request: %x", p.Buf)
		return
	}
	path, report := r.Path(), string(r.Payload)
	if string(path[0]) != "canary" || r.ContentFormat != 50 || r.Method != codes.POST {
		w.t.Errorf("%v /%s, format %d", r.Method, path, r.ContentFormat)
	}
	if h.write != nil {
		report = h.write(report)
	}
	thing := string(path[1])
	time.Sleep(h.delay)
	if h.code == codes.Changed && h.lag >= 0 {
		region := h.region
		if region == "" {
			region = primary
		}
		time.AfterFunc(h.lag, func() {
			client := iotdataplane.NewFromConfig(w.wire(region, w.aws.Transport()))
			_, err := client.UpdateThingShadow(context.Background(), &iotdataplane.UpdateThingShadowInput{
				ThingName: &thing, Payload: []byte(`{"state":{"reported":` + report + `}}`),
			})
			if err != nil {
				w.t.Error(err)
			}
		})
	}
	answer := r.Append(nil, 0, coap.Response{Code: h.code})
	socket.WriteBatch([]udp.Packet{{Buf: answer, Peer: p.Peer}})
}

// invoke runs the canary once and returns its metrics by "dimension value name".
func (w *world) invoke(timeout time.Duration) map[string]float64 {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), timeout)
	defer cancel()
	w.metrics.Reset()
	w.log.Reset()
	if err := w.canary.Handle(ctx); err != nil {
		w.t.Errorf("an endpoint's fault is the canary's: %v", err)
	}
	if err := ctx.Err(); err != nil {
		w.t.Error("it did not return in time")
	}
	found := map[string]float64{}
	for line := range strings.Lines(w.metrics.String()) {
		of, values, ok := metric.ParseLog([]byte(line))
		if !ok {
			w.t.Errorf("not a line of metrics: %s", line)
		}
		for name, n := range values {
			found[of.Name+" "+of.Value+" "+name] = n
		}
	}
	return found
}

// A hanging transport never answers on a path.
type hanging struct {
	next http.RoundTripper
	path string
}

func (h hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.Path, h.path) {
		return h.next.RoundTrip(r)
	}
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// An asked transport keeps the hosts that were asked for the endpoint of AWS IoT.
type asked struct {
	next  http.RoundTripper
	hosts []string
}

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/endpoint" {
		a.hosts = append(a.hosts, r.URL.Host)
	}
	return a.next.RoundTrip(r)
}
