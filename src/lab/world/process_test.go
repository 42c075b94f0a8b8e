package world

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

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
	asked atomic.Int64 // datagrams that it was sent and that were not lost

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

// kill is kill -9: the socket is gone, and nothing more goes out or comes in. It reports
// whether there was a process.
func (h *host) kill() bool {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	d := h.take()
	if d == nil {
		return false
	}
	d.wire.killed.Store(true)
	d.socket.Close()
	d.stop()
	<-d.ended
	return true
}

// drain is SIGTERM. It reports whether there was a process.
func (h *host) drain() bool {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	d := h.take()
	if d == nil {
		return false
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
	return true
}
