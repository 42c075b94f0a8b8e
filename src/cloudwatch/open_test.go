package cloudwatch

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A fakeService answers as CloudWatch Logs does, over its wire protocol (AWS JSON 1.1).
type fakeService struct {
	group, stream bool     // what exists
	fault         string   // the type of an error for PutLogEvents
	result        string   // of PutLogEvents
	calls         []string // operation and body
}

func (f *fakeService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, _ := io.ReadAll(r.Body)
	f.calls = append(f.calls, operation+" "+string(body))
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	fail := func(kind string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":%q,"message":"The specified thing is not as it should be."}`, kind)
	}
	switch {
	case !f.group || operation == "PutLogEvents" && !f.stream:
		fail("ResourceNotFoundException")
	case operation == "CreateLogStream" && f.stream:
		fail("ResourceAlreadyExistsException")
	case operation == "CreateLogStream":
		f.stream = true
		io.WriteString(w, "{}")
	case f.fault != "":
		fail(f.fault)
	default:
		io.WriteString(w, f.result)
	}
}

func (f *fakeService) operations() (names []string) {
	for _, call := range f.calls {
		name, _, _ := strings.Cut(call, " ")
		names = append(names, name)
	}
	return names
}

func open(t *testing.T, f http.Handler) Put {
	t.Helper()
	server := httptest.NewTLSServer(f)
	t.Cleanup(server.Close)
	authority := filepath.Join(t.TempDir(), "authority.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_CA_BUNDLE": authority, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	put, err := Open(t.Context(), "us-east-1", "/coap/ingestor", "use1-a")
	if err != nil {
		t.Fatal(err)
	}
	return put
}

func TestPut(t *testing.T) {
	events := []Event{{1763840000123, `{"msg":"a \"b\""}`}, {1763840000124, "c"}}
	for _, tt := range []struct {
		name     string
		service  fakeService
		want     []string
		rejected int
		err      string
		refused  bool
	}{
		{"as usual", fakeService{group: true, stream: true, result: "{}"}, []string{"PutLogEvents"}, 0, "", false},
		{"a stream that is missing is created", fakeService{group: true, result: "{}"}, []string{"PutLogEvents", "CreateLogStream", "PutLogEvents"}, 0, "", false},
		{"a group that is missing is not", fakeService{}, []string{"PutLogEvents", "CreateLogStream"}, 0, "create log stream use1-a in /coap/ingestor", false},
		{"one attempt", fakeService{group: true, stream: true, fault: "ThrottlingException"}, []string{"PutLogEvents"}, 0, "ThrottlingException", false},
		{"no access", fakeService{group: true, stream: true, fault: "AccessDeniedException"}, []string{"PutLogEvents"}, 0, "AccessDeniedException", false},
		{"refused for good", fakeService{group: true, stream: true, fault: "InvalidParameterException"}, []string{"PutLogEvents"}, 0, "InvalidParameterException", true},
		{"some too old", fakeService{group: true, stream: true, result: `{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1,"expiredLogEventEndIndex":1}}`}, []string{"PutLogEvents"}, 1, "", false},
		{"some older than the group keeps", fakeService{group: true, stream: true, result: `{"rejectedLogEventsInfo":{"expiredLogEventEndIndex":1}}`}, []string{"PutLogEvents"}, 1, "", false},
		{"some too new", fakeService{group: true, stream: true, result: `{"rejectedLogEventsInfo":{"tooNewLogEventStartIndex":0}}`}, []string{"PutLogEvents"}, 2, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			rejected, err := open(t, &tt.service)(ctx, events)
			if got := tt.service.operations(); !slices.Equal(got, tt.want) {
				t.Errorf("calls %q, want %q", got, tt.want)
			}
			if rejected != tt.rejected || errors.Is(err, ErrRefused) != tt.refused {
				t.Errorf("rejected %d, error %v", rejected, err)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			var sent struct {
				LogGroupName, LogStreamName string
				LogEvents                   []struct {
					Timestamp int64
					Message   string
				}
			}
			_, body, _ := strings.Cut(tt.service.calls[len(tt.service.calls)-1], " ")
			if err := json.Unmarshal([]byte(body), &sent); err != nil {
				t.Fatal(err)
			}
			if sent.LogGroupName != "/coap/ingestor" || sent.LogStreamName != "use1-a" {
				t.Errorf("sent to %s, %s", sent.LogGroupName, sent.LogStreamName)
			}
			if tt.err == "" && (len(sent.LogEvents) != 2 || sent.LogEvents[0].Message != events[0].Line || sent.LogEvents[1].Timestamp != events[1].Time) {
				t.Errorf("sent %s", body)
			}
		})
	}
}
