package lab

import "context"

// A Poller is the event source mapping of a function that runs in this process: for
// worlds in virtual time, which have no child processes.
type Poller struct{ p poller }

// NewPoller returns the mapping of spec's queue to invoke, which gets an SQS event as
// JSON and returns the function's response, or an error for one that crashed or timed
// out. say gets the lines that a lab would log. client is an SQS client of the SDK, or
// what a world has in its place: this part is AWS's own, not a user of it.
func NewPoller(spec Function, client sqsClient, invoke func(ctx context.Context, event []byte) ([]byte, error), say func(format string, args ...any)) *Poller {
	return &Poller{poller{spec: spec, sqs: client, invoke: invoke, say: say}}
}

// Run polls until ctx is done and returns when the batches that it had are settled. life
// is the context of invocations.
func (p *Poller) Run(ctx, life context.Context) { p.p.run(ctx, life) }
