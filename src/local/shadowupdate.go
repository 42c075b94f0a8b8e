package local

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"
)

// Limits of an update (AWS IoT developer guide, "Device Shadow error messages" and "Client
// tokens in shadow documents").
const (
	maxStateDepth  = 6  // levels of a section, the first of which is desired or reported itself
	maxClientToken = 64 // bytes
	// maxShadowRequest bounds the request: AWS IoT's quota for a message's payload.
	maxShadowRequest = 128 << 10
)

// A shadowUpdate is a valid request to UpdateThingShadow.
type shadowUpdate struct {
	desired, reported section
	version           *int64
	clientToken       string
	state             object // as it was sent; nil if it was null
}

// A section is desired or reported in an update: absent, null, or an object.
type section struct {
	present bool
	value   object
}

// parseShadowUpdate checks a request as AWS does and returns its error for the first fault.
func parseShadowUpdate(body []byte) (*shadowUpdate, *apiError) {
	if len(body) > maxShadowRequest {
		return nil, fail(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "The payload exceeds the maximum size allowed")
	}
	if !utf8.Valid(body) {
		return nil, fail(http.StatusUnsupportedMediaType, "UnsupportedDocumentEncodingException", "Unsupported documented encoding; supported encoding is UTF-8")
	}
	doc, ok := decodeJSON(body).(object)
	if !ok {
		return nil, invalidRequest("Invalid JSON")
	}
	state, has := doc["state"]
	if !has {
		return nil, invalidRequest("Missing required node: state")
	}
	u := &shadowUpdate{}
	if state == nil { // "setting the device's shadow state to null does not delete the shadow"
		u.desired.present, u.reported.present = true, true
	} else if u.state, ok = state.(object); !ok {
		return nil, invalidRequest("State node must be an object")
	}
	for k := range u.state {
		if k != "desired" && k != "reported" {
			return nil, invalidRequest("State contains an invalid node: '%s'", k)
		}
	}
	if u.desired, ok = sectionOf(u.state, "desired", u.desired); !ok {
		return nil, invalidRequest("Desired node must be an object")
	}
	if u.reported, ok = sectionOf(u.state, "reported", u.reported); !ok {
		return nil, invalidRequest("Reported node must be an object")
	}
	if depth(u.desired.value) > maxStateDepth || depth(u.reported.value) > maxStateDepth {
		return nil, invalidRequest("JSON contains too many levels of nesting; maximum is %d", maxStateDepth)
	}
	if nullInArray(u.state, false) {
		return nil, invalidRequest("Invalid JSON: an array contains null")
	}
	if v, has := doc["version"]; has && v != nil {
		n, _ := v.(json.Number)
		version, err := n.Int64()
		if err != nil || version < 0 {
			return nil, invalidRequest("Invalid version")
		}
		u.version = &version
	}
	if v, has := doc["clientToken"]; has {
		if u.clientToken, ok = v.(string); !ok || len(u.clientToken) > maxClientToken {
			return nil, invalidRequest("Invalid clientToken")
		}
	}
	return u, nil
}

// decodeJSON returns the one JSON value of b; nil if it is not valid.
func decodeJSON(b []byte) node {
	if !json.Valid(b) { // the whole of it: a Decoder would stop after the first value
		return nil
	}
	var v node
	if decodeNumbers(b, &v) != nil {
		return nil
	}
	return v
}

// decodeNumbers is json.Unmarshal that keeps numbers as they were written.
func decodeNumbers(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

// sectionOf returns a section of the state, or another if it is absent.
func sectionOf(state object, name string, or section) (s section, ok bool) {
	v, has := state[name]
	if !has {
		return or, true
	}
	if v == nil {
		return section{present: true}, true
	}
	o, ok := v.(object)
	return section{true, o}, ok
}

// depth counts the levels of objects and arrays.
func depth(v node) int {
	deepest := 0
	switch v := v.(type) {
	case object:
		for _, child := range v {
			deepest = max(deepest, depth(child))
		}
	case []any:
		for _, child := range v {
			deepest = max(deepest, depth(child))
		}
	default:
		return 0
	}
	return deepest + 1
}

func nullInArray(v node, inArray bool) bool {
	switch v := v.(type) {
	case nil:
		return inArray
	case object:
		for _, child := range v {
			if nullInArray(child, inArray) {
				return true
			}
		}
	case []any:
		for _, child := range v {
			if nullInArray(child, true) {
				return true
			}
		}
	}
	return false
}

// accepted is the answer to the update: the fields that it named and when they were
// written, and the new version.
func (u *shadowUpdate) accepted(next *shadow, now time.Time) json.RawMessage {
	at := object{"timestamp": now.Unix()}
	meta := node(at)
	if u.state != nil {
		meta = metaOf(u.state, at)
	}
	return encode(struct {
		State       object `json:"state"`
		Metadata    node   `json:"metadata"`
		Version     int64  `json:"version"`
		Timestamp   int64  `json:"timestamp"`
		ClientToken string `json:"clientToken,omitempty"`
	}{u.state, meta, next.version, now.Unix(), u.clientToken})
}

// marshal is json.Marshal without escaping what HTML minds.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
