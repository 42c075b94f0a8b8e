package envelope

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
)

const (
	// Version is the version of the format that this package writes and reads.
	Version = 1

	// MaxBundle bounds the body of an SQS message, in bytes. SQS bills per 64 KiB,
	// attributes included; 1 KiB is left for those that a hop adds.
	MaxBundle = 63 << 10
)

// Message attributes are what changes from hop to hop; the body never does. All
// are of data type Number but for AttributeReason, a String.
const (
	// AttributeFirstSent is the SentTimestamp of the first queue that held the
	// reports, in milliseconds. Whoever sends a bundle again passes it on, because
	// SQS stamps the new message anew.
	AttributeFirstSent = "FirstSentTimestamp"

	// AttributeAttempt counts how often the processor has sent these reports again
	// for a reason of their own: trouble with them, or the suspicion that they kill it.
	// What is sent again for an outage, a quota or lack of time keeps it. Absent means 0.
	AttributeAttempt = "Attempt"

	// AttributeReason says why the processor moved these reports to the dead-letter
	// queue. On the primary queue it begins with "crash": they are on their last try.
	AttributeReason = "Reason"
)

var (
	// ErrMalformed reports text that is not a bundle, or a line that is not a
	// report. It will never become one: a reader moves it to the dead-letter queue.
	ErrMalformed = errors.New("malformed envelope")

	// ErrVersion reports a bundle of a version that this reader does not know. A
	// newer release can read it, so a reader leaves it on the queue.
	ErrVersion = errors.New("unknown envelope version")
)

// Origin names who accepted the reports of a bundle.
type Origin struct {
	Ingestor string // COAP_NAME of the ingestor, such as "use1-a"
	Region   string // AWS region of the ingestor, such as "us-east-1"
}

// A Bundle is the body of one SQS message, opened: its header is read, its
// reports are not.
type Bundle struct {
	Origin Origin

	header string // the header line, as it came
	lines  string // the report lines, as they came
}

// A Line is one report as it travels, byte for byte, without line feeds.
type Line string

// Open reads the header of body. The error wraps ErrVersion or ErrMalformed.
func Open(body string) (Bundle, error) {
	header, lines, _ := strings.Cut(body, "\n")
	var h struct {
		Version  int    `json:"coap"`
		Ingestor string `json:"ingestor"`
		Region   string `json:"region"`
	}
	if err := json.Unmarshal([]byte(header), &h); err != nil {
		return Bundle{}, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	if h.Version < 1 {
		return Bundle{}, fmt.Errorf(`%w: header: no version under "coap"`, ErrMalformed)
	}
	if h.Version != Version {
		return Bundle{}, fmt.Errorf("%w: %d, this release reads %d", ErrVersion, h.Version, Version)
	}
	return Bundle{Origin: Origin{Ingestor: h.Ingestor, Region: h.Region}, header: header, lines: lines}, nil
}

// Lines yields the reports of b in the order in which they were packed.
func (b Bundle) Lines() iter.Seq[Line] {
	return func(yield func(Line) bool) {
		for line := range strings.SplitSeq(b.lines, "\n") {
			if line != "" && !yield(Line(line)) {
				return
			}
		}
	}
}

// With returns the body of a bundle with the header of b and the given lines, the
// bytes of both unchanged.
func (b Bundle) With(lines ...Line) string {
	n := len(b.header)
	for _, line := range lines {
		n += 1 + len(line)
	}
	var body strings.Builder
	body.Grow(n)
	body.WriteString(b.header)
	for _, line := range lines {
		body.WriteByte('\n')
		body.WriteString(string(line))
	}
	return body.String()
}
