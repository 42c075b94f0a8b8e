package dataplane

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// A plane answers the question for the endpoint.
type plane struct {
	asked  atomic.Int64
	answer func(ctx context.Context) (body string, err error)
}

func (p *plane) Do(r *http.Request) (*http.Response, error) {
	p.asked.Add(1)
	body, err := p.answer(r.Context())
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (p *plane) config(base *string) aws.Config {
	return aws.Config{
		Region: "us-east-1", HTTPClient: p, BaseEndpoint: base,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
}

const told = `{"endpointAddress":"account-ats.iot.test"}`

func TestClient(t *testing.T) {
	tests := []struct {
		name     string
		base     *string // of the SDK
		endpoint string
		want     string
		asked    int64
	}{
		{"configured", nil, "https://configured.test", "https://configured.test", 0},
		{"configured, and the SDK's", aws.String("http://own.test"), "https://configured.test", "https://configured.test", 0},
		{"the SDK's", aws.String("http://own.test"), "", "http://own.test", 0},
		{"told", nil, "", "https://account-ats.iot.test", 1},
	}
	for _, tt := range tests {
		p := &plane{answer: func(context.Context) (string, error) { return told, nil }}
		f := New(p.config(tt.base), tt.endpoint)
		for range 2 {
			client, err := f.Client(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if got := aws.ToString(client.Options().BaseEndpoint); got != tt.want {
				t.Errorf("%s: at %q, want %q", tt.name, got, tt.want)
			}
		}
		if got := p.asked.Load(); got != tt.asked {
			t.Errorf("%s: asked %d times, want %d", tt.name, got, tt.asked)
		}
	}
}

// A failure is not kept, and an answer without a name is one.
func TestAskAgain(t *testing.T) {
	answers := []string{"", `{}`, told}
	p := &plane{}
	p.answer = func(context.Context) (string, error) {
		if body := answers[p.asked.Load()-1]; body != "" {
			return body, nil
		}
		return "", errors.New("connection reset")
	}
	f := New(p.config(nil), "")
	for _, want := range []string{"connection reset", "names none", ""} {
		_, err := f.Client(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// While one caller's question hangs, those who wait for its answer give up in their own
// time and not in that caller's.
func TestHangingQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &plane{answer: func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}}
		f := New(p.config(nil), "")
		began := time.Now()
		var callers sync.WaitGroup
		call := func(patience time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if _, err := f.Client(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want a deadline", err)
			}
			if took := time.Since(began); took != patience {
				t.Errorf("gave up after %v, want %v", took, patience)
			}
		}
		callers.Go(func() { call(time.Minute) })
		synctest.Wait()
		for range 20 {
			callers.Go(func() { call(time.Second) })
		}
		callers.Wait()
	})
}
