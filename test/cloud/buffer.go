package cloud

import (
	"bytes"
	"sync"
)

// A buffer keeps what a process says, for many goroutines.
type buffer struct {
	mu   sync.Mutex // guards the following
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
