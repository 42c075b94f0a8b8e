package local

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// maxShadowBytes bounds desired and reported together, written as JSON without spaces.
const maxShadowBytes = 8192

// A node is a JSON value as encoding/json decodes it, with numbers as json.Number.
type node = any

type object = map[string]any

// A shadow is one device shadow. It does not change: an update makes a new one, which
// shares what it did not touch.
type shadow struct {
	desired, reported         object // nil: the section does not exist
	desiredMeta, reportedMeta object // the same shape, with {"timestamp": seconds} at each leaf
	version                   int64
	deletedAt                 time.Time // zero: it exists
	commit                    *commit   // what makes it durable; nil: it is
}

func (s *shadow) deleted() bool { return !s.deletedAt.IsZero() }

// update returns what sh, which may be nil, becomes by u at the time now, or AWS's error.
func (sh *shadow) update(u *shadowUpdate, now time.Time) (*shadow, *apiError) {
	old := shadow{}
	if sh != nil && (!sh.deleted() || now.Sub(sh.deletedAt) < versionMemory) {
		old = *sh
	}
	if u.version != nil && *u.version != old.version {
		return nil, versionConflict()
	}
	next := &shadow{version: old.version + 1}
	at := object{"timestamp": json.Number(strconv.FormatInt(now.Unix(), 10))}
	next.desired, next.desiredMeta = u.desired.merge(old.desired, old.desiredMeta, at)
	next.reported, next.reportedMeta = u.reported.merge(old.reported, old.reportedMeta, at)
	if next.size() > maxShadowBytes {
		return nil, fail(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "The payload exceeds the maximum size allowed")
	}
	return next, nil
}

func (s *shadow) size() int {
	n := 0
	for _, section := range []object{s.desired, s.reported} {
		if section != nil {
			n += len(encode(section))
		}
	}
	return n
}

// merge returns a section of the state and its metadata with the update's section applied.
func (u section) merge(state, meta object, at object) (object, object) {
	switch {
	case !u.present:
		return state, meta
	case u.value == nil:
		return nil, nil
	}
	state, meta = mergeObject(state, meta, u.value, at)
	if len(state) == 0 {
		return nil, nil // an empty section is removed
	}
	return state, meta
}

// mergeObject returns copies of state and meta with patch applied: objects are merged,
// all else is replaced whole, null deletes.
func mergeObject(state, meta, patch, at object) (object, object) {
	newState, newMeta := maps.Clone(state), maps.Clone(meta)
	if newState == nil {
		newState, newMeta = make(object, len(patch)), make(object, len(patch))
	}
	for k, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(newState, k)
			delete(newMeta, k)
		case object:
			oldState, was := newState[k].(object)
			oldMeta, _ := newMeta[k].(object)
			if !was {
				oldMeta = nil
			}
			child, childMeta := mergeObject(oldState, oldMeta, v, at)
			if !was && len(child) == 0 && len(v) > 0 {
				// nothing but nulls: there is nothing to create
				delete(newState, k)
				delete(newMeta, k)
				continue
			}
			newState[k], newMeta[k] = child, childMeta
		default:
			newState[k], newMeta[k] = v, metaOf(v, at)
		}
	}
	return newState, newMeta
}

// metaOf returns the metadata of a value that was just written: of each leaf, also of a
// null, which an answer shows.
func metaOf(v node, at object) node {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for k, child := range v {
			out[k] = metaOf(child, at)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, child := range v {
			out[i] = metaOf(child, at)
		}
		return out
	}
	return at
}

// delta returns what desired has and reported has not, or has otherwise, with its
// metadata; nil if there is no difference.
func delta(desired, desiredMeta, reported object) (state, meta object) {
	for k, want := range desired {
		diff, diffMeta := want, desiredMeta[k]
		if has, ok := reported[k]; ok {
			if equal(want, has) {
				continue
			}
			if want, both := want.(object); both {
				if has, both := has.(object); both {
					childMeta, _ := desiredMeta[k].(object)
					child, meta := delta(want, childMeta, has)
					if child == nil {
						continue
					}
					diff, diffMeta = child, meta
				}
			}
		}
		if state == nil {
			state, meta = make(object), make(object)
		}
		state[k], meta[k] = diff, diffMeta
	}
	return state, meta
}

func equal(a, b node) bool {
	switch a := a.(type) {
	case object:
		b, ok := b.(object)
		return ok && maps.EqualFunc(a, b, equal)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case object, []any:
		return false
	}
	return a == b
}

// document is the answer to GetThingShadow.
func (s *shadow) document(now time.Time) json.RawMessage {
	state, meta := object{}, object{}
	put := func(name string, section, sectionMeta object) {
		if section != nil {
			state[name], meta[name] = section, sectionMeta
		}
	}
	put("desired", s.desired, s.desiredMeta)
	put("reported", s.reported, s.reportedMeta)
	diff, diffMeta := delta(s.desired, s.desiredMeta, s.reported)
	put("delta", diff, diffMeta)
	return encode(struct {
		State     object `json:"state"`
		Metadata  object `json:"metadata"`
		Version   int64  `json:"version"`
		Timestamp int64  `json:"timestamp"`
	}{state, meta, s.version, now.Unix()})
}

// encode writes JSON without spaces and without escaping what HTML minds.
func encode(v any) json.RawMessage {
	b, err := marshal(v)
	if err != nil {
		panic(err) // decoded from JSON, or our own types
	}
	return b
}
