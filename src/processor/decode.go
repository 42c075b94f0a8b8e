package processor

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"coap-for-aws-iot/src/envelope"
)

// The Content-Formats that are decoded (IANA, CoAP Content-Formats).
const (
	formatText      = 0
	formatOctets    = 42
	formatJSON      = 50
	formatCBOR      = 60
	formatSenMLJSON = 110
	formatSenMLCBOR = 112
)

// maxNesting bounds the levels that a decoder follows. It is generous: what is
// nested too deep for a shadow may hold nothing after all, and then is none.
const maxNesting = 64

// decode returns what r says: a value, cleaned, for each top-level field of the
// shadow; nil means that the field is to be deleted. The error is a poison.
//
// A report without payload has no fields: it says that the device is there.
func decode(r *envelope.Report) (map[string]any, error) {
	if len(r.Payload) == 0 {
		return nil, nil
	}
	v, err := decodePayload(r.Format, r.Payload)
	if err != nil {
		return nil, err
	}
	fields, ok := v.(map[string]any)
	if !ok {
		fields = map[string]any{"value": v}
	}
	for name, field := range fields {
		if strings.HasPrefix(name, bookkeepingField) {
			return nil, reserved.because("field %q", name)
		}
		if fields[name], err = clean(field); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

func decodePayload(format int, payload []byte) (any, error) {
	switch format {
	case envelope.NoFormat:
		if !utf8.Valid(payload) {
			return octets(payload), nil
		}
		return decodeText(payload)
	case formatText:
		if !utf8.Valid(payload) {
			return nil, undecodable.because("text is not UTF-8")
		}
		return decodeText(payload)
	case formatOctets:
		return octets(payload), nil
	case formatJSON:
		return decodeJSON(payload)
	case formatCBOR:
		return decodeCBOR(payload)
	case formatSenMLJSON:
		pack, err := decodeJSON(payload)
		if err != nil {
			return nil, err
		}
		return resolveSenML(pack)
	case formatSenMLCBOR:
		pack, err := decodeCBOR(payload)
		if err != nil {
			return nil, err
		}
		return resolveSenML(pack)
	}
	return nil, badFormat.because("%d", format)
}

// decodeText reads text as JSON if it begins like an object or an array.
func decodeText(payload []byte) (any, error) {
	if text := strings.TrimLeft(string(payload), " \t\r\n"); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return decodeJSON(payload)
	}
	return map[string]any{"text": string(payload)}, nil
}

func octets(payload []byte) any {
	return map[string]any{"base64": base64.StdEncoding.EncodeToString(payload)}
}
