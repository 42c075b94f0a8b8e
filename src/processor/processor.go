// Package processor is the only writer to AWS IoT. It takes bundles from the primary
// queue, adds things and thing types that are new, and merges each report into its
// thing's shadow, in the order of sending, whatever the order of arrival.
// docs/order.md has the rules.
package processor

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"golang.org/x/sync/semaphore"

	"coap-for-aws-iot/src/queue"
)

const (
	// maxThings bounds the things that are worked on at a time.
	maxThings = 128

	// settleTime is kept free before the deadline of an invocation, to send again,
	// to the queues, what could not be applied; at most a third of the time there is.
	settleTime = 10 * time.Second

	// returnTime is kept free to return. What a hanging queue holds up beyond that is
	// a failure, and not a death that Lambda has to bring about.
	returnTime = time.Second
)

// A Processor is a Lambda handler. Its methods may be called concurrently, although
// Lambda gives a container one event at a time.
//
// An event is at most 6 MB. A report of 95 bytes, the least there is, becomes about
// 700 bytes of structs and text while it is worked on: 63,000 x 700 = 44 MB. What is
// decoded at a time is at most 29 MB, see maxDecodedBytes. Things that are worked on hold
// a state of at most 20 KB and a shadow document of 40 KB each: 128 x 60 KB = 8 MB. So an
// event is 81 MB. Beside that there is the cache, see maxCacheBytes.
type Processor struct {
	config    Config
	sqs       *sqs.Client
	source    *queue.Queue
	dlq       *queue.Queue
	iot       *iotClient
	registrar registrar
	cache     *cache
	hits      hitRate
	decoded   *semaphore.Weighted // bytes of payload, see maxDecodedBytes
	conflicts atomic.Int64        // since the last metrics
	undeleted atomic.Int64        // when the queue last failed to delete messages, in ns since 1970
	metrics   io.Writer
	log       *slog.Logger
}

// New returns a processor whose clients share credentials and HTTP client of c.
func New(cfg Config, c aws.Config) *Processor {
	sqsClient := queue.NewClient(c)
	client := newIoT(cfg, c)
	return &Processor{
		config:    cfg,
		sqs:       sqsClient,
		source:    queue.New(sqsClient, cfg.QueueURL),
		dlq:       queue.New(sqsClient, cfg.DLQURL),
		iot:       client,
		registrar: registrar{iot: client, create: cfg.AutoCreate, budget: budget{perMinute: cfg.CreatePerMinute}},
		cache:     newCache(cmp.Or(cfg.CacheBytes, maxCacheBytes)),
		decoded:   semaphore.NewWeighted(maxDecodedBytes),
		metrics:   os.Stdout,
		log:       slog.New(slog.NewJSONHandler(os.Stdout, nil)),
	}
}

// Handle brings the reports of an event into shadows. It returns as failed the
// messages that are to stay on the queue; of each report in the others, one of these
// is true: its effect is in the shadow, newer reports have superseded it, the queue
// has confirmed that it holds it again, or the dead-letter queue has. The error is
// always nil: it would return the whole event.
//
// If the process dies on any line, the whole event comes again, and what was done
// already is recognised by its keys.
func (p *Processor) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-returnTime))
		defer cancel()
	}
	s := settlement{p: p, start: time.Now()}
	s.messages, s.newer = p.open(queue.Messages(event))
	p.apply(ctx, s.messages...)
	s.settle(ctx, s.messages...)
	alone := s.isolate(ctx)
	s.stretch(ctx)
	if alone != nil {
		s.handleAlone(ctx, alone)
	}
	s.report()
	return queue.Response(s.failed()), nil
}

// apply decides the fate of each report that is undecided, many things at a time.
func (p *Processor) apply(ctx context.Context, messages ...*message) {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-min(settleTime, left/3)))
		defer cancel()
	}
	byThing := map[string][]*report{}
	for _, m := range messages {
		for _, r := range m.reports {
			if r.fate == undecided {
				byThing[r.thing] = append(byThing[r.thing], r)
			}
		}
	}
	var workers sync.WaitGroup
	slots := make(chan struct{}, maxThings)
	for thing, reports := range byThing {
		slots <- struct{}{}
		workers.Go(func() {
			defer func() { <-slots }()
			p.applyThing(ctx, thing, reports)
		})
	}
	workers.Wait()
}
