package processor

import (
	"context"
	"errors"
	"slices"
	"time"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/queue"
)

const (
	// maxAttempts is how often a report is sent again for trouble of its own.
	maxAttempts = 20

	// maxDelay is the longest that SQS delays a message.
	maxDelay = 15 * time.Minute

	// renewDelay is when a throttled report is tried again.
	renewDelay = 30 * time.Second
)

// retryDelay returns how long the given attempt waits: 5 s, doubling to 15 minutes,
// three and a half hours for all 20.
func retryDelay(attempt int) time.Duration {
	d := 5 * time.Second
	for ; attempt > 1 && d < maxDelay; attempt-- {
		d *= 2
	}
	return min(d, maxDelay)
}

// A settlement brings one event to its end: what is not in a shadow goes to a queue.
type settlement struct {
	p        *Processor
	start    time.Time
	messages []*message

	stretched, newer, resent int
	poison                   map[poison]int
	trouble                  error // the first that was not the reports' own
}

// An outgoing message and what it stands for.
type parcel struct {
	queue.Outgoing
	message *message // fails if the parcel cannot be sent
	reports int
	reason  poison // of a parcel to the dead-letter queue
}

// settle sends what has to be sent for messages that have been handled. A message
// whose parcels are not all confirmed fails, and so does one that the trouble of AWS
// IoT as a whole has held up. Nothing at all is sent for a message that is known to
// fail: it comes again as it is.
func (s *settlement) settle(ctx context.Context, messages ...*message) {
	var again, dead []parcel
	for _, m := range messages {
		for _, r := range m.reports {
			if r.fate == retried && s.outage(r.why) {
				r.fate = held
			}
			switch r.fate {
			case undecided:
				panic("a report without a fate")
			case retried, renewed, held:
				s.note(r.why)
			}
			// A message that was sent again before is sent again once more: its receive
			// count is watched, see isolate, and may not grow by an outage.
			m.failed = m.failed || r.fate == held && m.Attempt == 0
		}
		if m.failed {
			continue
		}
		again = append(again, m.again()...)
		dead = append(dead, m.dead()...)
	}
	s.send(ctx, s.p.dlq, dead)
	s.send(ctx, s.p.source, again)
}

// outage reports whether an error is one of many: the part of AWS IoT that it came
// from has answered nobody in this event. A write that was answered speaks for reads
// too, but not the other way round.
func (s *settlement) outage(err error) bool {
	call, ok := errors.AsType[*callError](err)
	if !ok {
		return false
	}
	iot := s.p.iot
	return call.service.down(s.start) && !(call.service == iot.reads && iot.writes.answeredSince(s.start))
}

// again returns the reports of m that are to be tried later, in as few bundles as
// their delays allow.
func (m *message) again() []parcel {
	type terms struct {
		attempt int
		delay   time.Duration
	}
	lines := map[terms][]envelope.Line{}
	for _, r := range m.reports {
		t := terms{m.Attempt, renewDelay}
		switch {
		case r.fate == retried && m.Attempt < maxAttempts:
			t = terms{m.Attempt + 1, retryDelay(m.Attempt + 1)}
		case r.fate == held, r.fate == renewed && errors.Is(r.why, errBookkeeping):
			t.delay = maxDelay
		case r.fate != renewed:
			continue
		}
		lines[t] = append(lines[t], r.line)
	}
	var parcels []parcel
	for t, lines := range lines {
		parcels = append(parcels, parcel{
			Outgoing: queue.Outgoing{Body: m.bundle.With(lines...), FirstSent: m.FirstSent, Attempt: t.attempt, Delay: t.delay},
			message:  m, reports: len(lines),
		})
	}
	return parcels
}

// dead returns the reports of m that can never be applied, each alone, so that each
// has its reason and can be redriven alone.
func (m *message) dead() []parcel {
	var parcels []parcel
	for _, r := range m.reports {
		switch r.fate {
		case poisoned:
		case retried:
			if m.Attempt < maxAttempts {
				continue
			}
			r.settle(poisoned, exhausted.because("%v", r.why))
		default:
			continue
		}
		body := m.Body
		if m.opened {
			body = m.bundle.With(r.line)
		}
		parcels = append(parcels, m.grave(body, r.why))
	}
	return parcels
}

// grave returns a parcel to the dead-letter queue, which has no attempt: a report
// that is redriven starts over.
func (m *message) grave(body string, why error) parcel {
	word, _ := reason(why)
	return parcel{
		Outgoing: queue.Outgoing{Body: body, FirstSent: m.FirstSent, Reason: why.Error()},
		message:  m, reports: 1, reason: word,
	}
}

// send sends parcels and fails the messages of those that are not confirmed. What
// belongs to a message that has failed is left out: it comes again with its message.
func (s *settlement) send(ctx context.Context, q *queue.Queue, parcels []parcel) {
	parcels = slices.DeleteFunc(parcels, func(p parcel) bool { return p.message.failed })
	if len(parcels) == 0 {
		return
	}
	outgoing := make([]queue.Outgoing, len(parcels))
	for i := range parcels {
		outgoing[i] = parcels[i].Outgoing
	}
	for i, err := range q.Send(ctx, outgoing) {
		switch {
		case err != nil:
			parcels[i].message.failed = true
			s.note(err)
		case parcels[i].reason != "":
			if s.poison == nil {
				s.poison = map[poison]int{}
			}
			s.poison[parcels[i].reason]++
		default:
			s.resent += parcels[i].reports
		}
	}
}

func (s *settlement) note(err error) {
	if s.trouble == nil {
		s.trouble = err
	}
}

// stretch puts off the next receive of the messages that have failed, each by how
// often it was received.
func (s *settlement) stretch(ctx context.Context) {
	byDelay := map[time.Duration][]queue.Message{}
	for _, m := range s.messages {
		if m.failed {
			d := max(m.rest, queue.Backoff(m.Count))
			byDelay[d] = append(byDelay[d], m.Message)
		}
	}
	for d, part := range byDelay {
		for _, err := range s.p.source.Stretch(ctx, part, d) {
			if err == nil {
				s.stretched++
			} else {
				s.note(err)
			}
		}
	}
}

// failed returns the messages that SQS is to keep.
func (s *settlement) failed() (failed []queue.Message) {
	for _, m := range s.messages {
		if m.failed {
			failed = append(failed, m.Message)
		}
	}
	return failed
}
