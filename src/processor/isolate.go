package processor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/queue"
)

// A report that kills the process leaves no trace but the receive count of its
// message. Its whole event comes again, the innocent with the guilty, and they come
// together. So nothing of a message whose count is suspicious is handled before its
// fate is on record:
//
//	attempt  receive
//	0        1 to 3   ordinary
//	0        4        replaced by one message as it is, with attempt 1. Outages raise
//	                  counts too, and far more often, so no more than that is done.
//	1 or more  1      ordinary. From now on the processor itself never lets an outage
//	                  raise the count, see settle: a second receive is a death.
//	1 or more  2, 3   handled last and alone: one of them in an event, after all others
//	                  are replaced or done, and deleted. It dies alone.
//	1 or more  4      several reports: each becomes a message of its own, with the next
//	                  attempt. One report: goes on alone.
//	1 or more  6      one report: replaced once more, with the reason "crash", and
//	                  handled alone from its first receive on. At the tenth, dead-letter
//	                  queue. Not sooner, because a queue that does not delete what is
//	                  done, or that the processor cannot reach, raises counts as well:
//	                  but then it does not take the replacement either, and when it does,
//	                  an innocent is done at once.
//
// While AWS IoT is down no message is suspected. Nor for maxDelay after the queue has
// failed to delete: what is replaced would stay beside its copy, both would be replaced
// again, and so double every few minutes. With this it is an event each quarter of an hour
// and container.
const (
	riskyCount = 4
	lastCount  = 6
	deadCount  = 10
)

// ordinary reports whether m is handled together with others.
func (m *message) ordinary() bool {
	return m.opened && (m.Attempt == 0 && m.Count < riskyCount || m.Count < 2 && !m.last())
}

// last reports whether m is on its last try.
func (m *message) last() bool { return strings.HasPrefix(m.Reason, string(crash)) }

// isolate replaces the suspicious messages of an event by others. It returns the one
// that is to be handled alone, if there is one.
func (s *settlement) isolate(ctx context.Context) (alone *message) {
	var suspects []*message
	for _, m := range s.messages {
		if m.opened && !m.ordinary() {
			suspects = append(suspects, m)
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	if s.start.UnixNano()-s.p.undeleted.Load() < int64(maxDelay) {
		for _, m := range suspects {
			m.failed, m.rest = true, maxDelay
		}
		return nil
	}
	up := s.up(ctx)
	var again, dead []parcel
	for i, m := range suspects {
		lines := slices.Collect(m.bundle.Lines())
		switch {
		case !up && m.Attempt == 0:
			m.failed = true
		case !up:
			again = append(again, m.renewal(maxDelay))
		case m.Attempt == 0:
			again = append(again, m.suspected(spread(i, len(suspects), time.Minute), lines...))
		case m.Count >= riskyCount && len(lines) > 1:
			for j, line := range lines {
				again = append(again, m.suspected(spread(j, len(lines), maxDelay), line))
			}
		case m.Count >= lastCount && !m.last():
			last := m.renewal(spread(i, len(suspects), time.Minute))
			last.Reason = crash.because("%d receives", m.Count).Error()
			again = append(again, last)
		case m.Count >= deadCount:
			for _, line := range lines {
				dead = append(dead, m.grave(m.bundle.With(line), crash.because("%d receives, again", m.Count)))
			}
		case alone == nil || m.Count > alone.Count:
			if alone != nil {
				again = append(again, alone.renewal(spread(i, len(suspects), maxDelay)))
			}
			alone = m
		default:
			again = append(again, m.renewal(spread(i, len(suspects), maxDelay)))
		}
	}
	s.send(ctx, s.p.dlq, dead)
	s.send(ctx, s.p.source, again)
	// Lambda would delete what has been replaced, but would not say whether it could.
	replaced := slices.DeleteFunc(suspects, func(m *message) bool { return m.failed || m == alone })
	if err := s.p.remove(ctx, replaced); err != nil {
		s.note(err)
	}
	return alone
}

// spread returns the delay of the i-th of n messages, so that they are not received
// in one event again.
func spread(i, n int, most time.Duration) time.Duration {
	return most * time.Duration(i) / time.Duration(n)
}

// suspected returns a parcel with some reports of m as the next attempt.
func (m *message) suspected(delay time.Duration, lines ...envelope.Line) parcel {
	return parcel{
		Outgoing: queue.Outgoing{Body: m.bundle.With(lines...), FirstSent: m.FirstSent, Attempt: m.Attempt + 1, Delay: delay},
		message:  m, reports: len(lines),
	}
}

// renewal returns a parcel with m as it is, so that its receive count starts anew.
func (m *message) renewal(delay time.Duration) parcel {
	p := m.suspected(delay, slices.Collect(m.bundle.Lines())...)
	p.Attempt, p.Reason = m.Attempt, m.Reason
	return p
}

// handleAlone handles a message that may kill the process, after all others of the
// event that are watched have been deleted. They would be received again with the
// event, and suspected for it.
func (s *settlement) handleAlone(ctx context.Context, m *message) {
	var done []*message
	for _, other := range s.messages {
		if other != m && !other.failed && other.Attempt > 0 {
			done = append(done, other)
		}
	}
	if err := s.p.remove(ctx, done); err != nil {
		s.note(err)
		s.send(ctx, s.p.source, []parcel{m.renewal(renewDelay)})
		return
	}
	m.reports = s.p.read(m)
	s.p.apply(ctx, m)
	s.settle(ctx, m)
	if m.failed {
		return
	}
	// It has killed nobody, and must not come again as if it had. Lambda may fail to
	// delete it, so that is done here, and where the queue does not, the count starts anew.
	if err := s.p.remove(ctx, []*message{m}); err != nil {
		s.note(err)
		survivor := m.renewal(renewDelay)
		survivor.Reason = ""
		s.send(ctx, s.p.source, []parcel{survivor})
	}
}

// up reports whether AWS IoT works as far as is known. If nothing is known it is
// asked.
func (s *settlement) up(ctx context.Context) bool {
	for _, service := range s.p.iot.services() {
		if service.downLately(s.start) {
			return false
		}
	}
	if s.p.iot.reads.answeredSince(s.start) || s.p.iot.writes.answeredSince(s.start) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := s.p.iot.getShadow(ctx, probedThing)
	if judge(err) != answered {
		s.note(err)
		return false
	}
	return true
}

const (
	// probedThing is the thing whose shadow is read to find out whether AWS IoT
	// answers. It need not exist.
	probedThing  = "coap-probe"
	probeTimeout = 3 * time.Second
)

// remove deletes messages from the queue, before Lambda does, and keeps when that did
// not work.
func (p *Processor) remove(ctx context.Context, messages []*message) (err error) {
	defer func() {
		if err != nil {
			p.undeleted.Store(time.Now().UnixNano())
		}
	}()
	const most = 10 // entries of a call
	for start := 0; start < len(messages); start += most {
		var entries []types.DeleteMessageBatchRequestEntry
		for i, m := range messages[start:min(start+most, len(messages))] {
			entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &m.Receipt})
		}
		out, err := p.sqs.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &p.config.QueueURL, Entries: entries})
		if err != nil {
			return fmt.Errorf("delete messages: %w", err)
		}
		if len(out.Failed) > 0 {
			return fmt.Errorf("delete messages: %s", aws.ToString(out.Failed[0].Code))
		}
	}
	return nil
}
