package processor

import (
	"cmp"
	"encoding/json"
	"maps"
	"strings"
)

// senmlLabels maps the labels of SenML in CBOR, as text, to those in JSON (RFC 8428,
// table 4).
var senmlLabels = map[string]string{
	"-1": "bver", "-2": "bn", "-3": "bt", "-4": "bu", "-5": "bv", "-6": "bs",
	"0": "n", "1": "u", "2": "v", "3": "vs", "4": "vb", "5": "s", "6": "t", "7": "ut", "8": "vd",
}

// senmlVersion is the newest version of SenML that is understood (RFC 8428, section 4.4).
const senmlVersion = 10

// A senmlTime is the time of a record. A time below 2^28 is relative to now (RFC
// 8428, section 4.5.3), which is later than any absolute time that a device measured at.
type senmlTime struct {
	relative bool
	seconds  float64
}

func (t senmlTime) compare(u senmlTime) int {
	if t.relative != u.relative {
		if t.relative {
			return +1
		}
		return -1
	}
	return cmp.Compare(t.seconds, u.seconds)
}

// resolveSenML makes fields of a decoded SenML pack: the resolved name of a record,
// base name and name together (RFC 8428, section 4.6), and its value. Of several
// records of one name the one measured last counts, because a shadow is the latest
// state. A record with a sum and no value is its sum; one with both is an object.
// Units say nothing about the state and are left out. The error is a poison.
func resolveSenML(pack any) (any, error) {
	records, ok := pack.([]any)
	if !ok {
		return nil, undecodable.because("SenML: not an array")
	}
	var base senmlBase
	fields := map[string]any{}
	times := map[string]senmlTime{}
	for _, r := range records {
		labels, ok := r.(map[string]any)
		if !ok {
			return nil, undecodable.because("SenML: a record is not a map")
		}
		record, err := senmlRecord(labels)
		if err != nil {
			return nil, err
		}
		if err := base.update(record); err != nil {
			return nil, err
		}
		name, at, v, err := base.resolve(record)
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue // only base values
		}
		if last, seen := times[name]; !seen || at.compare(last) >= 0 {
			fields[name], times[name] = v, at
		}
	}
	return fields, nil
}

// senmlRecord returns a record under the labels of JSON.
func senmlRecord(labels map[string]any) (map[string]any, error) {
	record := maps.Clone(labels)
	for label, v := range labels {
		if text, ok := senmlLabels[label]; ok {
			if _, twice := labels[text]; twice {
				return nil, undecodable.because("SenML: label %q occurs twice", text)
			}
			delete(record, label)
			record[text] = v
			continue
		}
		if strings.HasSuffix(label, "_") { // RFC 8428, section 4.4: must be understood
			return nil, undecodable.because("SenML: label %q", label)
		}
	}
	return record, nil
}

// A senmlBase holds the base values, which count from their record onwards (RFC
// 8428, section 4.1).
type senmlBase struct {
	name       string
	time       float64
	value, sum float64
}

func (b *senmlBase) update(record map[string]any) (err error) {
	if err := optional(record, "bn", &b.name); err != nil {
		return err
	}
	for label, p := range map[string]*float64{"bt": &b.time, "bv": &b.value, "bs": &b.sum} {
		if err := optionalNumber(record, label, p); err != nil {
			return err
		}
	}
	version := 0.0
	if err := optionalNumber(record, "bver", &version); err != nil {
		return err
	}
	if version > senmlVersion {
		return undecodable.because("SenML: version %v", version)
	}
	return nil
}

// resolve returns name, time and value of a record; no value if it has none.
func (b *senmlBase) resolve(record map[string]any) (name string, at senmlTime, v any, err error) {
	if err = optional(record, "n", &name); err != nil {
		return
	}
	if err = optionalNumber(record, "t", &at.seconds); err != nil {
		return
	}
	name = b.name + name
	at.seconds += b.time
	at.relative = at.seconds < 1<<28

	if v, err = b.valueOf(record); err != nil {
		return
	}
	sum, has := record["s"]
	if has {
		if sum, err = plus(sum, b.sum); err != nil {
			return
		}
	}
	switch {
	case has && v != nil:
		v = map[string]any{"value": v, "sum": sum}
	case has:
		v = sum
	}
	if v != nil && !senmlName(name) {
		err = undecodable.because("SenML: name %q", name)
	}
	return
}

// valueOf returns the value of a record, nil if it has none. It has one at most.
func (b *senmlBase) valueOf(record map[string]any) (v any, err error) {
	for _, label := range []string{"v", "vs", "vb", "vd"} {
		x, ok := record[label]
		if !ok {
			continue
		}
		if v != nil {
			return nil, undecodable.because("SenML: a record has two values")
		}
		switch label {
		case "v":
			x, err = plus(x, b.value)
		case "vb":
			if _, ok = x.(bool); !ok {
				err = undecodable.because(`SenML: "vb" is not a boolean`)
			}
		default:
			if _, ok = x.(string); !ok {
				err = undecodable.because("SenML: %q is not text", label)
			}
		}
		if err != nil {
			return nil, err
		}
		v = x
	}
	return v, nil
}

// plus adds a base to a number, whose digits stay as they are if there is none.
func plus(v any, base float64) (any, error) {
	n, ok := v.(json.Number)
	if !ok {
		return nil, undecodable.because("SenML: a value is not a number")
	}
	if base == 0 {
		return n, nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, undecodable.because("SenML: %v", err)
	}
	return number(f+base, 64)
}

// senmlName says whether a resolved name is one (RFC 8428, section 4.5.1).
func senmlName(name string) bool {
	for i, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && strings.IndexByte("-:./_", c) >= 0:
		default:
			return false
		}
	}
	return name != ""
}

func optional(record map[string]any, label string, p *string) error {
	v, ok := record[label]
	if !ok {
		return nil
	}
	if *p, ok = v.(string); !ok {
		return undecodable.because("SenML: %q is not text", label)
	}
	return nil
}

func optionalNumber(record map[string]any, label string, p *float64) error {
	v, ok := record[label]
	if !ok {
		return nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return undecodable.because("SenML: %q is not a number", label)
	}
	f, err := n.Float64()
	if err != nil {
		return undecodable.because("SenML: %q: %v", label, err)
	}
	*p = f
	return nil
}
