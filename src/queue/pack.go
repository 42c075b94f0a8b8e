package queue

import (
	"time"

	"coap-for-aws-iot/src/envelope"
)

// A bundle is one being filled, or on its way. One goroutine at a time owns it.
type bundle struct {
	body     []byte
	ends     []int         // ends[i] is where the line of report i ends in body
	done     []func(error) // one per report
	deadline time.Time     // of the oldest report
}

func newBundle(header []byte, deadline time.Time) *bundle {
	return &bundle{body: append(make([]byte, 0, 1<<10), header...), deadline: deadline}
}

func (b *bundle) add(r *envelope.Report, done func(error)) {
	b.body = envelope.AppendReport(b.body, r)
	b.ends = append(b.ends, len(b.body))
	b.done = append(b.done, done)
}

// dropLast takes the last report out again; end is the length before it was added.
func (b *bundle) dropLast(end int) {
	b.body = b.body[:end]
	b.ends = b.ends[:len(b.ends)-1]
	b.done = b.done[:len(b.done)-1]
}

// size is what SQS counts for b, see Outgoing.
func (b *bundle) size() int { return len(b.body) + 3*256 }

// cut returns the first and the second half of the reports of b, which must hold
// two at least, as bundles of their own.
func (b *bundle) cut(header []byte) (first, second *bundle) {
	half := len(b.done) / 2
	part := func(from, to int) *bundle {
		start := len(header)
		if from > 0 {
			start = b.ends[from-1]
		}
		p := newBundle(header, b.deadline)
		for _, end := range b.ends[from:to] {
			p.ends = append(p.ends, end-start+len(header))
		}
		p.body = append(p.body, b.body[start:b.ends[to-1]]...)
		p.done = b.done[from:to]
		return p
	}
	return part(0, half), part(half, len(b.done))
}
