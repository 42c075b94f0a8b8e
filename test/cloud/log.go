package cloud

import (
	"encoding/json"
	"net/http"
	"sync"
)

// logs is CloudWatch Logs: streams of the groups that somebody else has made.
type logs struct {
	mu      sync.Mutex          // guards the following
	streams map[string][]string // lines, by region, group and stream
}

func newLogs() *logs { return &logs{streams: map[string][]string{}} }

type logParameters struct {
	LogGroupName  string `json:"logGroupName"`
	LogStreamName string `json:"logStreamName"`
	LogEvents     []struct {
		Message   string `json:"message"`
		Timestamp int64  `json:"timestamp"`
	} `json:"logEvents"`
}

func (p logParameters) stream(region string) string {
	return region + " " + p.LogGroupName + " " + p.LogStreamName
}

// Lines returns what was put into a stream.
func (c *Cloud) Lines(region, group, stream string) []string {
	c.logs.mu.Lock()
	defer c.logs.mu.Unlock()
	return c.logs.streams[logParameters{LogGroupName: group, LogStreamName: stream}.stream(region)]
}

// serve answers the two calls of a writer. A stream must be made before it is written to
// (CloudWatch Logs API Reference, PutLogEvents).
func (l *logs) serve(w http.ResponseWriter, in request, body []byte) {
	var parameters logParameters
	if err := json.Unmarshal(body, &parameters); err != nil {
		refuse(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	stream := parameters.stream(in.region)
	lines, made := l.streams[stream]
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch in.operation {
	case "CreateLogStream":
		if made {
			refuse(w, http.StatusBadRequest, "ResourceAlreadyExistsException", "The specified log stream already exists")
			return
		}
		l.streams[stream] = []string{}
		w.Write([]byte("{}"))
	case "PutLogEvents":
		if !made {
			refuse(w, http.StatusBadRequest, "ResourceNotFoundException", "The specified log stream does not exist.")
			return
		}
		for _, e := range parameters.LogEvents {
			lines = append(lines, e.Message)
		}
		l.streams[stream] = lines
		w.Write([]byte(`{"nextSequenceToken":"1"}`))
	default:
		refuse(w, http.StatusBadRequest, "UnknownOperationException", in.operation)
	}
}

// refuse answers an error in the form of the JSON protocols.
func refuse(w http.ResponseWriter, status int, name, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-ErrorType", name)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"__type": name, "message": message}) // the client is gone, or has it
}
