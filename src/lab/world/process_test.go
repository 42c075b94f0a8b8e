package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/ingestor"
	"coap-for-aws-iot/src/queue"
	"coap-for-aws-iot/src/udp"
)

// A host is one instance: its address stays, its process comes and goes.
type host struct {
	world  *world
	name   string
	region string
	addr   netip.AddrPort

	ahead time.Duration // of its clock, always
	skew  atomic.Int64  // of its clock beside that, in nanoseconds
	// unset says that the kernel knows that the clock is wrong.
	unset atomic.Bool

	// turn has capacity 1, and is full while a process is started or ended. A mutex would
	// stop the bubble's time for those who wait.
	turn chan struct{}

	mu      sync.Mutex // guards the following
	process *daemon    // nil while there is none
}

// A daemon is one ingestor process.
type daemon struct {
	wire   *wire
	socket udp.Socket
	in     *ingestor.Ingestor
	stop   context.CancelFunc
	ended  chan struct{}
}

// start runs a new process on the host, unless there is one.
func (h *host) start() {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	if h.running() != nil {
		return // another fault's end has done so
	}
	w := h.world
	socket, err := w.net.Listen(h.addr)
	if err != nil {
		panic(err)
	}
	d := &daemon{wire: &wire{world: w, host: h.name, region: h.region}, socket: socket, ended: make(chan struct{})}
	cfg := ingestor.Config{
		Name: h.name, Region: h.region, QueueURL: w.queueURL(h.region), Linger: w.plan.linger, DedupMiB: 1, RequireClock: true,
		Clock: ingestor.Clock{
			Now:          func() time.Time { return time.Now().Add(h.ahead + time.Duration(h.skew.Load())) },
			Synchronised: func() bool { return !h.unset.Load() },
		},
	}
	for _, other := range w.hosts {
		if other != h {
			cfg.IgnoreSources = append(cfg.IgnoreSources, other.addr.Addr())
		}
	}
	cfg.FallbackRegion = primary
	if h.region == primary {
		cfg.FallbackRegion = secondary
	}
	cfg.FallbackQueueURL = w.queueURL(cfg.FallbackRegion)
	q := queue.At(d.wire.config(), cfg.Region, cfg.QueueURL)
	fallback := queue.At(d.wire.config(), cfg.FallbackRegion, cfg.FallbackQueueURL)
	d.in = ingestor.New(cfg, []udp.Socket{socket}, q, fallback, quiet)
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	go func() {
		defer close(d.ended)
		if err := d.in.Run(ctx); err != nil {
			panic(err)
		}
	}()
	h.mu.Lock()
	h.process = d
	h.mu.Unlock()
}

// running returns the process, or nil.
func (h *host) running() *daemon {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.process
}

// take returns the process, or nil, and forgets it.
func (h *host) take() *daemon {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.process
	h.process = nil
	return d
}

// kill is kill -9: the socket is gone, and nothing more goes out or comes in.
func (h *host) kill() {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	d := h.take()
	if d == nil {
		return
	}
	d.wire.killed.Store(true)
	d.socket.Close()
	d.stop()
	<-d.ended
}

// drain is SIGTERM.
func (h *host) drain() {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	d := h.take()
	if d == nil {
		return
	}
	d.stop()
	select {
	case <-d.ended:
	case <-time.After(time.Minute):
		panic(h.name + " does not stop")
	}
	if held := d.in.Stats().HeldBytes; held != 0 {
		h.world.faulty("%s has stopped and holds %d bytes", h.name, held)
	}
}

// most is what an ingestor of this world holds at most, in bytes: no report longer than
// its deadline and the call that it was given up with, and a fleet of 54 devices cannot say
// more in that time.
const most = 128 << 10

// weigh looks every ten seconds at what the ingestors hold, until over is closed.
func (w *world) weigh(over <-chan struct{}) {
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-over:
			return
		case <-ticker.C:
		}
		for _, h := range w.hosts {
			d := h.running()
			if d == nil {
				continue
			}
			if held := d.in.Stats().HeldBytes; held > most {
				w.faulty("%s holds %d bytes", h.name, held)
			}
		}
	}
}

// A handler is what a container of a function runs.
type handler func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

// A function is a Lambda function: containers are started cold when there is work and
// none is free, and used again.
type function struct {
	world   *world
	name    string
	region  string
	timeout time.Duration
	open    func(*wire) handler // a container starts

	mu   sync.Mutex // guards the following
	free []*container
	busy map[*container]bool
}

type container struct {
	wire   *wire
	handle handler
}

// invoke runs the function once, as Lambda does.
func (f *function) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var event events.SQSEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	f.world.saw(f.name, event)
	c := f.take(ctx)
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	response, err := c.handle(ctx, event)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.busy, c)
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

func (f *function) take(ctx context.Context) *container {
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
	c.handle = f.open(c.wire)
	f.busy[c] = true
	return c
}

// crash lights the fuse of a container: of one that works if there is one, else the next
// one that will.
func (f *function) crash(calls int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.busy {
		c.wire.fuse.Store(int32(calls))
		return true
	}
	if n := len(f.free); n > 0 {
		f.free[n-1].wire.fuse.Store(int32(calls))
		return true
	}
	return false
}

// chill throws the free containers away: the next invocations start cold.
func (f *function) chill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free = nil
}

// saw notes how late reports are when a function gets to see them.
func (w *world) saw(function string, event events.SQSEvent) {
	now := time.Now()
	reports, late := 0, 0
	for _, m := range queue.Messages(event) {
		b, err := envelope.Open(m.Body)
		if err != nil {
			continue
		}
		for range b.Lines() {
			reports++
			if now.Sub(time.UnixMilli(m.FirstSent)) > time.Hour {
				late++
			}
		}
	}
	w.add("seen by "+function, reports)
	w.add("an hour late at "+function, late)
}
