package queue

import "time"

// A bundle is one being filled, or on its way. One goroutine at a time owns it.
type bundle struct {
	body     []byte
	reports  []packed
	deadline time.Time // of the oldest report
}

// A packed is what a bundle knows of one report.
type packed struct {
	end  int // of its line in body
	done func(error)
}

// packedBytes is what a packed takes, at most: 16 bytes, and its part of what the allocator
// adds to a list, a header and the rest of the size class.
const packedBytes = 19

// A room is how much a bundle has place for until it grows. Bundles grow by doubling, so
// one of at most MaxBundle bytes and 816 reports, of 79 bytes at least, is never given more
// than mostRoom.
type room struct{ bytes, reports int }

var (
	leastRoom = room{1 << 10, 8}
	mostRoom  = room{64 << 10, 1024}
)

// held is what a bundle with that room has allocated, in bytes.
func (r room) held() int { return r.bytes + r.reports*packedBytes }

func newBundle(r room, header []byte, deadline time.Time) *bundle {
	return &bundle{
		body:     append(make([]byte, 0, r.bytes), header...),
		reports:  make([]packed, 0, r.reports),
		deadline: deadline,
	}
}

func (b *bundle) room() room { return room{cap(b.body), cap(b.reports)} }

// next is the room for the bundle after b: that of b, or half of what b has made little use
// of. So a busy sender does not grow each of its bundles, and an idle one holds little.
func (b *bundle) next() room {
	half := func(room, used, least int) int {
		if used > room/2 {
			return room
		}
		return max(room/2, least)
	}
	return room{half(cap(b.body), len(b.body), leastRoom.bytes), half(cap(b.reports), len(b.reports), leastRoom.reports)}
}

func (b *bundle) add(line []byte, done func(error)) {
	b.body = append(extend(b.body, len(line)), line...)
	b.reports = append(extend(b.reports, 1), packed{len(b.body), done})
}

// extend returns list with place for n more.
func extend[T any](list []T, n int) []T {
	room := cap(list)
	for room < len(list)+n {
		room *= 2
	}
	if room == cap(list) {
		return list
	}
	return append(make([]T, 0, room), list...)
}

// size is what SQS counts for b, see Outgoing.
func (b *bundle) size() int { return len(b.body) + 3*256 }

// cut returns the first and the second half of the reports of b, which must hold
// two at least, as bundles of their own.
func (b *bundle) cut(header []byte) (first, second *bundle) {
	half := len(b.reports) / 2
	part := func(from, to int) *bundle {
		start := len(header)
		if from > 0 {
			start = b.reports[from-1].end
		}
		lines := b.body[start:b.reports[to-1].end]
		p := newBundle(room{len(header) + len(lines), to - from}, header, b.deadline)
		p.body = append(p.body, lines...)
		for _, report := range b.reports[from:to] {
			p.reports = append(p.reports, packed{report.end - start + len(header), report.done})
		}
		return p
	}
	return part(0, half), part(half, len(b.reports))
}
