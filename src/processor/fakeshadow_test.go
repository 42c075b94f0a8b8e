package processor

import (
	"encoding/json"
	"fmt"
	"maps"
)

// A fakeShadow is the reported section of AWS IoT: versioned, recursively merged.
type fakeShadow struct {
	version  int64
	reported map[string]any
}

func (f *fakeShadow) document() []byte {
	return appendJSON(nil, map[string]any{"state": map[string]any{"reported": f.reported}, "version": f.version})
}

func (f *fakeShadow) update(request []byte) (version int64) {
	var r struct {
		State struct {
			Reported map[string]any `json:"reported"`
		} `json:"state"`
		Version int64 `json:"version"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		panic(err)
	}
	if r.Version != f.version {
		panic(fmt.Sprintf("request for version %d of a shadow of version %d", r.Version, f.version))
	}
	f.reported = recursive(f.reported, r.State.Reported)
	f.version++
	return f.version
}

// recursive is how AWS IoT merges. A value that is new it stores as it is, nulls
// included, so that a request that relies on more is seen to.
func recursive(old, patch map[string]any) map[string]any {
	out := maps.Clone(old)
	for k, v := range patch {
		a, aOK := out[k].(map[string]any)
		b, bOK := v.(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case aOK && bOK:
			out[k] = recursive(a, b)
		default:
			out[k] = v
		}
	}
	return out
}

func newShadow(reported string) *fakeShadow {
	f := &fakeShadow{version: 1, reported: map[string]any{}}
	f.update([]byte(`{"version":1,"state":{"reported":` + reported + `}}`))
	return f
}

func (f *fakeShadow) values() string {
	out := recursive(f.reported, map[string]any{bookkeepingField: nil})
	return string(appendJSON(nil, out))
}
