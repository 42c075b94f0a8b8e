package processor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A value of a report or a shadow is what encoding/json makes of JSON: nil, bool,
// json.Number (which keeps the digits as they came), string, []any or
// map[string]any.

// maxDepth is how deep a value may be nested: AWS IoT takes six levels of objects
// and arrays, the first two of which are "state" and "reported" (AWS IoT Core
// quotas, Device Shadow: maximum depth of JSON device state documents).
const maxDepth = 4

// A poison is the reason why a report can never be applied. It begins with one of
// the words of docs/order.md.
type poison string

func (p poison) Error() string { return string(p) }

// The reasons, in full or as the beginning of one.
const (
	malformed     = poison("malformed")      // not a bundle, or not a report
	undecodable   = poison("undecodable")    // the payload is not what its format says
	badFormat     = poison("content-format") // no decoder for this format
	tooDeep       = poison("too-deep")       // nested deeper than a shadow may be
	reserved      = poison("reserved")       // a field of the name that bookkeeping uses
	tooLarge      = poison("too-large")      // the shadow would exceed 8 KB
	tooManyFields = poison("too-many-fields")
	tooOld        = poison("too-old") // more than 15 days behind the newest report
	refused       = poison("refused") // AWS IoT calls the request invalid
	typeConflict  = poison("type-conflict")
	notAllowed    = poison("type-not-allowed")
	unknownType   = poison("unknown-type")
	unknownThing  = poison("unknown-thing")
	createBudget  = poison("create-budget")
	exhausted     = poison("exhausted") // sent again 20 times without success
	crash         = poison("crash")     // the processor died of it, again and again
)

// because adds detail to a reason.
func (p poison) because(format string, args ...any) poison {
	return p + ": " + poison(fmt.Sprintf(format, args...))
}

// reason returns the first word of the poison that err is.
func reason(err error) (poison, bool) {
	p, ok := errors.AsType[poison](err)
	if !ok {
		return "", false
	}
	word, _, _ := strings.Cut(string(p), ":")
	return poison(word), true
}

// clean returns v in the form in which AWS IoT stores it, whatever was there before;
// it may change v. An object's null is how an update deletes a key, so in a new value
// it says nothing, and an object without keys AWS IoT keeps or drops depending on
// what was there. Both are left out, and what has nothing left is nil. Arrays are
// stored as they are. The error is a poison.
func clean(v any) (any, error) {
	v = withoutNull(v)
	if depth(v) > maxDepth {
		return nil, tooDeep
	}
	if nullInArray(v, false) {
		return nil, undecodable.because("an array holds null")
	}
	return v, nil
}

func withoutNull(v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name, child := range object {
		if child = withoutNull(child); child == nil {
			delete(object, name)
		} else {
			object[name] = child
		}
	}
	if len(object) == 0 {
		return nil
	}
	return object
}

// depth counts the levels of objects and arrays in v.
func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
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

func nullInArray(v any, within bool) bool {
	switch v := v.(type) {
	case nil:
		return within
	case map[string]any:
		for _, child := range v {
			if nullInArray(child, within) {
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

// appendJSON appends v as JSON without escaping what HTML minds, keys in order.
func appendJSON(dst []byte, v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // values hold nothing that JSON cannot say
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
