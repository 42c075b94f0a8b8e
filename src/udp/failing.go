package udp

import "time"

const (
	// patience is for how long reads in a row may fail before a socket counts as broken. A
	// kernel that has no memory left recovers; errors that the network provokes come one for
	// a datagram sent, between good reads.
	patience = 10 * time.Second

	// pause is between two tries of what has failed.
	pause = time.Millisecond
)

// failing is a series of failed reads. The zero value is none.
type failing struct {
	since time.Time
}

// final reports whether a further failure is one too many. If not, it is time to read
// again: after the first failure at once, later after a pause.
func (f *failing) final(patience time.Duration) bool {
	now := time.Now()
	switch {
	case f.since.IsZero():
		f.since = now
	case now.Sub(f.since) >= patience:
		return true
	default:
		time.Sleep(pause)
	}
	return false
}
