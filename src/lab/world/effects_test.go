package world

import (
	"encoding/json"
	"fmt"
	"slices"
)

const (
	fieldsWritten = "fields written"
	lateEffects   = "effects, late"
	twiceEffects  = "effects, duplicate"
)

// effects is what AWS IoT was made to write, field by field, with the reading that each
// value is of. A reading must have no effect once a newer one has had its own, and no
// second one, but for this (docs/order.md): the copy of a number that was received in a
// later slot is newer, and so is each copy of a reading without a number.
type effects struct {
	readings map[string]reading  // by thing and payload
	nulls    map[[2]string][]int // by thing and field: the readings that delete it
	copies   map[reading][]slot  // that the processor has been handed
	things   map[string]*written
}

// A reading is the n-th that a device has said.
type reading struct {
	thing    string
	n        int
	numbered bool
}

// A slot is what tells apart copies of one reading: without a number, who received it when.
type slot struct {
	at   int64
	from string
}

// slotBits gives the slots in which copies of one number are one report, in ms.
const slotBits = 18

// written is a thing's shadow as far as it was written.
type written struct {
	keys   string         // of the bookkeeping
	last   map[string]int // by field: the reading that has set or deleted it
	counts map[string]int // by field: how often that reading has set it
}

func newEffects() effects {
	return effects{readings: map[string]reading{}, nulls: map[[2]string][]int{}, copies: map[reading][]slot{}, things: map[string]*written{}}
}

// said enters reading n of a device. Two that only delete may have the same payload: no
// value tells then which it was.
func (e *effects) said(d *device, n int, fields map[string]any, payload []byte) {
	e.readings[d.name+" "+string(payload)] = reading{d.name, n, d.numbered}
	for name, value := range fields {
		if value == nil {
			e.nulls[[2]string{d.name, name}] = append(e.nulls[[2]string{d.name, name}], n)
		}
	}
	if e.things[d.name] == nil {
		e.things[d.name] = &written{last: map[string]int{}, counts: map[string]int{}}
	}
}

// arrived enters a copy of a reading that the processor is handed. at is when it was
// received, as the processor reckons.
func (e *effects) arrived(r reading, at int64, ingestor string) {
	s := slot{at, ingestor}
	if r.numbered {
		s = slot{at: at >> slotBits}
	}
	if !slices.Contains(e.copies[r], s) {
		e.copies[r] = append(e.copies[r], s)
	}
}

// updated hears of each update of a shadow, at the server: also of one whose answer is lost.
func (w *world) updated(thing string, request []byte) {
	var in struct {
		State struct {
			Desired  json.RawMessage
			Reported map[string]any
		}
		ClientToken string
	}
	err := json.Unmarshal(request, &in)
	w.mu.Lock()
	defer w.mu.Unlock()
	fault := func(format string, args ...any) {
		w.faults = append(w.faults, fmt.Sprintf(thing+": "+format, args...))
	}
	switch {
	case err != nil:
		fault("AWS IoT took what is no update: %s", request)
	case in.ClientToken == strangerToken:
		w.somebody.wrote(thing, in.State.Desired, in.State.Reported)
	case in.State.Desired != nil:
		fault("the processor has written desired: %s", request)
	case !w.mayHaveShadow(thing):
		fault("the shadow of a thing of which only poison was said was written: %s", request)
	default:
		if written := w.effects.things[thing]; written != nil {
			w.wrote(thing, written, in.State.Reported, fault)
		}
	}
}

// wrote enters a write of the processor's; w.mu is held.
func (w *world) wrote(thing string, to *written, reported map[string]any, fault func(string, ...any)) {
	twice := func(format string, args ...any) {
		w.counts[twiceEffects]++
		fault(format, args...)
	}
	late := func(format string, args ...any) {
		w.counts[lateEffects]++
		fault(format, args...)
	}
	book, _ := reported["_coap"].(map[string]any)
	switch keys, _ := book["k"].(string); {
	case keys == "" && len(book) == 1 && len(reported) == 1: // the first write: it says nothing
	case keys == to.keys:
		twice("a write that has brought no newer key: %v", reported)
	default:
		to.keys = keys
	}
	for name, value := range reported {
		if name == "_coap" {
			continue
		}
		w.counts[fieldsWritten]++
		before, was := to.last[name]
		if value == nil {
			// The first that can have deleted the value: later ones are bounded by that, at least.
			deleters := w.effects.nulls[[2]string{thing, name}]
			i := slices.IndexFunc(deleters, func(n int) bool { return !was || n > before })
			if i < 0 {
				late("%s was deleted after reading %d, and by no newer one", name, before)
				continue
			}
			to.last[name], to.counts[name] = deleters[i], 0
			continue
		}
		number, ok := readingOf(value)
		switch {
		case !ok:
			fault("%s was set to %v, which no reading is known by", name, value)
			continue
		case was && number < before:
			late("reading %d has set %s after reading %d", number, name, before)
		case !was || number > before:
			to.counts[name] = 0
		}
		to.last[name] = number
		to.counts[name]++
		copies := len(w.effects.copies[reading{thing, number, true}]) + len(w.effects.copies[reading{thing, number, false}])
		if to.counts[name] > copies {
			twice("reading %d has set %s %d times, and came with %d keys", number, name, to.counts[name], copies)
		}
	}
}

// readingOf finds the number of the reading in a value that a device has drawn.
func readingOf(value any) (number int, ok bool) {
	switch value := value.(type) {
	case float64:
		return int(value) / 100, true
	case string:
		_, err := fmt.Sscanf(value, "%d-", &number)
		return number, err == nil
	case []any:
		return readingOf(value[0])
	case map[string]any:
		for _, leaf := range value {
			if number, ok = readingOf(leaf); ok {
				return number, true
			}
		}
	}
	return 0, false
}
