package world

import (
	"context"
	"sync"
)

// A poller is an event source that can stand still.
type poller struct {
	run    func(context.Context)
	region string // of the queue

	mu    sync.Mutex // guards the following
	still int        // faults that hold it
	stop  context.CancelFunc
	ended chan struct{}
}

// newPoller returns one that stands still.
func newPoller(region string, run func(context.Context)) *poller {
	return &poller{run: run, region: region, still: 1}
}

func (p *poller) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.still--; p.still > 0 {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	p.stop, p.ended = stop, ended
	go func() { p.run(ctx); close(ended) }()
}

// pause returns when the batches under way are settled.
func (p *poller) pause() {
	p.mu.Lock()
	p.still++
	stop, ended := p.stop, p.ended
	p.stop = nil
	p.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
}
