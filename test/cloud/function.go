package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// A Function is one container of a Lambda function: a bootstrap that runs, with the
// environment that Terraform gives it and what Lambda adds.
type Function struct {
	// set once
	arn     string
	timeout time.Duration
	server  *httptest.Server
	work    chan *invocation
	ready   chan struct{} // closed at the first request for work
	ended   chan struct{} // closed when the process has ended
	output  *buffer

	asked   bool        // owned by the goroutine of next: one at a time, as the runtime asks
	current *invocation // likewise; set by next, taken by answer
}

type invocation struct {
	event    []byte
	deadline time.Time
	answer   chan answer // capacity 1
}

type answer struct {
	body []byte
	err  error
}

// initLimit is how long Lambda waits for a container's first request, three times that of
// the developer guide, for slow machines.
const initLimit = 30 * time.Second

// StartFunction starts a bootstrap and returns when it asks for work. environ is all that
// it gets beside PATH; the process ends with the test.
func StartFunction(t *testing.T, bootstrap, arn string, timeout time.Duration, environ []string) (*Function, error) {
	t.Helper()
	f := &Function{
		arn: arn, timeout: timeout,
		work: make(chan *invocation), ready: make(chan struct{}), ended: make(chan struct{}),
		output: &buffer{},
	}
	mux := http.NewServeMux()
	const root = "/2018-06-01/runtime/"
	mux.HandleFunc("GET "+root+"invocation/next", f.next)
	mux.HandleFunc("POST "+root+"invocation/{id}/response", f.answer)
	mux.HandleFunc("POST "+root+"invocation/{id}/error", f.answer)
	mux.HandleFunc("POST "+root+"init/error", func(http.ResponseWriter, *http.Request) {})
	f.server = httptest.NewServer(mux)

	cmd := exec.Command(bootstrap)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "AWS_LAMBDA_RUNTIME_API=" + f.server.Listener.Addr().String()}, environ...)
	cmd.Stdout, cmd.Stderr = f.output, f.output
	if err := cmd.Start(); err != nil {
		f.server.Close()
		return nil, fmt.Errorf("start %s: %w", bootstrap, err)
	}
	go func() {
		cmd.Wait() // that it ended is what matters; why is in its output
		close(f.ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill() // it may have ended
		<-f.ended
		f.server.CloseClientConnections()
		f.server.Close()
	})
	limit := time.NewTimer(initLimit)
	defer limit.Stop()
	select {
	case <-f.ready:
		return f, nil
	case <-f.ended:
		return nil, fmt.Errorf("start %s: it ended and said %s", bootstrap, f.output)
	case <-limit.C:
		return nil, fmt.Errorf("start %s: it does not ask for work; it said %s", bootstrap, f.output)
	}
}

// Output is what the function has logged so far.
func (f *Function) Output() string { return f.output.String() }

// Invoke runs the function once, with an event, and returns its response.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	inv := &invocation{event: event, deadline: time.Now().Add(f.timeout), answer: make(chan answer, 1)}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	select {
	case f.work <- inv:
	case <-f.ended:
		return nil, fmt.Errorf("invoke: it has ended and said %s", f.output)
	case <-ctx.Done():
		return nil, fmt.Errorf("invoke: %w", ctx.Err())
	}
	select {
	case a := <-inv.answer:
		return a.body, a.err
	case <-f.ended:
		return nil, fmt.Errorf("invoke: it ended and said %s", f.output)
	case <-ctx.Done():
		return nil, fmt.Errorf("invoke: %w; it said %s", ctx.Err(), f.output)
	}
}

func (f *Function) next(w http.ResponseWriter, r *http.Request) {
	if !f.asked {
		f.asked = true
		close(f.ready)
	}
	select {
	case inv := <-f.work:
		f.current = inv
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", "1")
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", f.arn)
		w.Write(inv.event) // if the container is gone, Invoke sees its end
	case <-r.Context().Done():
	}
}

func (f *Function) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the container is gone; Invoke sees its end
	}
	a := answer{body: body}
	if r.Header.Get("Lambda-Runtime-Function-Error-Type") != "" {
		a = answer{err: errors.New(string(bytes.TrimSpace(body)))}
	}
	f.current.answer <- a
	w.WriteHeader(http.StatusAccepted)
}
