package processor

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"strconv"

	"github.com/fxamacker/cbor/v2"
)

// cborMode refuses what is not valid CBOR, repeated keys among it (RFC 8949, section
// 5.6), and nesting beyond maxNesting, tags included.
var cborMode = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:       cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels: maxNesting,
		IntDec:          cbor.IntDecConvertNone,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

// byteText is how a byte string becomes text.
type byteText func([]byte) string

// decodeCBOR decodes one CBOR data item to what JSON can say, after RFC 8949,
// section 6.1, but for two things that section leaves a choice in: a map's integer
// keys become text, and what has no counterpart (NaN, infinities, undefined) is
// refused, since null would delete a field. The error is a poison.
func decodeCBOR(data []byte) (any, error) {
	if err := cborMode.Wellformed(data); err != nil {
		return nil, undecodable.because("CBOR: %v", err)
	}
	return cborValue(data, base64.RawURLEncoding.EncodeToString)
}

// cborValue decodes one well-formed item. It goes level by level, and not to any in
// one go, because the width of a float says how many digits of it mean something.
func cborValue(item cbor.RawMessage, text byteText) (any, error) {
	var err error
	switch item[0] >> 5 {
	case 0, 1:
		var n big.Int
		if err = cborMode.Unmarshal(item, &n); err == nil {
			return json.Number(n.String()), nil
		}
	case 2:
		var b []byte
		if err = cborMode.Unmarshal(item, &b); err == nil {
			return text(b), nil
		}
	case 3:
		var s string
		if err = cborMode.Unmarshal(item, &s); err == nil {
			return s, nil
		}
	case 4:
		return cborArray(item, text)
	case 5:
		return cborMap(item, text)
	case 6:
		return cborTag(item, text)
	case 7:
		return cborSimple(item)
	}
	return nil, undecodable.because("CBOR: %v", err)
}

func cborArray(item cbor.RawMessage, text byteText) (any, error) {
	var items []cbor.RawMessage
	if err := cborMode.Unmarshal(item, &items); err != nil {
		return nil, undecodable.because("CBOR: %v", err)
	}
	array := make([]any, len(items))
	for i, item := range items {
		v, err := cborValue(item, text)
		if err != nil {
			return nil, err
		}
		array[i] = v
	}
	return array, nil
}

func cborMap(item cbor.RawMessage, text byteText) (any, error) {
	var items map[any]cbor.RawMessage
	if err := cborMode.Unmarshal(item, &items); err != nil {
		return nil, undecodable.because("CBOR: %v", err)
	}
	object := make(map[string]any, len(items))
	for key, item := range items {
		var name string
		switch key := key.(type) {
		case string:
			name = key
		case uint64:
			name = strconv.FormatUint(key, 10)
		case int64:
			name = strconv.FormatInt(key, 10)
		default:
			return nil, undecodable.because("CBOR: a key is neither text nor an integer")
		}
		if _, twice := object[name]; twice {
			return nil, undecodable.because("key %q occurs twice", name)
		}
		v, err := cborValue(item, text)
		if err != nil {
			return nil, err
		}
		object[name] = v
	}
	return object, nil
}

func cborTag(item cbor.RawMessage, text byteText) (any, error) {
	var tag cbor.RawTag
	if err := cborMode.Unmarshal(item, &tag); err != nil {
		return nil, undecodable.because("CBOR: %v", err)
	}
	switch tag.Number {
	case 3: // negative bignum
		text = func(b []byte) string { return "~" + base64.RawURLEncoding.EncodeToString(b) }
	case 2, 21: // bignum, base64url
		text = base64.RawURLEncoding.EncodeToString
	case 22:
		text = base64.StdEncoding.EncodeToString
	case 23:
		text = func(b []byte) string { return hex.EncodeToString(b) }
	}
	return cborValue(tag.Content, text)
}

func cborSimple(item cbor.RawMessage) (any, error) {
	switch item[0] {
	case 0xf4:
		return false, nil
	case 0xf5:
		return true, nil
	case 0xf6:
		return nil, nil
	case 0xf9, 0xfa:
		var f float32
		if err := cborMode.Unmarshal(item, &f); err != nil {
			return nil, undecodable.because("CBOR: %v", err)
		}
		return number(float64(f), 32)
	case 0xfb:
		var f float64
		if err := cborMode.Unmarshal(item, &f); err != nil {
			return nil, undecodable.because("CBOR: %v", err)
		}
		return number(f, 64)
	}
	return nil, undecodable.because("CBOR: simple value %#x", []byte(item))
}

// number returns the shortest decimal that stands for f among floats of the given
// width.
func number(f float64, bits int) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, undecodable.because("%v is not a number of JSON", f)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return json.Number(strconv.FormatFloat(f, format, -1, bits)), nil
}
