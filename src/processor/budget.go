package processor

import (
	"sync"
	"time"
)

// A budget bounds what reports of things that are new can cost in a minute. So many things
// may be added; when they have been, it may be asked about as many again whether they
// exist, for what exists costs nothing: its shadow was deleted, or somebody registered it.
// Beyond that the registry is left alone: a flood of forged names costs no more calls.
type budget struct {
	perMinute int // 0 allows all

	mu      sync.Mutex // guards the following
	minute  int64
	granted map[asked]grant // at most 2 x perMinute; the registry's 160 calls/s make it 10,000, of 600 bytes
	adds    int             // of them
}

// An asked is what the registry is asked about. It takes once, however often the same
// report, or one like it, comes along in that minute.
type asked struct{ thing, thingType string }

// A grant is what may be done for a thing that is not known to be registered.
type grant int

const (
	refuseIt grant = iota
	findIt         // it may be looked for
	addIt          // it may be added
)

func (b *budget) take(a asked, now time.Time) grant {
	if b.perMinute == 0 {
		return addIt
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if minute := now.Unix() / 60; b.granted == nil || minute != b.minute {
		b.minute, b.granted, b.adds = minute, map[asked]grant{}, 0
	}
	g := b.granted[a]
	switch {
	case g != refuseIt || len(b.granted) >= 2*b.perMinute:
		return g
	case b.adds < b.perMinute:
		g = addIt
		b.adds++
	default:
		g = findIt
	}
	b.granted[a] = g
	return g
}

// existed notes that nothing was added.
func (b *budget) existed(a asked) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.granted[a] == addIt {
		b.granted[a] = findIt
		b.adds--
	}
}

// forget returns what was taken by a call that nobody has answered.
func (b *budget) forget(a asked) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.granted[a] == addIt {
		b.adds--
	}
	delete(b.granted, a)
}
