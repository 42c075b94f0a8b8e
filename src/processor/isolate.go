package processor

import (
	"context"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/queue"
)

// riskyCount is the receive from which on a message is not simply handled.
const riskyCount = 4

// isolate settles the messages that SQS has handed out riskyCount times or more.
//
// A report that kills the process leaves no trace but the receive count of its
// message, and its whole event comes again. So such a message is not handled before
// its fate is on record: it is replaced by new messages, whose counts start anew, and
// only those are handled, later. After all the others of the event, because it
// is their death too.
//
//   - Never sent again before: the outages of AWS IoT and of the queue also raise the
//     receive count, by far more often. It is replaced by one message as it is, with
//     attempt 1. From then on the processor itself never lets an outage raise the
//     count, see settle, so a second time round it is no accident.
//   - Sent again before, several reports: each becomes a message of its own.
//   - Sent again before, one report: it is the one. Dead-letter queue, "crash".
//
// While AWS IoT is down none of this happens: it would only be for the outage.
func (s *settlement) isolate(ctx context.Context) {
	var again, dead []parcel
	for _, m := range s.messages {
		if !m.opened || !m.risky() {
			continue
		}
		if !s.up(ctx) {
			m.failed = true
			continue
		}
		var lines []envelope.Line
		for line := range m.bundle.Lines() {
			lines = append(lines, line)
		}
		next := queue.Outgoing{Body: m.Body, FirstSent: m.FirstSent, Attempt: m.Attempt + 1}
		switch {
		case m.Attempt == 0 && len(lines) > 0:
			again = append(again, parcel{Outgoing: next, message: m, reports: len(lines)})
		case m.Attempt >= maxAttempts, len(lines) == 1:
			why := crash.because("%d receives", m.Count)
			if len(lines) > 1 {
				why = exhausted.because("%d receives", m.Count)
			}
			for _, line := range lines {
				dead = append(dead, m.grave(m.bundle.With(line), why))
			}
		default:
			for _, line := range lines {
				next.Body = m.bundle.With(line)
				again = append(again, parcel{Outgoing: next, message: m, reports: 1})
			}
		}
	}
	s.send(ctx, s.p.dlq, dead)
	s.send(ctx, s.p.source, again)
}

// up reports whether AWS IoT answers, which it is asked if it has not been in this
// event.
func (s *settlement) up(ctx context.Context) bool {
	if s.p.iot.shadows.answeredSince(s.start) {
		return true
	}
	_, err := s.p.iot.getShadow(ctx, probedThing)
	if judge(err) != answered {
		s.note(err)
		return false
	}
	return true
}

// probedThing is the thing whose shadow is read to find out whether AWS IoT answers.
// It need not exist.
const probedThing = "coap-probe"
