package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// writes is what AWS IoT was made to write, field by field: the number of the reading
// that each field had last. A copy of a reading, or a late one, must have no effect once a
// newer one has had its own: at no moment, not only in the end.
type writes map[string]*written

const (
	fieldsWritten = "fields written"
	effectAgain   = "duplicate or late effects"
)

type written struct {
	version int
	fields  map[string]int
}

// watch returns what notes a shadow's update once it has been answered, or nil if r is
// something else.
func (w *world) watch(r *http.Request) (note func(*http.Response)) {
	parts := strings.Split(r.URL.Path, "/") // /things/NAME/shadow
	if r.Method != http.MethodPost || service(r) != "iotdata" || len(parts) != 4 {
		return nil
	}
	body := bodyOf(r)
	return func(response *http.Response) {
		if response.StatusCode != http.StatusOK {
			return
		}
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			panic(err)
		}
		response.Body = io.NopCloser(bytes.NewReader(answer))
		var in struct {
			State struct{ Reported map[string]any }
		}
		var out struct{ Version int }
		if json.Unmarshal(body, &in) != nil || json.Unmarshal(answer, &out) != nil {
			w.faulty("AWS IoT took a shadow that is no JSON: %s", body)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.wrote(parts[2], out.Version, in.State.Reported)
	}
}

// bodyOf reads the body of a request, which can be read again.
func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// wrote enters one write; w.mu is held.
func (w *world) wrote(thing string, version int, reported map[string]any) {
	last := w.written[thing]
	if last == nil {
		last = &written{fields: map[string]int{}}
		w.written[thing] = last
	}
	if version < last.version {
		return // its answer was overtaken by a later one's
	}
	last.version = version
	for name, value := range reported {
		number, ok := readingOf(value)
		if !ok || name == "_coap" {
			continue
		}
		w.counts[fieldsWritten]++
		if before, ok := last.fields[name]; ok && number < before {
			w.counts[effectAgain]++
			w.faults = append(w.faults, fmt.Sprintf("%s: reading %d wrote %s after reading %d", thing, number, name, before))
		}
		last.fields[name] = number
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
