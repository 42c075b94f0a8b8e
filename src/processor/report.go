package processor

import (
	"errors"
	"slices"
	"time"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/queue"
)

// A fate is what becomes of a report in one invocation.
type fate int

const (
	undecided  fate = iota
	applied         // its effect is in the shadow
	superseded      // newer reports have set all that it says
	duplicate       // its effect was in the shadow before
	poisoned        // it can never be applied: to the dead-letter queue, with why
	retried         // its own trouble: sent again, and the attempt counts
	renewed         // not its fault: sent again, and the attempt does not count
	held            // nothing works just now: its message stays on the queue
)

// A report is one line of a bundle on its way to a shadow. One goroutine at a time
// owns it.
type report struct {
	line  envelope.Line
	thing string
	kind  string // thing type
	key   key

	source envelope.Report // nothing after decoding
	values map[string]any  // what it says, see decode
	sent   bool            // a write with its effect may have reached the shadow

	fate fate
	why  error // of poisoned, retried, renewed, held
}

func (r *report) settle(f fate, why error) { r.fate, r.why = f, why }

// A message is one bundle of an event.
type message struct {
	queue.Message
	bundle  envelope.Bundle
	opened  bool          // bundle is
	reports []*report     // its lines, or one without a line that stands for a body that is no bundle
	failed  bool          // SQS keeps it
	rest    time.Duration // at least, until it is received again, if it has failed
}

// open reads the messages of an event and their reports. A message of a version that
// this release does not know fails: a newer release will read it.
func (p *Processor) open(received []queue.Message) (messages []*message, newer int) {
	messages = make([]*message, len(received))
	for i, q := range received {
		m := &message{Message: q}
		messages[i] = m
		var err error
		m.bundle, err = envelope.Open(q.Body)
		switch {
		case errors.Is(err, envelope.ErrVersion):
			m.failed = true
			newer++
		case err != nil:
			m.reports = []*report{{fate: poisoned, why: malformed.because("%v", err)}}
		default:
			m.opened = true
			if m.ordinary() {
				m.reports = p.read(m)
			}
		}
	}
	return messages, newer
}

// read decodes the lines of a bundle, but not their payloads.
func (p *Processor) read(m *message) (reports []*report) {
	for line := range m.bundle.Lines() {
		r := &report{line: line}
		reports = append(reports, r)
		source, err := line.Report()
		if err != nil {
			r.settle(poisoned, malformed.because("%v", err))
			continue
		}
		if len(p.config.AllowedTypes) > 0 && !slices.Contains(p.config.AllowedTypes, source.Type) {
			r.settle(poisoned, notAllowed.because("%s", source.Type))
			continue
		}
		r.source, r.thing, r.kind = source, source.ID, source.Type
		r.key = keyOf(&source, m.bundle.Origin.Ingestor, m.FirstSent)
	}
	return reports
}
