package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/fxamacker/cbor/v2"

	"coap-for-aws-iot/src/coap"
)

// text is a payload as the user has given it.
type text struct {
	bytes []byte
	raw   bool // from stdin: sent as it is
}

// readText returns a payload that was typed; "-" means all of in, of which no more is read
// than shows that it is too much.
func readText(typed string, in io.Reader) (text, error) {
	if typed != "-" {
		return text{bytes: []byte(typed)}, nil
	}
	b, err := io.ReadAll(io.LimitReader(in, coap.MaxPayload+1))
	if err != nil {
		return text{}, fmt.Errorf("read the payload from stdin: %w", err)
	}
	if len(b) > coap.MaxPayload {
		return text{}, usagef("stdin has more than %d bytes: a report is one datagram of at most %d bytes, its payload at most %d", coap.MaxPayload, coap.MaxDatagram, coap.MaxPayload)
	}
	return text{bytes: b, raw: true}, nil
}

// Content-Formats (RFC 7252, section 12.3; RFC 8949, section 9.4).
const (
	textPlain   = 0
	octetStream = 42
	appJSON     = 50
	appCBOR     = 60
)

// encode returns the bytes of the nth payload and their Content-Format. The error is of what
// was typed.
func (t text) encode(n int, format string) ([]byte, int, error) {
	payload := t.bytes
	if !t.raw {
		payload = bytes.ReplaceAll(payload, []byte("{n}"), strconv.AppendInt(nil, int64(n), 10))
	}
	switch format {
	case "":
		// What begins so is JSON to the processor as well, whatever it is after that.
		if start := bytes.TrimLeft(payload, " \t\r\n"); len(start) == 0 || start[0] != '{' && start[0] != '[' {
			return payload, textPlain, nil
		}
		if !json.Valid(payload) {
			return nil, 0, errors.New("the payload begins like JSON and is none, so it would become a dead letter: quote it for the shell, as in '{\"t\":21.5}'; --format text sends it as it is")
		}
		return payload, appJSON, nil
	case "json":
		if !json.Valid(payload) {
			return nil, 0, errors.New("the payload is not JSON: quote it as in '{\"t\":21.5}', or choose another --format")
		}
		return payload, appJSON, nil
	case "text":
		return payload, textPlain, nil
	case "cbor":
		if t.raw {
			return payload, appCBOR, nil
		}
		encoded, err := cborOf(payload)
		return encoded, appCBOR, err
	case "octets":
		if t.raw {
			return payload, octetStream, nil
		}
		octets, err := hex.DecodeString(string(payload))
		if err != nil {
			return nil, 0, fmt.Errorf("the payload is not in hex, such as 0aff: %w", err)
		}
		return octets, octetStream, nil
	}
	number, err := strconv.ParseUint(format, 10, 16)
	if err != nil {
		return nil, 0, fmt.Errorf("--format %s: want json, cbor, text, octets or the number of a Content-Format (RFC 7252, section 12.3)", format)
	}
	return payload, int(number), nil
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
