package lab

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxPayload bounds an invocation's event and its response (AWS Lambda Developer Guide,
// "Lambda quotas": 6 MB each for a synchronous invocation).
const maxPayload = 6 << 20

// An invocation is one event on its way through a container.
type invocation struct {
	id       string
	arn      string
	deadline time.Time
	event    []byte
	outcome  chan outcome // capacity 1
}

type outcome struct {
	response []byte
	err      error
}

// A runtimeAPI is what a container sees of Lambda, over HTTP: it asks for the next
// invocation and answers it, one at a time (AWS Lambda Developer Guide, "Using the Lambda
// runtime API for custom runtimes").
type runtimeAPI struct {
	mux  http.ServeMux
	work chan *invocation // unbuffered: what is sent has been handed out
	// ready is closed when the runtime asks for its first invocation; fault holds what
	// it says in place of that.
	ready chan struct{}
	fault chan error // capacity 1

	mu      sync.Mutex // guards the following
	asked   bool
	current *invocation // handed out, not answered
}

func newRuntimeAPI() *runtimeAPI {
	a := &runtimeAPI{work: make(chan *invocation), ready: make(chan struct{}), fault: make(chan error, 1)}
	const root = "/2018-06-01/runtime/"
	a.mux.HandleFunc("GET "+root+"invocation/next", a.next)
	a.mux.HandleFunc("POST "+root+"invocation/{id}/response", a.response)
	a.mux.HandleFunc("POST "+root+"invocation/{id}/error", a.failure)
	a.mux.HandleFunc("POST "+root+"init/error", a.initFailure)
	return a
}

func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// invoke hands inv to the container when it asks for work, and returns its answer. handed
// says whether the container got it. The caller ends ctx when the container dies.
func (a *runtimeAPI) invoke(ctx context.Context, inv *invocation) (response []byte, handed bool, err error) {
	select {
	case a.work <- inv:
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
	select {
	case out := <-inv.outcome:
		return out.response, true, out.err
	case <-ctx.Done():
	}
	select {
	case out := <-inv.outcome: // its last word counts
		return out.response, true, out.err
	default:
		return nil, true, context.Cause(ctx)
	}
}

func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	if !a.asked {
		a.asked = true
		close(a.ready)
	}
	lost := a.current
	a.current = nil
	a.mu.Unlock()
	if lost != nil {
		lost.outcome <- outcome{err: errors.New("the runtime asked for the next event before it answered this one")}
	}
	var inv *invocation
	select {
	case inv = <-a.work:
	case <-r.Context().Done():
		return
	}
	a.mu.Lock()
	a.current = inv
	a.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", inv.arn)
	w.Write(inv.event) // if the container is gone, its end is the outcome
}

// take returns the invocation that a path names, which is thereby answered, or says 400.
func (a *runtimeAPI) take(w http.ResponseWriter, r *http.Request) *invocation {
	a.mu.Lock()
	defer a.mu.Unlock()
	inv := a.current
	if inv == nil || inv.id != r.PathValue("id") {
		runtimeError(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return nil
	}
	a.current = nil
	return inv
}

func (a *runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	if err != nil {
		return // the container died; its end is the outcome
	}
	inv := a.take(w, r)
	switch {
	case inv == nil:
	case len(body) > maxPayload:
		message := fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", maxPayload)
		inv.outcome <- outcome{err: functionError{Type: "Function.ResponseSizeTooLarge", Message: message}}
		runtimeError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", message)
	case r.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "":
		// What a stream of bytes ended in, in place of its end.
		fault := functionError{Type: r.Trailer.Get("Lambda-Runtime-Function-Error-Type")}
		text, _ := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
		json.Unmarshal(text, &fault)
		inv.outcome <- outcome{err: fault}
		runtimeAccepted(w)
	default:
		inv.outcome <- outcome{response: body}
		runtimeAccepted(w)
	}
}

func (a *runtimeAPI) failure(w http.ResponseWriter, r *http.Request) {
	fault, err := readFault(r)
	if err != nil {
		return
	}
	if inv := a.take(w, r); inv != nil {
		inv.outcome <- outcome{err: fault}
		runtimeAccepted(w)
	}
}

func (a *runtimeAPI) initFailure(w http.ResponseWriter, r *http.Request) {
	fault, err := readFault(r)
	if err != nil {
		return
	}
	select {
	case a.fault <- fmt.Errorf("init: %w", fault):
	default: // has said so already
	}
	runtimeAccepted(w)
}

// A functionError is an error that a function returned, or that its runtime reports.
type functionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e functionError) Error() string { return e.Type + ": " + e.Message }

// readFault reads the body of an error report. One that is no JSON counts as its text.
func readFault(r *http.Request) (functionError, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload))
	if err != nil {
		return functionError{}, err
	}
	fault := functionError{Type: r.Header.Get("Lambda-Runtime-Function-Error-Type")}
	if json.Unmarshal(body, &fault) != nil {
		fault.Message = string(body)
	}
	return fault, nil
}

func runtimeAccepted(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	io.WriteString(w, `{"status":"OK"}`)
}

func runtimeError(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(functionError{Type: kind, Message: message})
}
