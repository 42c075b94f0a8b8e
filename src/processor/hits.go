package processor

import "sync"

// hitRate follows how often a remembered version was still the shadow's. Below a
// half, which happens when several containers write the same things, it is cheaper to
// read first: a write that fails costs a call more than a read that was not needed.
type hitRate struct {
	mu   sync.Mutex // guards the following
	miss float64    // 0: all were, 1: none was; over about the last 32
}

func (h *hitRate) count(hit bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.miss -= h.miss / 32
	if !hit {
		h.miss += 1.0 / 32
	}
}

func (h *hitRate) low() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.miss > 0.5
}
