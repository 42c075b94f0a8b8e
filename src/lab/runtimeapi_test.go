package lab

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A fakeRuntime speaks to a runtimeAPI over HTTP, as any language's runtime would.
type fakeRuntime struct {
	t   *testing.T
	url string
}

func (r fakeRuntime) do(method, path, body string, trailer http.Header) (*http.Response, string) {
	r.t.Helper()
	// A body of unknown length, so that there can be a trailer.
	request, err := http.NewRequest(method, r.url+"/2018-06-01/runtime/"+path, io.MultiReader(strings.NewReader(body)))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Trailer = trailer
	request.Header.Set("Lambda-Runtime-Function-Error-Type", "Runtime.Header")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response, string(text)
}

// next asks for an event, which is the answer's body.
func (r fakeRuntime) next() (id, event string) {
	r.t.Helper()
	response, text := r.do("GET", "invocation/next", "", nil)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
		r.t.Fatalf("next: %s, %v", response.Status, response.Header)
	}
	return response.Header.Get("Lambda-Runtime-Aws-Request-Id"), text
}

// expect sends and compares status and body.
func (r fakeRuntime) expect(path, body string, trailer http.Header, status int, want string) {
	r.t.Helper()
	response, text := r.do("POST", path, body, trailer)
	if response.StatusCode != status || strings.TrimSpace(text) != want {
		r.t.Errorf("%s: %s %s, want %d %s", path, response.Status, text, status, want)
	}
}

const accepted = `{"status":"OK"}`

func newRuntime(t *testing.T) (*runtimeAPI, fakeRuntime) {
	api := newRuntimeAPI()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return api, fakeRuntime{t, server.URL}
}

// hand hands an event to the runtime; the result comes on the channel.
func hand(api *runtimeAPI, id, event string) chan outcome {
	result := make(chan outcome, 1)
	go func() {
		inv := &invocation{id: id, arn: "arn:f", deadline: time.UnixMilli(1763840000123), event: []byte(event), outcome: make(chan outcome, 1)}
		response, _, err := api.invoke(context.Background(), inv)
		result <- outcome{response, err}
	}()
	return result
}

func TestRuntimeAPI(t *testing.T) {
	api, r := newRuntime(t)
	first := hand(api, "id-1", `{"n":1}`)
	response, event := r.do("GET", "invocation/next", "", nil)
	for name, want := range map[string]string{
		"Lambda-Runtime-Aws-Request-Id":       "id-1",
		"Lambda-Runtime-Deadline-Ms":          "1763840000123",
		"Lambda-Runtime-Invoked-Function-Arn": "arn:f",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if event != `{"n":1}` {
		t.Errorf("event %s", event)
	}
	select {
	case <-api.ready:
	default:
		t.Error("not ready after the first next")
	}
	invalid := `{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}`
	r.expect("invocation/id-0/response", "1", nil, http.StatusBadRequest, invalid)
	r.expect("invocation/id-0/error", "{}", nil, http.StatusBadRequest, invalid)
	r.expect("invocation/id-1/response", `{"ok":1}`, nil, http.StatusAccepted, accepted)
	if out := <-first; string(out.response) != `{"ok":1}` || out.err != nil {
		t.Errorf("outcome %s, %v", out.response, out.err)
	}
	r.expect("invocation/id-1/response", "again", nil, http.StatusBadRequest, invalid)

	for _, tt := range []struct {
		path, body string
		trailer    http.Header
		want       functionError
	}{
		{"error", `{"errorType":"E","errorMessage":"m","stackTrace":[]}`, nil, functionError{"E", "m"}},
		{"error", `{"errorMessage":"m"}`, nil, functionError{"Runtime.Header", "m"}},
		{"error", `no JSON`, nil, functionError{"Runtime.Header", "no JSON"}},
		{"response", `half`, http.Header{
			"Lambda-Runtime-Function-Error-Type": {"T"},
			"Lambda-Runtime-Function-Error-Body": {base64.StdEncoding.EncodeToString([]byte(`{"errorMessage":"broke off","errorType":"S"}`))},
		}, functionError{"S", "broke off"}},
	} {
		result := hand(api, "id-2", "{}")
		id, _ := r.next()
		r.expect("invocation/"+id+"/"+tt.path, tt.body, tt.trailer, http.StatusAccepted, accepted)
		out := <-result
		if fault, ok := errors.AsType[functionError](out.err); !ok || fault != tt.want {
			t.Errorf("%s %s: %#v, want %#v", tt.path, tt.body, out.err, tt.want)
		}
	}

	result := hand(api, "id-3", "{}")
	r.next()
	r.expect("invocation/id-3/response", strings.Repeat("x", maxPayload+1), nil, http.StatusRequestEntityTooLarge,
		`{"errorType":"RequestEntityTooLarge","errorMessage":"Exceeded maximum allowed payload size (6291456 bytes)."}`)
	if out := <-result; out.err == nil {
		t.Error("a response that is too large is no error")
	}

	// A runtime that asks for more has given up what it had.
	lost, following := hand(api, "id-4", "{}"), make(chan outcome)
	r.next()
	go func() { following <- <-hand(api, "id-5", "{}") }()
	if id, _ := r.next(); id != "id-5" {
		t.Errorf("next is %s", id)
	}
	if out := <-lost; out.err == nil {
		t.Error("an event without an answer is no error")
	}
	r.expect("invocation/id-4/response", "late", nil, http.StatusBadRequest, invalid)
	r.expect("invocation/id-5/response", "", nil, http.StatusAccepted, accepted)
	if out := <-following; out.err != nil || len(out.response) != 0 {
		t.Errorf("an empty response: %q, %v", out.response, out.err)
	}
}

// What goes wrong before the first event is an error of the container.
func TestInitError(t *testing.T) {
	api, r := newRuntime(t)
	for range 2 {
		r.expect("init/error", `{"errorType":"Runtime.Exit","errorMessage":"no"}`, nil, http.StatusAccepted, accepted)
	}
	if err := <-api.fault; err.Error() != "init: Runtime.Exit: no" {
		t.Error(err)
	}
	for _, path := range []string{"invocation/next/x", "extension/register"} {
		if response, _ := r.do("GET", path, "", nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
}

// An event that nobody asks for stays the caller's.
func TestNotHanded(t *testing.T) {
	api := newRuntimeAPI()
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errTimedOut)
	_, handed, err := api.invoke(ctx, &invocation{outcome: make(chan outcome, 1)})
	if handed || !errors.Is(err, errTimedOut) {
		t.Errorf("handed %v, %v", handed, err)
	}
	// And a runtime that goes away while it waits takes nothing with it.
	request := httptest.NewRequest("GET", "/2018-06-01/runtime/invocation/next", &bytes.Buffer{})
	gone, leave := context.WithCancel(context.Background())
	leave()
	api.ServeHTTP(httptest.NewRecorder(), request.WithContext(gone))
	if api.current != nil {
		t.Error("an event was handed to nobody")
	}
}
