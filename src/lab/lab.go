// Package lab is the whole system on one machine: four ingestors, the functions of both
// regions, and the AWS that they need, as child processes of the program that starts it,
// so that kill -9 means kill -9. The children run the real main functions of the daemon
// and the Lambdas, configured by environment through the real AWS SDK; only what AWS itself
// would do is the lab's: queues, registry and shadows (package local), and Lambda's polling
// of a queue and running of containers.
//
//	plan.go                                    what there is going to be, as data
//	address.go  folder.go                      where it listens, and keeps its data
//	child.go  awschild.go                      what a child does
//	process.go  supervisor.go                  a child process, and keeping one running
//	poller.go  event.go  settle.go  mapping.go Lambda's event source mapping
//	function.go  container.go  runtimeapi.go   Lambda's containers
//	stats.go  sample.go  queues.go  thing.go   what the page shows
//	page.go  page.html                         the page
package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Options say what a lab is like. The zero value is the standard lab.
type Options struct {
	// CoAP are the addresses of the four ingestors in firmware order, or the first of
	// four ports in a row. None: 127.0.0.1 to 127.0.0.4, port 5683, or ports 5683 to
	// 5686 of 127.0.0.1 on a machine that has no other.
	CoAP []netip.AddrPort
	AWS  netip.AddrPort // zero: 127.0.0.1:4566
	HTTP netip.AddrPort // of the page; zero: 127.0.0.1:8080

	// FunctionTimeout is how long an invocation may take; 0 means 10 s.
	FunctionTimeout time.Duration
	// Visibility is how long a message that a function has not settled stays away; 0
	// means six times FunctionTimeout, as AWS recommends.
	Visibility time.Duration

	// Data is the directory in which queues, things and shadows outlive the lab, crashes
	// and power cuts; empty: they live in memory.
	Data string

	Log io.Writer // nil: none
}

const defaultFunctionTimeout = 10 * time.Second

// Limits of a lab's life.
const (
	// startLimit is how long Start takes at most.
	startLimit = 15 * time.Second
	// CloseLimit is how long Close takes at most: drainLimit for each of ingestors,
	// functions and the local AWS, and a second to look after the dead.
	CloseLimit = 3*drainLimit + time.Second
)

// A Lab is a running lab. Its methods may be called from any goroutine.
type Lab struct {
	// set once
	plan     Plan
	log      *logbook
	client   *http.Client           // of admin endpoints and the local AWS
	children map[string]*supervisor // the ingestors and the local AWS
	mappings map[string]*mapping    // the functions
	page     *page
	stages   [nStages]stage
	close    sync.Once
	sampling sync.Mutex // held by sample

	mu       sync.Mutex          // guards the following
	tallies  map[string]*tally   // by ingestor
	readings map[string]*reading // by ingestor, the latest of each
}

// A stage is what stops together.
type stage struct {
	stop    context.CancelFunc // nil: it has not begun
	running *sync.WaitGroup
}

// The stages, in the order in which they stop.
const (
	stageIngestors = iota
	stageFunctions
	stageAWS
	stagePage
	nStages
)

// Start starts a lab and returns when all of it is ready, or an error that says in one
// line what to do. ctx is for the start only: the lab runs until Close.
func Start(ctx context.Context, o Options) (*Lab, error) {
	l, err := newLab(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := l.start(ctx); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func newLab(o Options) (*Lab, error) {
	four, err := endpoints(o.CoAP, available)
	if err != nil {
		return nil, err
	}
	if !o.AWS.IsValid() {
		o.AWS = defaultAWS
	}
	if !o.HTTP.IsValid() {
		o.HTTP = defaultHTTP
	}
	if o.FunctionTimeout == 0 {
		o.FunctionTimeout = defaultFunctionTimeout
	}
	if o.Visibility == 0 {
		o.Visibility = 6 * o.FunctionTimeout
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	p := NewPlan(four, o.AWS, o.HTTP, o.FunctionTimeout, o.Visibility)
	p.Data = o.Data
	return assemble(p, o.Log)
}

// assemble makes the lab that a plan describes, and starts nothing.
func assemble(p Plan, log io.Writer) (*Lab, error) {
	l := &Lab{
		plan:     p,
		log:      newLogbook(log),
		client:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, // no proxy
		children: map[string]*supervisor{},
		mappings: map[string]*mapping{},
		tallies:  map[string]*tally{},
		readings: map[string]*reading{},
	}
	if err := l.plan.checkData(); err != nil {
		return nil, err
	}
	if err := l.plan.checkAddresses(); err != nil {
		return nil, err
	}
	l.child(roleAWS, roleAWS, l.plan.awsEnviron(), l.makeQueues)
	for _, in := range l.plan.Ingestors {
		l.tallies[in.Name], l.readings[in.Name] = &tally{}, &reading{}
		l.child(in.Name, roleIngestor, in.environ, func(ctx context.Context) error {
			return checkHealth(ctx, l.client, in.Admin)
		})
	}
	for _, f := range l.plan.Functions {
		l.function(f)
	}
	l.page = newPage(l)
	return l, nil
}

// child adds a supervisor for a child.
func (l *Lab) child(name, role string, environ []string, check func(context.Context) error) {
	start := func() (running, error) {
		return startProcess(role, environ, func(line []byte) { l.log.line(name, line) })
	}
	l.children[name] = newSupervisor(name, start, check, l.log.of(name))
}

// function adds a function and its event source.
func (l *Lab) function(spec Function) {
	var m *mapping
	f := newLambda(spec, func(n int, api string) (running, error) {
		name := containerName(spec.Name, n)
		environ := append(slices.Clone(spec.environ),
			"AWS_LAMBDA_RUNTIME_API="+api,
			"AWS_LAMBDA_LOG_STREAM_NAME="+name,
		)
		return startProcess(spec.Name, environ, func(line []byte) {
			if !m.line(line) {
				l.log.line(name, line)
			}
		})
	})
	m = newMapping(f, &poller{
		spec:   spec,
		sqs:    sqs.NewFromConfig(l.Config(spec.Region)),
		invoke: f.invoke,
		say:    l.log.of(spec.Name),
	})
	l.mappings[spec.Name] = m
}

func containerName(function string, n int) string { return function + "/" + strconv.Itoa(n) }

// start starts the stages in the order of the data: AWS, ingestors, functions.
func (l *Lab) start(ctx context.Context) error {
	if err := l.startChildren(ctx, stageAWS, roleAWS); err != nil {
		return err
	}
	var ingestors []string
	for _, in := range l.plan.Ingestors {
		ingestors = append(ingestors, in.Name)
	}
	if err := l.startChildren(ctx, stageIngestors, ingestors...); err != nil {
		return err
	}
	l.begin(stageFunctions, func(ctx context.Context, running *sync.WaitGroup) {
		for _, m := range l.mappings {
			running.Go(func() { m.run(ctx, drainLimit) })
			m.resume()
		}
	})
	listener, err := net.Listen("tcp", l.plan.HTTP.String())
	if err != nil {
		return fmt.Errorf("open the page: %w", err)
	}
	l.begin(stagePage, func(ctx context.Context, running *sync.WaitGroup) {
		running.Go(func() { l.keepSampling(ctx) })
		running.Go(func() { l.page.run(ctx, listener) })
	})
	return nil
}

// startChildren starts children and returns when they are up.
func (l *Lab) startChildren(ctx context.Context, at int, names ...string) error {
	l.begin(at, func(ctx context.Context, running *sync.WaitGroup) {
		for _, name := range names {
			running.Go(func() { l.children[name].run(ctx) })
		}
	})
	for _, name := range names {
		if err := l.children[name].waitUp(ctx); err != nil {
			if last := l.log.lastOf(name); last != "" {
				err = fmt.Errorf("%w; the last that was heard of it: %s", err, last)
			}
			return fmt.Errorf("start the lab: %w", err)
		}
	}
	return nil
}

// begin starts a stage.
func (l *Lab) begin(at int, run func(ctx context.Context, running *sync.WaitGroup)) {
	ctx, stop := context.WithCancel(context.Background())
	l.stages[at] = stage{stop: stop, running: &sync.WaitGroup{}}
	run(ctx, l.stages[at].running)
}

// Close drains and stops the lab, in the order of the data: ingestors store and
// acknowledge what they have accepted, functions finish the batches they have, then the
// local AWS ends and with it all that is in it. It returns within CloseLimit, when no
// child is left.
func (l *Lab) Close() {
	l.close.Do(func() {
		for _, s := range l.stages {
			if s.stop != nil {
				s.stop()
				s.running.Wait()
			}
		}
	})
}

// keepSampling looks at the counters once a second, so that little is missing of a
// process that is killed.
func (l *Lab) keepSampling(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, sampleEvery)
		l.sample(ctx)
	}
}
