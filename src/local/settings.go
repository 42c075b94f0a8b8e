package local

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are the attributes of a queue that a caller may set.
type settings struct {
	delay        time.Duration
	maxSize      int // bytes
	retention    time.Duration
	wait         time.Duration
	visibility   time.Duration
	policy       string // kept and given back; nothing is enforced by it
	managedSSE   bool   // kept and given back
	redrive      redrivePolicy
	redriveAllow redriveAllowPolicy
}

// A redrivePolicy says where a queue's messages go that were received too often. Its zero
// value: nowhere.
type redrivePolicy struct {
	target      string // ARN of the DLQ; empty: none
	maxReceives int
}

// A redriveAllowPolicy says which queues may use this one as their DLQ.
type redriveAllowPolicy struct {
	permission string // "", "allowAll", "denyAll" or "byQueue"
	sources    []string
}

// defaultSettings are those of the SQS API reference, CreateQueue.
func defaultSettings() settings {
	return settings{
		maxSize:    1 << 20,
		retention:  4 * 24 * time.Hour,
		visibility: 30 * time.Second,
		managedSSE: true,
	}
}

// settable are the names that CreateQueue and SetQueueAttributes take here.
var settable = []string{
	"DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "Policy",
	"ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy",
	"SqsManagedSseEnabled", "VisibilityTimeout",
}

// unsupported are attributes of AWS's that this package does not imitate: FIFO queues and
// customer keys.
var unsupported = []string{
	"ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit",
	"KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId",
}

// apply returns the settings with the given attributes changed, or AWS's error for the
// first that cannot be.
func (s settings) apply(attributes map[string]string) (settings, *apiError) {
	names := make([]string, 0, len(attributes))
	for name := range attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := s.set(name, attributes[name]); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *settings) set(name, value string) *apiError {
	seconds := func(to *time.Duration, low, high int) *apiError {
		n, err := attributeNumber(name, value, low, high)
		*to = time.Duration(n) * time.Second
		return err
	}
	var err *apiError
	switch name {
	case "DelaySeconds":
		err = seconds(&s.delay, 0, 900)
	case "MaximumMessageSize":
		s.maxSize, err = attributeNumber(name, value, 1024, 1<<20)
	case "MessageRetentionPeriod":
		err = seconds(&s.retention, 60, 1209600)
	case "ReceiveMessageWaitTimeSeconds":
		err = seconds(&s.wait, 0, 20)
	case "VisibilityTimeout":
		err = seconds(&s.visibility, 0, 43200)
	case "SqsManagedSseEnabled":
		if value != "true" && value != "false" {
			return invalidAttributeValue(name)
		}
		s.managedSSE = value == "true"
	case "Policy":
		if value != "" && !json.Valid([]byte(value)) {
			return invalidAttributeValue(name)
		}
		s.policy = value
	case "RedrivePolicy":
		s.redrive, err = parseRedrivePolicy(value)
	case "RedriveAllowPolicy":
		s.redriveAllow, err = parseRedriveAllowPolicy(value)
	default:
		if slices.Contains(unsupported, name) {
			return fail(http.StatusBadRequest, "UnsupportedOperation", "Queues with the attribute %s are not supported here.", name)
		}
		return fail(http.StatusBadRequest, "InvalidAttributeName", "Unknown Attribute %s.", name)
	}
	return err
}

func attributeNumber(name, value string, low, high int) (int, *apiError) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, invalidAttributeValue(name)
	}
	return n, nil
}

func invalidAttributeValue(name string) *apiError {
	return fail(http.StatusBadRequest, "InvalidAttributeValue", "Invalid value for the parameter %s.", name)
}

// parseRedrivePolicy reads {"deadLetterTargetArn": ..., "maxReceiveCount": 1 to 1000 or a
// string of it}. An empty text removes the policy.
func parseRedrivePolicy(text string) (p redrivePolicy, _ *apiError) {
	if text == "" {
		return p, nil
	}
	bad := func(reason string) (redrivePolicy, *apiError) {
		return redrivePolicy{}, fail(http.StatusBadRequest, "InvalidAttributeValue",
			"Value %s for parameter RedrivePolicy is invalid. Reason: %s", text, reason)
	}
	var in map[string]any
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return bad("Redrive policy is not a valid JSON map.")
	}
	for k := range in {
		if k != "deadLetterTargetArn" && k != "maxReceiveCount" {
			return bad("Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].")
		}
	}
	target, _ := in["deadLetterTargetArn"].(string)
	if target == "" {
		return bad("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
	}
	switch n := in["maxReceiveCount"].(type) {
	case float64:
		p.maxReceives = int(n)
	case string:
		p.maxReceives, _ = strconv.Atoi(n)
	default:
		return bad("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
	}
	if p.maxReceives < 1 || p.maxReceives > 1000 {
		return bad("Invalid value for maxReceiveCount: must be between 1 and 1000.")
	}
	p.target = target
	return p, nil
}

// parseRedriveAllowPolicy reads {"redrivePermission": ..., "sourceQueueArns": [...]}.
// An empty text removes the policy.
func parseRedriveAllowPolicy(text string) (p redriveAllowPolicy, _ *apiError) {
	if text == "" {
		return p, nil
	}
	bad := func(reason string) (redriveAllowPolicy, *apiError) {
		return redriveAllowPolicy{}, fail(http.StatusBadRequest, "InvalidAttributeValue",
			"Value %s for parameter RedriveAllowPolicy is invalid. Reason: %s", text, reason)
	}
	var in struct {
		RedrivePermission string   `json:"redrivePermission"`
		SourceQueueArns   []string `json:"sourceQueueArns"`
	}
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return bad("Amazon SQS can't create the redrive allow policy, as it's in an unsupported format.")
	}
	switch in.RedrivePermission {
	case "allowAll", "denyAll":
		if len(in.SourceQueueArns) > 0 {
			return bad("sourceQueueArns may be specified only when redrivePermission is byQueue.")
		}
	case "byQueue":
		if n := len(in.SourceQueueArns); n < 1 || n > 10 {
			return bad("sourceQueueArns must have 1 to 10 entries.")
		}
	default:
		return bad("redrivePermission must be one of allowAll, denyAll, byQueue.")
	}
	return redriveAllowPolicy{in.RedrivePermission, in.SourceQueueArns}, nil
}

// allows tells whether the queue with that ARN may use the policy's owner as its DLQ.
func (p redriveAllowPolicy) allows(source string) bool {
	switch p.permission {
	case "denyAll":
		return false
	case "byQueue":
		return slices.Contains(p.sources, source)
	}
	return true
}

// text returns the settings by their attribute names.
func (s settings) text() map[string]string {
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
	out := map[string]string{
		"DelaySeconds":                  seconds(s.delay),
		"MaximumMessageSize":            strconv.Itoa(s.maxSize),
		"MessageRetentionPeriod":        seconds(s.retention),
		"ReceiveMessageWaitTimeSeconds": seconds(s.wait),
		"SqsManagedSseEnabled":          strconv.FormatBool(s.managedSSE),
		"VisibilityTimeout":             seconds(s.visibility),
	}
	if s.policy != "" {
		out["Policy"] = s.policy
	}
	if s.redrive.target != "" {
		out["RedrivePolicy"] = `{"deadLetterTargetArn":` + quote(s.redrive.target) +
			`,"maxReceiveCount":` + strconv.Itoa(s.redrive.maxReceives) + `}`
	}
	switch {
	case s.redriveAllow.permission == "byQueue":
		quoted := make([]string, len(s.redriveAllow.sources))
		for i, arn := range s.redriveAllow.sources {
			quoted[i] = quote(arn)
		}
		out["RedriveAllowPolicy"] = `{"redrivePermission":"byQueue","sourceQueueArns":[` + strings.Join(quoted, ",") + `]}`
	case s.redriveAllow.permission != "":
		out["RedriveAllowPolicy"] = `{"redrivePermission":` + quote(s.redriveAllow.permission) + `}`
	}
	return out
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string cannot fail
	return string(b)
}
