package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A logbook is the lab's log: a line for each line of a child, or of the lab's own, with
// the time and the name of who says it. The children write JSON, which is for CloudWatch;
// here a person reads it.
type logbook struct {
	mu   sync.Mutex // guards the following
	w    io.Writer
	last map[string]string // by name, the last line of its process
}

func newLogbook(w io.Writer) *logbook { return &logbook{w: w, last: map[string]string{}} }

// line adds a line that name's process has written.
func (l *logbook) line(name string, line []byte) {
	text := readable(line)
	l.mu.Lock()
	l.last[name] = text
	l.mu.Unlock()
	l.add(name, text)
}

// of returns the function by which the lab itself speaks about name.
func (l *logbook) of(name string) func(format string, args ...any) {
	return func(format string, args ...any) { l.add(name, fmt.Sprintf(format, args...)) }
}

func (l *logbook) add(name, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "%s %-12s %s\n", time.Now().Format("15:04:05.000"), name, text)
}

// lastOf returns the last line that name's process has written.
func (l *logbook) lastOf(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[name]
}

// readable turns a line of log/slog's JSON into text: level unless it is INFO, message,
// and the other fields as key=value. Any other line stays as it is.
func readable(line []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(line))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return string(line)
	}
	var level, message string
	var rest strings.Builder
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return string(line)
		}
		var raw json.RawMessage
		if decoder.Decode(&raw) != nil {
			return string(line)
		}
		value := string(raw)
		json.Unmarshal(raw, &value) // a string loses its quotes
		switch key {
		case "time":
		case "level":
			if value != "INFO" {
				level = value + " "
			}
		case "msg":
			message = value
		default:
			fmt.Fprintf(&rest, " %s=%s", key, value)
		}
	}
	if message == "" {
		return string(line)
	}
	return level + message + rest.String()
}
