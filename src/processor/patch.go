package processor

import (
	"encoding/json"
	"strings"
)

// patch returns the request to UpdateThingShadow that writes what merge has changed,
// on condition that the shadow is still of the version that s describes.
func (s *state) patch() []byte {
	reported := map[string]any{
		bookkeepingField: bookkeeping{Version: bookkeepingVersion, Type: s.thingType, Keys: encodeKeys(s.newest, s.fields)},
	}
	for _, f := range s.fields {
		if f.changed && (f.stored || f.value != nil) {
			reported[f.name] = replacement(f.object, f.value)
		}
	}
	return appendJSON(nil, map[string]any{
		"state":   map[string]any{"reported": reported},
		"version": s.version,
	})
}

// replacement returns what an update has to say so that a field with the given old
// value, JSON if it is an object, has the given new one. AWS IoT merges an object
// into an object, so the keys that are to vanish are null. All else it replaces
// whole (AWS IoT Core Developer Guide, "Device Shadow service documents").
func replacement(object string, value any) any {
	next, ok := value.(map[string]any)
	if !ok || object == "" {
		return value
	}
	var old map[string]any
	d := json.NewDecoder(strings.NewReader(object))
	d.UseNumber()
	if err := d.Decode(&old); err != nil {
		panic(err) // it was part of a JSON document that has been read, or written by commit
	}
	return replaceObject(old, next)
}

func replaceObject(old, next map[string]any) map[string]any {
	out := make(map[string]any, len(next))
	for name, value := range next {
		out[name] = value
		if a, ok := old[name].(map[string]any); ok {
			if b, ok := value.(map[string]any); ok {
				out[name] = replaceObject(a, b)
			}
		}
	}
	for name := range old {
		if _, ok := next[name]; !ok {
			out[name] = nil
		}
	}
	return out
}

// commit makes s describe the shadow after the request of patch, which is now of the
// given version.
func (s *state) commit(version int64) {
	s.version = version
	for _, f := range s.fields {
		if !f.changed {
			continue
		}
		f.stored, f.object = f.value != nil, ""
		if _, ok := f.value.(map[string]any); ok {
			f.object = string(appendJSON(nil, f.value))
		}
		f.changed, f.name, f.value = false, "", nil
	}
}

// An updated is what is read of the answer to UpdateThingShadow.
type updated struct {
	Version int64 `json:"version"`
}

func parseUpdated(answer []byte) (version int64, err error) {
	var u updated
	err = json.Unmarshal(answer, &u)
	return u.Version, err
}
