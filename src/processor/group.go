package processor

import (
	"context"
	"slices"
	"time"
)

// What a report says takes 110 times its payload at the worst: a CBOR array of maps of three
// bytes, each a map of Go. So reports are decoded in groups, each of which is one write of
// its thing's shadow, and the groups that are worked on at a time are bounded together:
// 256 KiB x 110 = 29 MB.
const (
	maxGroupBytes   = 32 << 10
	maxDecodedBytes = 256 << 10 // in all groups
	reportBytes     = 64        // is what a report counts for, beside its payload
)

// applyThing brings the reports of one thing into its shadow, group by group. It decides
// the fate of each.
func (p *Processor) applyThing(ctx context.Context, thing string, reports []*report) {
	// Not needed for the result. It makes it likely that of two reports that do not
	// both fit it is the later one that is refused.
	slices.SortStableFunc(reports, func(a, b *report) int { return sortKeys(a.key, b.key) })
	var late <-chan time.Time // without a deadline never
	if deadline, ok := ctx.Deadline(); ok {
		late = time.After(time.Until(deadline) / 2)
	}
	for len(reports) > 0 {
		n, bytes := nextGroup(reports)
		group := reports[:n]
		reports = reports[n:]
		p.applyGroup(ctx, late, thing, group, bytes)
		if err := trouble(group); err != nil { // what has stopped these stops the others too
			settleAll(ctx, reports, err)
			return
		}
	}
}

// nextGroup returns how many of reports, at least one, are decoded together, and what they
// count for.
func nextGroup(reports []*report) (n int, bytes int64) {
	for _, r := range reports {
		size := int64(reportBytes + len(r.source.Payload))
		if n > 0 && bytes+size > maxGroupBytes {
			break
		}
		n++
		bytes += size
	}
	return n, min(bytes, maxDecodedBytes) // a report made by hand may be larger, and is decoded alone
}

// applyGroup decodes reports of one thing, publishes them and brings them into its shadow,
// in one write if that is possible.
func (p *Processor) applyGroup(ctx context.Context, late <-chan time.Time, thing string, group []*report, bytes int64) {
	if err := p.decoded.Acquire(ctx, bytes); err != nil {
		settleAll(ctx, group, err)
		return
	}
	defer p.decoded.Release(bytes)
	var readable []*report
	for _, r := range group {
		values, err := decode(&r.source)
		r.source.Payload = nil
		if err != nil {
			r.settle(poisoned, err)
			continue
		}
		r.values = values
		readable = append(readable, r)
	}
	if published := p.publishAll(ctx, late, thing, readable); len(published) > 0 {
		p.applyReports(ctx, thing, published)
	}
	for _, r := range readable {
		r.values = nil
	}
}

// trouble returns why a report of a group is to come again, nil if none is.
func trouble(group []*report) error {
	for _, r := range group {
		switch r.fate {
		case retried, renewed, held:
			return r.why
		}
	}
	return nil
}
