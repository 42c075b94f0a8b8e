package world

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
	"weak"

	"github.com/aws/aws-lambda-go/events"
)

// A handler is what a container of a function runs.
type handler func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

// A function is a Lambda function: containers are started cold when there is work and
// none is free, and used again.
type function struct {
	world   *world
	name    string
	region  string
	timeout time.Duration
	open    func(*container) // a container starts

	mu   sync.Mutex // guards the following
	lent []weak.Pointer[byte]
	free []*container
	busy map[*container]bool
}

type container struct {
	wire   *wire
	handle handler
	held   func() int // bytes; nil: not known
}

// invoke runs the function once, as Lambda does.
func (f *function) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var event events.SQSEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	f.world.saw(f.name, event)
	c := f.take()
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	response, err := c.handle(ctx, event)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.busy, c)
	f.lend(event.Records[0].Body)
	if c.wire.killed.Load() {
		return nil, fmt.Errorf("%s: Runtime.ExitError", f.name)
	}
	if ctx.Err() != nil {
		c.wire.killed.Store(true)
		return nil, fmt.Errorf("%s: timed out", f.name)
	}
	f.free = append(f.free, c)
	if err != nil {
		return nil, err
	}
	return json.Marshal(response)
}

func (f *function) take() *container {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.free); n > 0 {
		c := f.free[n-1]
		f.free = f.free[:n-1]
		f.busy[c] = true
		return c
	}
	f.world.count("cold starts")
	c := &container{wire: &wire{world: f.world, host: f.name, region: f.region}}
	if f.name == "processor" {
		c.wire.hexed = f.world.hex
	}
	f.open(c)
	f.busy[c] = true
	return c
}

// crash lights the fuse of a container: of one that works if there is one, else the next
// one that will.
func (f *function) crash(calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.busy {
		c.wire.fuse.Store(int32(calls))
		return
	}
	if n := len(f.free); n > 0 {
		f.free[n-1].wire.fuse.Store(int32(calls))
	}
}

// chill throws the free containers away: the next invocations start cold. It returns how
// many there were.
func (f *function) chill() (forgotten int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	forgotten = len(f.free)
	f.free = nil
	return forgotten
}
