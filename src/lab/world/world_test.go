// Package world is the whole system in one process and in virtual time: a fleet of
// devices that keep the rules, four ingestors, two queues, replicator and processor,
// and everything between them that can fail. It has no code of its own but tests.
package world

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"coap-for-aws-iot/src/lab"
	"coap-for-aws-iot/src/lab/oracle"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/processor"
	"coap-for-aws-iot/src/replicator"
	"coap-for-aws-iot/src/udp"
)

// registered is a thing that somebody has registered by hand, of type "byhand".
const registered = "registered"

// heartbeat is a thing that reports while the world drains, and that nobody judges.
const heartbeat = "heartbeat"

// A plan is what a seed decides before anything happens.
type plan struct {
	devices  int
	readings int           // of each device
	loss     float64       // share of datagrams that are lost
	twice    float64       // share that come twice
	slow     float64       // share that take from a second to longestDelay
	calm     time.Duration // between two faults, on average
	fast     bool          // the clock of one ingestor is an hour ahead all the time
	exhaust  bool          // one thing's shadow never answers
	crash    bool          // one thing's report kills whoever handles it

	beat   time.Duration // devices speak at its multiples; 0: whenever they like
	linger time.Duration // of the ingestors
	window time.Duration // in which Lambda gathers a batch for the processor
	create string        // COAP_AUTO_CREATE
	topic  string        // COAP_PUBLISH
	cache  int           // bytes that a container of the processor may remember
}

func draw(c *chance) plan {
	return plan{
		devices:  25 + c.below("plan", 30),
		readings: 25 + c.below("plan", 30),
		loss:     []float64{0, 0.02, 0.1, 0.3}[c.below("plan", 4)],
		twice:    []float64{0, 0.02, 0.1}[c.below("plan", 3)],
		slow:     []float64{0, 0.01, 0.1}[c.below("plan", 3)],
		calm:     c.between("plan", time.Minute, 5*time.Minute),
		fast:     c.below("plan", 4) == 0,
		exhaust:  c.below("plan", 10) == 0,
		crash:    c.below("plan", 10) == 0,
		beat:     []time.Duration{0, 15 * time.Second, 30 * time.Second, time.Minute}[c.below("plan", 4)],
		linger:   []time.Duration{0, 5 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond}[c.below("plan", 4)],
		window:   []time.Duration{0, 0, 5 * time.Second, 20 * time.Second}[c.below("plan", 4)],
		create:   []string{processor.CreateAny, processor.CreateAny, processor.CreateThings, processor.CreateNone}[c.below("plan", 4)],
		topic:    []string{"", "", "", "coap/{type}/{id}"}[c.below("plan", 4)],
		cache:    []int{10 << 10, 40 << 10, 64 << 20, 64 << 20, 64 << 20, 64 << 20, 64 << 20, 64 << 20}[c.below("plan", 8)],
	}
}

type world struct {
	t      *testing.T
	plan   plan
	chance *chance
	local  *local.Service
	aws    http.RoundTripper
	net    *udp.Network

	hosts      []*host // in firmware order
	processor  *function
	replicator *function
	pollers    []*poller
	heal       chan struct{}  // closed when faults are to end
	still      sync.WaitGroup // pollers that stand still

	mu     sync.Mutex // guards the following
	ledger *oracle.Ledger
	lucky  *device // the last that was acknowledged
	counts map[string]int
	cuts   map[[2]string]*cut
	owed   map[[2]netip.AddrPort]int // datagrams that an ingestor has had from a device, less those it has sent there
	waits  map[string]func()         // by device and token: what the first ACK does
	faults []string                  // what no oracle is needed for

	reasons  map[string]string // of poison, by mark
	arrivals arrivals
	effects  effects
	somebody stranger

	published map[string]bool // by saidBy
	owing     []string        // the same of readings that were acknowledged
}

func (w *world) count(name string) { w.add(name, 1) }

func (w *world) add(name string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[name] += n
}

func (w *world) faulty(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// expect keeps what the first ACK to a device's message does; heard is called for each.
func (w *world) expect(message string, acked func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits[message] = acked
}

func (w *world) heard(message string) {
	w.mu.Lock()
	acked := w.waits[message]
	delete(w.waits, message)
	w.mu.Unlock()
	if acked != nil {
		acked()
	}
}

// sent enters reading n of a device.
func (w *world) sent(d *device, n int, fields map[string]any, payload []byte) *oracle.Reading {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.effects.said(d, n, fields, payload)
	return w.ledger.Sent(d.thingType, d.name, fields, time.Now())
}

func (w *world) acked(d *device, r *oracle.Reading) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Acked = true
	w.lucky = d
	if w.plan.topic != "" {
		w.owing = append(w.owing, saidBy(d.name, r.Fields))
	}
}

// someoneHeard returns a device that has been acknowledged.
func (w *world) someoneHeard() (name, thingType string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lucky == nil {
		return "", ""
	}
	return w.lucky.name, w.lucky.thingType
}

func (w *world) poison(mark, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ledger.Poison(mark)
	w.reasons[mark] = reason
}

func (w *world) poisonAcked(mark string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ledger.PoisonAcked(mark)
}

func (w *world) queueURL(region string) string {
	return "http://aws.invalid/" + region + "/000000000000/reports"
}

func (w *world) dlqURL(region string) string { return w.queueURL(region) + "-dlq" }

// operator is a client that no fault touches.
func (w *world) operator(region string) aws.Config {
	cfg := (&wire{world: w, region: region}).config()
	cfg.HTTPClient = &http.Client{Transport: w.aws}
	return cfg
}

// build makes the world of a seed, with everything up.
func build(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, chance: newChance(seed), heal: make(chan struct{}),
		ledger: oracle.NewLedger(), counts: map[string]int{}, cuts: map[[2]string]*cut{}, owed: map[[2]netip.AddrPort]int{}, waits: map[string]func(){}, reasons: map[string]string{}, published: map[string]bool{},
		arrivals: newArrivals(), effects: newEffects(), somebody: stranger{},
	}
	w.plan = draw(w.chance)
	w.local = local.New(local.Options{
		BaseURL: "http://aws.invalid",
		Updated: w.updated,
		Random: func() float64 {
			return float64(w.chance.below("aws", 1<<30)) / (1 << 30)
		},
	})
	w.aws = w.local.Transport()
	w.net = udp.NewNetwork(w.fate)
	for _, region := range []string{primary, secondary} {
		w.makeQueues(region)
	}
	w.register()
	for i, name := range []string{"use1-a", "euw1-a", "use1-b", "euw1-b"} {
		region := primary
		if i%2 == 1 {
			region = secondary
		}
		w.hosts = append(w.hosts, &host{
			world: w, name: name, region: region, turn: make(chan struct{}, 1),
			addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}), 5683),
		})
	}
	if w.plan.fast {
		w.anyHost().ahead = time.Hour
	}
	for _, h := range w.hosts {
		h.start()
	}
	w.processor = w.newFunction("processor", primary, func(c *container) {
		p := processor.New(processor.Config{
			QueueURL: w.queueURL(primary), DLQURL: w.dlqURL(primary),
			AutoCreate: w.plan.create, CreatePerMinute: w.plan.createPerMinute(), AllowedTypes: allowedTypes, Publish: w.plan.topic, CacheBytes: w.plan.cache,
		}, c.wire.config())
		c.handle, c.held = p.Handle, p.HeldBytes
	})
	w.replicator = w.newFunction("replicator", secondary, func(c *container) {
		c.handle = replicator.New(replicator.Config{QueueURL: w.queueURL(secondary), PrimaryQueueURL: w.queueURL(primary), PrimaryRegion: primary}, c.wire.config()).Handle
	})
	return w
}

// createPerMinute is no more than there are names to be asked about: the fleet's, and those
// of heartbeat, cursed, crasher, registered, and one of r1 and u1.
func (p *plan) createPerMinute() int { return p.devices + 5 }

var allowedTypes = []string{"th", "meter", "door", "byhand", "stranger", "retired", "unheard"}

// register makes what somebody has put into the registry before there was any report.
func (w *world) register() {
	ctx := w.t.Context()
	registry := iot.NewFromConfig(w.operator(primary))
	must := func(err error) {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	newType := func(name string) {
		_, err := registry.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: &name})
		must(err)
	}
	newThing := func(name, thingType string) {
		_, err := registry.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name, ThingTypeName: &thingType})
		must(err)
	}
	newType("byhand")
	newType("stranger")
	newType("retired")
	newThing(registered, "byhand")
	_, err := registry.DeprecateThingType(ctx, &iot.DeprecateThingTypeInput{ThingTypeName: aws.String("retired")})
	must(err)
	if w.plan.create == processor.CreateAny {
		return
	}
	for _, name := range thingTypes {
		newType(name)
	}
	if w.plan.create == processor.CreateThings {
		return
	}
	for i := range w.plan.devices {
		newThing(deviceName(i), deviceType(i))
	}
	for _, name := range []string{heartbeat, "cursed", "crasher", "large"} {
		newThing(name, "th")
	}
}

// makeQueues makes a region's queues as Terraform does.
func (w *world) makeQueues(region string) {
	client := sqs.NewFromConfig(w.operator(region))
	create := func(name string, attributes map[string]string) {
		if _, err := client.CreateQueue(w.t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes}); err != nil {
			w.t.Fatal(err)
		}
	}
	create("reports-dlq", map[string]string{"MessageRetentionPeriod": "1209600"})
	create("reports", map[string]string{
		"MessageRetentionPeriod": "1036800",
		"VisibilityTimeout":      "180",
		"RedrivePolicy":          `{"deadLetterTargetArn":"arn:aws:sqs:` + region + `:000000000000:reports-dlq","maxReceiveCount":1000}`,
	})
}

func (w *world) newFunction(name, region string, open func(*container)) *function {
	f := &function{world: w, name: name, region: region, timeout: 30 * time.Second, open: open, busy: map[*container]bool{}}
	spec := lab.Function{
		Name: name, Region: region, BatchSize: 10, Concurrency: 2, Timeout: f.timeout,
		Queue: lab.Queue{Name: "reports", Region: region, URL: w.queueURL(region), Visibility: 180 * time.Second},
	}
	if name == "processor" {
		spec.Concurrency, spec.Window = 2+w.chance.below("plan", 2), w.plan.window
	}
	w.pollers = append(w.pollers, newPoller(region, func(ctx context.Context) {
		lab.NewPoller(spec, direct{w, region}, f.invoke, func(string, ...any) {}).Run(ctx, context.Background())
	}))
	return f
}

// hex is what certain things do to a processor that handles them.
func (w *world) hex(x *wire, r *http.Request) error {
	if r.Method != http.MethodPost || service(r) != "iotdata" {
		return nil
	}
	switch {
	case strings.Contains(r.URL.Path, "/crasher/"):
		x.killed.Store(true)
		return errKilled
	case strings.Contains(r.URL.Path, "/cursed/"):
		return errUnreachable
	}
	return nil
}

// hexed reports whether a thing is one of those for which a report can never be applied.
func hexed(thing string) bool { return thing == "crasher" || thing == "cursed" || thing == "large" }
