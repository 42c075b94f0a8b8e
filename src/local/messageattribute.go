package local

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/http"
	"sort"
	"strconv"
	"strings"
)

// A messageAttribute is one user attribute of a message.
type messageAttribute struct {
	name     string
	dataType string // "String", "Number", "Binary", or one of them with ".label"
	value    string // text, or raw bytes where dataType begins with Binary
}

// attributeValue is a message attribute as it stands in JSON.
type attributeValue struct {
	DataType    *string `json:",omitempty"`
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

// maxAttributes is how many a message can have (SQS developer guide, "Amazon SQS message metadata").
const maxAttributes = 10

// parseAttributes checks the attributes of one message and returns them sorted by name.
func parseAttributes(in map[string]attributeValue) ([]messageAttribute, *apiError) {
	if len(in) == 0 {
		return nil, nil
	}
	if len(in) > maxAttributes {
		return nil, invalidParameter("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(in), maxAttributes)
	}
	out := make([]messageAttribute, 0, len(in))
	for name, v := range in {
		a, err := parseAttribute(name, v)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out, nil
}

func parseAttribute(name string, v attributeValue) (a messageAttribute, err *apiError) {
	if !validAttributeName(name) {
		return a, invalidParameter("The message attribute name '%s' is invalid.", name)
	}
	if v.DataType == nil || *v.DataType == "" {
		return a, invalidParameter("The message attribute '%s' must contain non-empty message attribute type.", name)
	}
	a = messageAttribute{name: name, dataType: *v.DataType}
	kind, _, _ := strings.Cut(a.dataType, ".")
	switch kind {
	case "String", "Number":
		if v.StringValue == nil || *v.StringValue == "" {
			return a, invalidParameter("The message attribute '%s' must contain a non-empty message attribute value for message attribute type '%s'.", name, kind)
		}
		a.value = *v.StringValue
		if !validText(a.value) {
			return a, fail(http.StatusBadRequest, "InvalidMessageContents", "Invalid characters found in the message attribute '%s'.", name)
		}
		if kind == "Number" && !validNumber(a.value) {
			return a, invalidParameter("Can't cast the value of message (user) attribute '%s' to a number.", name)
		}
	case "Binary":
		if len(v.BinaryValue) == 0 {
			return a, invalidParameter("The message attribute '%s' must contain a non-empty message attribute value for message attribute type 'Binary'.", name)
		}
		a.value = string(v.BinaryValue)
	default:
		return a, invalidParameter("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	}
	if len(a.dataType) > 256 {
		return a, invalidParameter("The length of message attribute type must be no more than 256 bytes.")
	}
	return a, nil
}

// validAttributeName keeps the rules of the SQS developer guide ("Message attribute
// components"): letters, digits, underscore, hyphen and period; no period at either end
// or twice in a row; no AWS or Amazon prefix; 256 characters.
func validAttributeName(name string) bool {
	if name == "" || len(name) > 256 || name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
		return false
	}
	for _, c := range []byte(name) {
		if !isWord(c) && c != '-' && c != '.' {
			return false
		}
	}
	lower := strings.ToLower(name)
	return !strings.HasPrefix(lower, "aws.") && !strings.HasPrefix(lower, "amazon.")
}

func validNumber(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) && !strings.ContainsAny(s, "xXpP_")
}

// attributesMD5 is the digest that SDKs check: over name, type and value in the order of
// names, each with its length before it (SQS developer guide, "Calculating the MD5 message
// digest for message attributes"). Empty for no attributes.
func attributesMD5(attributes []messageAttribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	add := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, a := range attributes {
		add(a.name)
		add(a.dataType)
		if strings.HasPrefix(a.dataType, "Binary") {
			b = append(b, 2)
		} else {
			b = append(b, 1)
		}
		add(a.value)
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// chosen returns those attributes that a receiver asked for: by name, by prefix
// ("bar.*"), or all ("All", ".*").
func chosen(attributes []messageAttribute, names []string) []messageAttribute {
	var out []messageAttribute
	for _, a := range attributes {
		for _, n := range names {
			prefix, isPrefix := strings.CutSuffix(n, ".*")
			if n == "All" || n == a.name || isPrefix && strings.HasPrefix(a.name, prefix) {
				out = append(out, a)
				break
			}
		}
	}
	return out
}

func attributesJSON(attributes []messageAttribute) map[string]attributeValue {
	if len(attributes) == 0 {
		return nil
	}
	out := make(map[string]attributeValue, len(attributes))
	for _, a := range attributes {
		v := attributeValue{DataType: &a.dataType}
		if strings.HasPrefix(a.dataType, "Binary") {
			v.BinaryValue = []byte(a.value)
		} else {
			v.StringValue = &a.value
		}
		out[a.name] = v
	}
	return out
}
