package local

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// sqsOperations are those that are implemented, by the name in X-Amz-Target.
var sqsOperations = map[string]func(s *Service, c *call) (operation, *apiError){
	"CancelMessageMoveTask":        sqsIn((*Service).cancelMessageMoveTask),
	"ChangeMessageVisibility":      sqsIn((*Service).changeMessageVisibility),
	"ChangeMessageVisibilityBatch": sqsIn((*Service).changeMessageVisibilityBatch),
	"CreateQueue":                  sqsIn((*Service).createQueue),
	"DeleteMessage":                sqsIn((*Service).deleteMessage),
	"DeleteMessageBatch":           sqsIn((*Service).deleteMessageBatch),
	"DeleteQueue":                  sqsIn((*Service).deleteQueue),
	"GetQueueAttributes":           sqsIn((*Service).getQueueAttributes),
	"GetQueueUrl":                  sqsIn((*Service).getQueueURL),
	"ListDeadLetterSourceQueues":   sqsIn((*Service).listDeadLetterSourceQueues),
	"ListMessageMoveTasks":         sqsIn((*Service).listMessageMoveTasks),
	"ListQueues":                   sqsIn((*Service).listQueues),
	"ListQueueTags":                sqsIn((*Service).listQueueTags),
	"PurgeQueue":                   sqsIn((*Service).purgeQueue),
	"ReceiveMessage":               sqsIn((*Service).receiveMessage),
	"SendMessage":                  sqsIn((*Service).sendMessage),
	"SendMessageBatch":             sqsIn((*Service).sendMessageBatch),
	"SetQueueAttributes":           sqsIn((*Service).setQueueAttributes),
	"StartMessageMoveTask":         sqsIn((*Service).startMessageMoveTask),
	"TagQueue":                     sqsIn((*Service).tagQueue),
	"UntagQueue":                   sqsIn((*Service).untagQueue),
}

// queueURLIn begins the input of every operation on one queue.
type queueURLIn struct{ QueueUrl string }

func (in *queueURLIn) queueURL() string { return in.QueueUrl }

// sqsIn adapts a method that takes its decoded input. The region of a call is the one in
// the path of its queue URL, or else the one that it was signed for.
func sqsIn[In any](f func(*Service, *call, *In) (any, *apiError)) func(*Service, *call) (operation, *apiError) {
	return func(s *Service, c *call) (operation, *apiError) {
		in := new(In)
		if err := json.Unmarshal(c.body, in); err != nil {
			return nil, fail(http.StatusBadRequest, "SerializationException", "%v", err)
		}
		if u, ok := any(in).(interface{ queueURL() string }); ok {
			if region, _, _, ok := splitQueueURL(u.queueURL()); ok && validRegion(region) {
				c.region = s.region(region)
			}
		}
		return func() (any, *apiError) { return f(s, c, in) }, nil
	}
}

func (s *Service) serveSQS(w http.ResponseWriter, r *http.Request, body []byte) {
	out, err := s.callSQS(r, body)
	if err != nil {
		writeSQSError(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-amz-json-1.0")
	h.Set("X-Amzn-Requestid", newID())
	if out == nil {
		out = struct{}{}
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		panic(err) // our own types
	}
	w.Write(buf.Bytes())
}

// buffers keeps response buffers; none is held by anything after the response is written.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (s *Service) callSQS(r *http.Request, body []byte) (any, *apiError) {
	signed, err := signedRegion(r)
	if err != nil {
		return nil, err
	}
	service, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	decode := sqsOperations[name]
	if service != "AmazonSQS" || decode == nil || r.Method != http.MethodPost {
		return nil, unknownOperation(http.StatusBadRequest)
	}
	c := &call{
		service:   "sqs",
		operation: name,
		region:    s.region(signed),
		body:      body,
		request:   r,
	}
	op, err := decode(s, c)
	if err != nil {
		return nil, err
	}
	return s.answer(c, op)
}

// splitQueueURL takes http://HOST[/REGION]/ACCOUNT/NAME apart. Who is asked does not
// matter, only the path.
func splitQueueURL(text string) (region, account, name string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "", "", "", false
	}
	switch part := strings.Split(strings.Trim(u.Path, "/"), "/"); len(part) {
	case 2:
		return "", part[0], part[1], true
	case 3:
		return part[0], part[1], part[2], true
	}
	return "", "", "", false
}

// queue returns the queue that a request names.
func (s *Service) queue(c *call, queueURL string) (*queue, *apiError) {
	if queueURL == "" {
		return nil, missingParameter("QueueUrl")
	}
	_, account, name, ok := splitQueueURL(queueURL)
	if !ok {
		return nil, fail(http.StatusNotFound, "InvalidAddress", "The address %s is not valid for this endpoint.", queueURL)
	}
	if q := c.region.queues.get(name); q != nil && account == s.account {
		return q, nil
	}
	return nil, noQueue()
}

func (s *Service) queueURL(c *call, name string) string {
	base := s.baseURL
	if base == "" {
		base = "http://" + hostOf(c.request)
		if c.request.TLS != nil {
			base = "https://" + hostOf(c.request)
		}
	}
	return base + "/" + c.region.name + "/" + s.account + "/" + name
}

func noQueue() *apiError {
	return fail(http.StatusBadRequest, "QueueDoesNotExist", "The specified queue does not exist.")
}

func missingParameter(name string) *apiError {
	return fail(http.StatusBadRequest, "MissingParameter", "The request must contain the parameter %s.", name)
}

func invalidParameter(format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, "InvalidParameterValue", format, args...)
}

// longQueryCodes are the errors whose code in the older query protocol, which SDKs still
// report, has a prefix (service model, awsQueryError).
var longQueryCodes = []string{
	"BatchEntryIdsNotDistinct", "BatchRequestTooLong", "EmptyBatchRequest", "InvalidBatchEntryId",
	"MessageNotInflight", "PurgeQueueInProgress", "QueueDeletedRecently",
	"TooManyEntriesInBatchRequest", "UnsupportedOperation",
}

// queryCode returns that older code.
func (e *apiError) queryCode() string {
	switch {
	case e.name == "QueueDoesNotExist":
		return "AWS.SimpleQueueService.NonExistentQueue"
	case e.name == "QueueNameExists":
		return "QueueAlreadyExists"
	case slices.Contains(longQueryCodes, e.name):
		return "AWS.SimpleQueueService." + e.name
	}
	return e.name
}

func writeSQSError(w http.ResponseWriter, e *apiError) {
	h := w.Header()
	h.Set("Content-Type", "application/x-amz-json-1.0")
	h.Set("X-Amzn-Requestid", newID())
	fault := "Sender"
	if e.status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	kind := "com.amazonaws.sqs#" + e.name
	switch {
	case strings.HasSuffix(e.name, "Exception") && e.name != "ResourceNotFoundException":
		kind = "com.amazon.coral.service#" + e.name
	default:
		h.Set("X-Amzn-Query-Error", e.queryCode()+";"+fault)
	}
	w.WriteHeader(e.status)
	b, _ := json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{kind, e.message})
	w.Write(b)
}
