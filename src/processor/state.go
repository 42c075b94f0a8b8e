package processor

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
)

// bookkeepingField is where the shadow keeps what the processor has to remember of a
// thing. No report may set a field whose name begins with it.
const bookkeepingField = "_coap"

// bookkeepingVersion is the version of the bookkeeping that is read and written.
const bookkeepingVersion = 1

// errBookkeeping reports bookkeeping of a version that this release does not know.
// A newer release wrote it, and will read it.
var errBookkeeping = errors.New("bookkeeping of an unknown version")

// A bookkeeping is the value of bookkeepingField.
type bookkeeping struct {
	Version int    `json:"v"`
	Type    string `json:"type,omitempty"` // the thing type; empty: registration is not known to be complete
	Keys    string `json:"k,omitempty"`    // see encodeKeys
}

// A state is what is known of a shadow's reported section: when each field was set,
// and what it takes to replace it. One goroutine owns it.
type state struct {
	version   int64  // of the shadow
	thingType string // of the bookkeeping
	newest    key    // of the newest report that was applied; zero: none is known
	fields    map[string]*field
}

// A field is a top-level field of reported, or the tombstone of one: it has a key so
// that nothing older sets it again. It is found by its id.
type field struct {
	key    key
	stored bool   // the shadow has a value
	object string // that value as JSON, if it is an object

	changed bool // value is to be written
	name    string
	value   any // nil: to be deleted
}

func (f *field) present() bool {
	if f.changed {
		return f.value != nil
	}
	return f.stored
}

// maxID bounds an id in bytes.
const maxID = 8

// id returns what stands for a field's name in the bookkeeping: the name itself up
// to 7 bytes, 8 bytes of its hash beyond. So no id of one kind is of the other, and
// two of 64 long names share an id once in 2^64 / (64*63/2) = 10^16 things.
func id(name string) string {
	if len(name) < maxID {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return string(sum[:maxID])
}

// parseShadow reads the answer to GetThingShadow. Bookkeeping that is missing or
// damaged leaves every field at the floor: it is rebuilt by the reports that follow.
// The error wraps errBookkeeping if the shadow is of a newer release.
func parseShadow(document []byte) (*state, error) {
	var doc struct {
		State struct {
			Reported map[string]json.RawMessage `json:"reported"`
		} `json:"state"`
		Version int64 `json:"version"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("read shadow: %w", err)
	}
	s := &state{version: doc.Version, fields: map[string]*field{}}
	var book bookkeeping
	if json.Unmarshal(doc.State.Reported[bookkeepingField], &book) != nil {
		book = bookkeeping{}
	}
	// The version alone does not tell: an older container that was about to create the
	// shadow may have set it back, see firstWrite.
	if book.Version > bookkeepingVersion || newerKeys(book.Keys) {
		return nil, fmt.Errorf("%w: %d", errBookkeeping, book.Version)
	}
	if book.Version == bookkeepingVersion {
		s.thingType = book.Type
		if newest, keys, ok := decodeKeys(book.Keys); ok {
			s.newest = newest
			for id, k := range keys {
				s.fields[id] = &field{key: k}
			}
		}
	}
	for name, value := range doc.State.Reported {
		if name == bookkeepingField {
			continue
		}
		f := s.fields[id(name)]
		if f == nil {
			f = &field{key: s.newest}
			s.fields[id(name)] = f
		}
		f.stored = true
		if value[0] == '{' {
			f.object = string(value)
		}
	}
	return s, nil
}

// bytes estimates the memory of s: its structs, 64 bytes for each entry of the map,
// and the text that it holds.
func (s *state) bytes() int {
	n := 160 + len(s.thingType)
	for id, f := range s.fields {
		n += 64 + 120 + len(id) + len(f.object)
	}
	return n
}
