package local

// A messageHeap is a heap of messages (container/heap) in which each message knows its place.
type messageHeap struct {
	of    []*message
	less  func(a, b *message) bool
	place func(*message) *int
}

func bySeq(a, b *message) bool     { return a.seq < b.seq }
func bySent(a, b *message) bool    { return a.sent.Before(b.sent) }
func byVisible(a, b *message) bool { return a.visible.Before(b.visible) }
func placeOf(m *message) *int      { return &m.place }
func agePlaceOf(m *message) *int   { return &m.agePlace }

func (h *messageHeap) Len() int           { return len(h.of) }
func (h *messageHeap) Less(i, j int) bool { return h.less(h.of[i], h.of[j]) }

func (h *messageHeap) Swap(i, j int) {
	h.of[i], h.of[j] = h.of[j], h.of[i]
	*h.place(h.of[i]) = i
	*h.place(h.of[j]) = j
}

func (h *messageHeap) Push(x any) {
	m := x.(*message)
	*h.place(m) = len(h.of)
	h.of = append(h.of, m)
}

func (h *messageHeap) Pop() any {
	last := len(h.of) - 1
	m := h.of[last]
	h.of[last] = nil
	h.of = h.of[:last]
	return m
}
