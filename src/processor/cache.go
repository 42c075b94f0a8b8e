package processor

import (
	"container/list"
	"sync"
)

// maxCacheBytes bounds what a container remembers of shadows. A thing with five
// scalar fields is about 1.2 KB, so 64 MiB hold 55,000 of them; at the worst, 64 tombstones
// and 8 KB of objects, a thing is 20 KB, and 64 MiB hold 3,300.
const maxCacheBytes = 64 << 20

// entryBytes is the overhead of an entry beside its state and name: list element,
// entry, and its place in the map.
const entryBytes = 160

// A cache remembers the states of the things that were written last, so that the
// usual report costs one call. Its methods may be called concurrently.
type cache struct {
	maxBytes int

	mu    sync.Mutex // guards the following
	bytes int
	order *list.List // of *entry, the one used last in front
	of    map[string]*list.Element
}

type entry struct {
	thing string
	state *state
	bytes int
}

func newCache(maxBytes int) *cache {
	return &cache{maxBytes: maxBytes, order: list.New(), of: map[string]*list.Element{}}
}

// take removes the state of a thing and returns it, nil if there is none. It is the
// caller's alone then, to put back if it still describes the shadow.
func (c *cache) take(thing string) *state {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.of[thing]
	if element == nil {
		return nil
	}
	return c.remove(element).state
}

// put remembers a state, which is the cache's from then on, and forgets others to
// make room.
func (c *cache) put(thing string, s *state) {
	e := &entry{thing: thing, state: s, bytes: entryBytes + len(thing) + s.bytes()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if element := c.of[thing]; element != nil {
		c.remove(element)
	}
	c.of[thing] = c.order.PushFront(e)
	c.bytes += e.bytes
	for c.bytes > c.maxBytes {
		c.remove(c.order.Back())
	}
}

// HeldBytes is what p remembers of shadows, by the estimate that its bound is kept by.
func (p *Processor) HeldBytes() int {
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	return p.cache.bytes
}

func (c *cache) remove(element *list.Element) *entry {
	e := c.order.Remove(element).(*entry)
	delete(c.of, e.thing)
	c.bytes -= e.bytes
	return e
}
