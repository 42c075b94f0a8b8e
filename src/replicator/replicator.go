// Package replicator forwards the bundles of a secondary region's queue into the
// primary's, byte for byte. It never sends the other way, so nothing loops.
package replicator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"

	"coap-for-aws-iot/src/metric"
	"coap-for-aws-iot/src/queue"
)

const (
	// sendTimeout bounds one send of all messages of an event: at most 6 MB, which
	// is 24 calls, 8 at a time, of 80 ms each between two regions.
	sendTimeout = 10 * time.Second

	// settleTime is kept free before the deadline of an invocation, to stretch what
	// could not be sent.
	settleTime = 3 * time.Second

	// returnTime is kept free to return, if this region's queue hangs too.
	returnTime = time.Second
)

// A Replicator is a Lambda handler. Its methods may be called concurrently.
type Replicator struct {
	own     *queue.Queue // the queue that the events come from
	primary *queue.Queue
	breaker breaker
	metrics io.Writer
	log     *slog.Logger
}

// New returns a replicator whose clients share credentials and HTTP client of c
// and sign for its own region and for cfg.PrimaryRegion.
func New(cfg Config, c aws.Config) *Replicator {
	primary := c.Copy()
	primary.Region = cfg.PrimaryRegion
	return &Replicator{
		own:     queue.New(queue.NewClient(c), cfg.QueueURL),
		primary: queue.New(queue.NewClient(primary), cfg.PrimaryQueueURL),
		metrics: os.Stdout,
		log:     slog.New(slog.NewJSONHandler(os.Stdout, nil)),
	}
}

// Handle forwards the messages of an event. Those that the primary queue has not
// confirmed are stretched and returned as failed, so that SQS keeps them; all
// others SQS may delete. The error is always nil: it would return the whole event.
//
// A message that SQS refuses as the sender's fault cannot be forwarded as long as
// the primary queue is as it is: most likely its MaximumMessageSize is below this
// queue's. It is kept like those of an outage, so it goes through if an operator
// corrects that, and otherwise this queue's redrive policy moves it to this
// region's dead-letter queue after 1000 receives. Nothing is dropped either way.
func (r *Replicator) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-returnTime))
		defer cancel()
	}
	start := time.Now()
	messages := queue.Messages(event)
	errs, nTried := r.forward(ctx, messages)

	var failed []queue.Message
	var first error
	var lags []time.Duration
	forwarded, nRefused := 0, 0
	oldest := start.UnixMilli()
	for i, m := range messages {
		if errs[i] == nil {
			n := strings.Count(m.Body, "\n") // a report is a line, and so is the header
			forwarded += n
			lags = append(lags, start.Sub(time.UnixMilli(m.FirstSent)))
			continue
		}
		if errors.Is(errs[i], queue.ErrRefused) {
			nRefused++
		}
		if first == nil {
			first = errs[i]
		}
		failed = append(failed, m)
		oldest = min(oldest, m.FirstSent)
	}
	nStretched := r.stretch(ctx, failed)
	if first != nil {
		r.log.Warn("keep messages that the primary queue did not confirm", "messages", len(failed), "error", first.Error())
	}
	slices.Sort(lags)
	err := metric.Log(r.metrics, time.Now(), metric.Service("replicator"),
		metric.Value{Name: metric.Forwarded, Unit: "Count", N: float64(forwarded)},
		metric.Value{Name: metric.Stretched, Unit: "Count", N: float64(nStretched)},
		metric.Value{Name: metric.Refused, Unit: "Count", N: float64(nRefused)},
		metric.Value{Name: metric.Tried, Unit: "Count", N: float64(nTried)},
		metric.Value{Name: metric.LagMedian, Unit: "Milliseconds", N: percentile(lags, 50)},
		metric.Value{Name: metric.LagP99, Unit: "Milliseconds", N: percentile(lags, 99)},
		metric.Value{Name: metric.OldestWaiting, Unit: "Seconds", N: float64(start.UnixMilli()-oldest) / 1000},
	)
	if err != nil {
		r.log.Error("write metrics", "error", err.Error())
	}
	return queue.Response(failed), nil
}

// errOpen is the fate of a message that was not sent because the primary queue is
// known to be down.
var errOpen = errors.New("primary queue is down: not tried")

// forward sends messages to the primary queue and returns one error per message and
// how many it has tried to send.
func (r *Replicator) forward(ctx context.Context, messages []queue.Message) (errs []error, n int) {
	errs = make([]error, len(messages))
	for i := range errs {
		errs[i] = errOpen
	}
	if len(messages) == 0 {
		return errs, 0
	}
	all, probe := r.breaker.allow(time.Now())
	if probe {
		all = r.send(ctx, messages[:1], errs[:1])
		n = 1
	}
	if all && n < len(messages) {
		r.send(ctx, messages[n:], errs[n:])
		n = len(messages)
	}
	return errs, n
}

// send sends messages, sets one error per message, and reports whether the primary
// queue works.
func (r *Replicator) send(ctx context.Context, messages []queue.Message, errs []error) (works bool) {
	until := time.Now().Add(sendTimeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-settleTime).Before(until) {
		until = deadline.Add(-settleTime)
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	outgoing := make([]queue.Outgoing, len(messages))
	for i, m := range messages {
		outgoing[i] = queue.Outgoing{Body: m.Body, FirstSent: m.FirstSent, Attempt: m.Attempt}
	}
	copy(errs, r.primary.Send(ctx, outgoing))
	works = slices.ContainsFunc(errs, func(err error) bool { return err == nil || errors.Is(err, queue.ErrRefused) })
	r.breaker.report(works)
	return works
}

// stretch puts off the next receive of messages, each by how often it has been
// received, and returns for how many that worked. One that could not be stretched
// comes back when its visibility timeout is over, which is sooner and harmless.
func (r *Replicator) stretch(ctx context.Context, messages []queue.Message) int {
	byDelay := map[time.Duration][]queue.Message{}
	for _, m := range messages {
		d := queue.Backoff(m.Count)
		byDelay[d] = append(byDelay[d], m)
	}
	n := 0
	var first error
	for d, part := range byDelay {
		for _, err := range r.own.Stretch(ctx, part, d) {
			switch {
			case err == nil:
				n++
			case first == nil:
				first = err
			}
		}
	}
	if first != nil {
		r.log.Warn("stretch messages", "messages", len(messages), "stretched", n, "error", first.Error())
	}
	return n
}

// percentile returns the given percentile of sorted durations in milliseconds, 0 if
// there are none.
func percentile(sorted []time.Duration, p int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[(len(sorted)-1)*p/100].Milliseconds())
}
