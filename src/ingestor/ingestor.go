// Package ingestor is the daemon behind one address: it takes reports from CoAP
// messages, gives them to a queue, and acknowledges a report only after the queue has
// confirmed it.
//
//	socket ─► listener.read ─► coap.Classify ─► router ─► dedup ─► queue.Sender ─► SQS
//	socket ◄─ listener.write ◄────── exchange.done ◄────────────────────┘
//
// One datagram up, at most one down: a CON is answered by a piggybacked ACK, after
// the store and within 700 ms, with 2.04 or 5.03 (RFC 7252, sections 5.2.1 and 5.9.3.4).
package ingestor

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/queue"
	"coap-for-aws-iot/src/udp"
)

// confirmWithin is how long a device waits for its answer at most: a 5.03 after that
// sends it to its next endpoint while it is still listening.
const confirmWithin = 700 * time.Millisecond

// An Ingestor is one daemon. Memory that is in use, by default and whatever is sent to
// it: duplicate table 64 MiB, sender 53 MiB, for at most 172,000 reports (see
// queue.maxHeld) an exchange of 136 bytes, 24 MB, and for each socket two lists of at most
// maxWaiting replies, 136 bytes each, 48 MB: with one socket less than 190 MiB. The
// collector lets the heap grow to twice that before it runs, unless GOMEMLIMIT says
// otherwise.
type Ingestor struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	router    router
	dedup     *dedup
	sender    *queue.Sender
	health    health
	salt      uint16 // of the Message IDs of our NON responses
	listeners []*listener
}

// New returns an ingestor that reads sockets, which are its own from then on, and
// sends to q, and where q does not confirm to fallback, unless that is nil.
func New(cfg Config, sockets []udp.Socket, q, fallback *queue.Queue, log *slog.Logger) *Ingestor {
	in := &Ingestor{
		cfg:    cfg,
		log:    log,
		router: router{allowedTypes: cfg.AllowedTypes},
		dedup:  newDedup(cfg.DedupMiB, time.Now()),
		sender: queue.NewSender(queue.Options{
			Queue:    q,
			Fallback: fallback,
			Log:      log,
			Origin:   envelope.Origin{Ingestor: cfg.Name, Region: cfg.Region},
			Linger:   cfg.Linger,
			Deadline: confirmWithin,
		}),
		health: health{log: log},
		salt:   uint16(rand.Uint32()),
	}
	in.metrics = newMetrics(in)
	for _, socket := range sockets {
		in.listeners = append(in.listeners, newListener(in, socket))
	}
	return in
}

// Stats returns what the ingestor's sender has done, and what it holds. It may be called
// at any time.
func (in *Ingestor) Stats() queue.Stats { return in.sender.Stats() }

// Run serves until ctx is done or a socket cannot be read any more, which is the error;
// then it drains within confirmWithin: new messages are told 5.03, what was accepted is
// stored, its acknowledgements leave, the sockets close. It is called once.
func (in *Ingestor) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	broken := make(chan error, len(in.listeners))
	in.checkClock() // before the first datagram, which may be waiting already
	var sending, reading, writing sync.WaitGroup
	sending.Go(func() { in.sender.Run(ctx) })
	for _, l := range in.listeners {
		reading.Go(func() {
			if err := l.read(); err != nil {
				broken <- err
				stop()
			}
		})
		writing.Go(l.write)
	}
	in.tick(ctx)

	in.health.drain()
	sending.Wait() // every report has had its answer put into a listener's replies
	for _, l := range in.listeners {
		l.finish()
	}
	writing.Wait()
	for _, l := range in.listeners {
		l.socket.Close()
	}
	reading.Wait()
	select {
	case err := <-broken:
		return fmt.Errorf("a socket is broken: %w", err)
	default:
		return nil
	}
}

// tick does what is to be done once a second, until ctx is done.
func (in *Ingestor) tick(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			in.checkClock()
			in.dedup.sweep(now)
			in.health.calm(now)
		}
	}
}

func (in *Ingestor) checkClock() {
	if in.cfg.RequireClock {
		in.health.clock(in.cfg.Clock.Synchronised())
	}
}
