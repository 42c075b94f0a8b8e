package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
	"github.com/plgd-dev/go-coap/v3/message"
)

// encodePayload returns the bytes of a payload that a user has typed, and their
// Content-Format. "-" means the bytes of in, as they are.
func encodePayload(typed, format string, in io.Reader) ([]byte, message.MediaType, error) {
	payload := []byte(typed)
	raw := typed == "-"
	if raw {
		var err error
		if payload, err = io.ReadAll(in); err != nil {
			return nil, 0, fmt.Errorf("read the payload from stdin: %w", err)
		}
	}
	switch format {
	case "":
		if json.Valid(payload) && strings.ContainsAny(string(payload[:1]), "{[") {
			return payload, message.AppJSON, nil
		}
		return payload, message.TextPlain, nil
	case "json":
		if !json.Valid(payload) {
			return nil, 0, errors.New("the payload is not JSON: quote it as in '{\"t\":21.5}', or choose another --format")
		}
		return payload, message.AppJSON, nil
	case "text":
		return payload, message.TextPlain, nil
	case "cbor":
		if raw {
			return payload, message.AppCBOR, nil
		}
		encoded, err := cborOf(payload)
		return encoded, message.AppCBOR, err
	case "octets":
		if raw {
			return payload, message.AppOctets, nil
		}
		octets, err := hex.DecodeString(typed)
		if err != nil {
			return nil, 0, fmt.Errorf("the payload is not in hex, such as 0aff: %w", err)
		}
		return octets, message.AppOctets, nil
	}
	n, err := strconv.ParseUint(format, 10, 16)
	if err != nil {
		return nil, 0, fmt.Errorf("--format %s: want json, cbor, text, octets or the number of a Content-Format (RFC 7252, section 12.3)", format)
	}
	return payload, message.MediaType(n), nil
}

// cborOf turns JSON text into CBOR. Whole numbers become integers.
func cborOf(text []byte) ([]byte, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if !json.Valid(text) || decoder.Decode(&value) != nil {
		return nil, errors.New("the payload of --format cbor is typed as JSON, such as '{\"t\":21.5}'")
	}
	value, err := plainNumbers(value)
	if err != nil {
		return nil, err
	}
	mode, err := cbor.CanonicalEncOptions().EncMode() // shortest floats, as devices do
	if err != nil {
		return nil, err
	}
	return mode.Marshal(value)
}

// plainNumbers replaces what JSON calls a number by the smallest kind that holds it.
func plainNumbers(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case map[string]any:
		for key := range v {
			if v[key], err = plainNumbers(v[key]); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range v {
			if v[i], err = plainNumbers(v[i]); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}
