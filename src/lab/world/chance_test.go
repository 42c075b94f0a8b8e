package world

import (
	"math/rand/v2"
	"sync"
	"time"
)

// chance decides what is left to chance, from the seed alone and not from the order in
// which goroutines ask: each question has a name, and the answers to one name are a
// sequence of their own.
type chance struct {
	seed uint64

	mu      sync.Mutex // guards the following
	streams map[string]*rand.Rand
}

func newChance(seed uint64) *chance { return &chance{seed: seed, streams: map[string]*rand.Rand{}} }

// nameHash makes a name into a number, the same in every run: FNV-1a.
func nameHash(name string) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// of calls f with the stream of that name.
func of[T any](c *chance, name string, f func(*rand.Rand) T) T {
	c.mu.Lock()
	defer c.mu.Unlock()
	stream := c.streams[name]
	if stream == nil {
		stream = rand.New(rand.NewPCG(c.seed, nameHash(name)))
		c.streams[name] = stream
	}
	return f(stream)
}

// happens is true with probability p.
func (c *chance) happens(name string, p float64) bool {
	return of(c, name, func(r *rand.Rand) bool { return r.Float64() < p })
}

// below returns a number in [0, n).
func (c *chance) below(name string, n int) int {
	return of(c, name, func(r *rand.Rand) int { return r.IntN(n) })
}

// between returns a duration in [least, most).
func (c *chance) between(name string, least, most time.Duration) time.Duration {
	return of(c, name, func(r *rand.Rand) time.Duration { return least + time.Duration(r.Int64N(int64(most-least))) })
}
