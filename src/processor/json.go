package processor

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"
)

// decodeJSON decodes one JSON text. Numbers keep their digits. A key that occurs
// twice in an object is refused, as in I-JSON (RFC 7493, section 2.3): which one
// counts would be a guess. The error is a poison.
func decodeJSON(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, undecodable.because("JSON is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := jsonValue(d, maxNesting)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, undecodable.because("something follows the JSON")
	}
	return v, nil
}

// jsonValue reads the next value of d, which may be nested levels deep.
func jsonValue(d *json.Decoder, levels int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, undecodable.because("JSON: %v", err)
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if levels == 0 {
		return nil, tooDeep
	}
	var v any
	if delim == '{' {
		v, err = jsonObject(d, levels)
	} else {
		v, err = jsonArray(d, levels)
	}
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != nil { // the closing bracket
		return nil, undecodable.because("JSON: %v", err)
	}
	return v, nil
}

func jsonObject(d *json.Decoder, levels int) (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, undecodable.because("JSON: %v", err)
		}
		name, ok := token.(string)
		if !ok {
			return nil, undecodable.because("JSON: a key is not text")
		}
		if _, twice := object[name]; twice {
			return nil, undecodable.because("key %q occurs twice", name)
		}
		if object[name], err = jsonValue(d, levels-1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func jsonArray(d *json.Decoder, levels int) (any, error) {
	array := []any{}
	for d.More() {
		v, err := jsonValue(d, levels-1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	return array, nil
}
