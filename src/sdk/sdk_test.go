package sdk

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// late is a client that looks at the end of a body only when the SDK has closed it.
type late struct{ t *testing.T }

func (l late) Do(r *http.Request) (*http.Response, error) {
	if _, err := io.ReadFull(r.Body, make([]byte, r.ContentLength)); err != nil {
		l.t.Error(err)
	}
	r.Body.Close()
	if n, err := io.Copy(io.Discard, r.Body); n != 0 || err != nil {
		l.t.Errorf("after its end the body has %d bytes more, and %v", n, err)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func TestKeep(t *testing.T) {
	request, err := smithyhttp.NewStackRequest().(*smithyhttp.Request).SetStream(strings.NewReader("a body"))
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = 6
	if _, err := Keep(late{t}).Do(request.Build(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := Keep(http.DefaultClient).Do(httptest.NewRequest(http.MethodGet, "/", nil)); err == nil {
		t.Error("a request from a server's side was sent") // without a body, and without a panic
	}
}

// load returns a client of the server with what Load returns.
func load(t *testing.T, server *httptest.Server) *sqs.Client {
	t.Helper()
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	cfg, err := Load(t.Context(), config.WithRegion("us-east-1"), config.WithBaseEndpoint(server.URL),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("x", "x", "")))
	if err != nil {
		t.Fatal(err)
	}
	return sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		o.Retryer = aws.NopRetryer{}
		o.DisableMessageChecksumValidation = true
	})
}

// A queue that answers at once, with much to read, is read to the end; and the connection is
// there for the next call.
func TestConnectionIsKept(t *testing.T) {
	answer := []byte(`{"Messages":[{"Body":"` + strings.Repeat("x", 600<<10) + `"}]}`)
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.Write(answer)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := load(t, server)
	for n := range 300 {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(server.URL + "/1/q")})
		if err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
		if len(*out.Messages[0].Body) != 600<<10 {
			t.Fatalf("call %d: half an answer", n)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// What a burst has opened is there for the next one.
func TestConnectionsOfABurstAreKept(t *testing.T) {
	const burst, bursts = 20, 3
	var connections atomic.Int32
	var together sync.WaitGroup // of the calls of a burst: none is answered before all are there
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		together.Done()
		together.Wait()
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		io.WriteString(w, "{}")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := load(t, server)
	for range bursts {
		together.Add(burst)
		var calls sync.WaitGroup
		for range burst {
			calls.Go(func() {
				if _, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(server.URL + "/1/q")}); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
	}
	if n := connections.Load(); n < burst || n > burst+burst/4 {
		t.Errorf("%d connections for bursts of %d", n, burst)
	}
}
