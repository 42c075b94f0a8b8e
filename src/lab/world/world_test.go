// Package world is the whole system in one process and in virtual time: a fleet of
// devices that keep the rules, four ingestors, two queues, replicator and processor,
// and everything between them that can fail. It has no code of its own but tests.
package world

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/lab"
	"coap-for-aws-iot/src/lab/oracle"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/processor"
	"coap-for-aws-iot/src/queue"
	"coap-for-aws-iot/src/replicator"
	"coap-for-aws-iot/src/udp"
)

var (
	seeds = flag.Int("seeds", 20, "how many worlds to run")
	first = flag.Uint64("seed", 1, "the first seed")
	hard  = flag.Bool("hard", false, "fail unless the run as a whole was hard enough")
	soak  = flag.Duration("soak", 0, "run worlds for that long, whatever -seeds says")
	quick = flag.Bool("quick", false, "begin no new world after one has failed")
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
}

func draw(c *chance) plan {
	return plan{
		devices:  20 + c.below("plan", 30),
		readings: 20 + c.below("plan", 30),
		loss:     []float64{0, 0.02, 0.1, 0.3}[c.below("plan", 4)],
		twice:    []float64{0, 0.02, 0.1}[c.below("plan", 3)],
		slow:     []float64{0, 0.01, 0.1}[c.below("plan", 3)],
		calm:     c.between("plan", time.Minute, 5*time.Minute),
		fast:     c.below("plan", 4) == 0,
		exhaust:  c.below("plan", 10) == 0,
		crash:    c.below("plan", 10) == 0,
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
	heal       chan struct{} // closed when faults are to end

	mu     sync.Mutex // guards the following
	ledger *oracle.Ledger
	lucky  *device // the last that was acknowledged
	counts map[string]int
	cuts   map[[2]string]int
	owed   map[[2]netip.AddrPort]int // datagrams that an ingestor has had from a device, less those it has sent there
	waits  map[string]func()         // by device and token: what the first ACK does
	faults []string                  // what no oracle is needed for
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

func (w *world) sent(thingType, thing string, fields map[string]any) *oracle.Reading {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ledger.Sent(thingType, thing, fields, time.Now())
}

func (w *world) acked(d *device, r *oracle.Reading) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Acked = true
	w.lucky = d
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

func (w *world) poison(mark string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ledger.Poison(mark)
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
		ledger: oracle.NewLedger(), counts: map[string]int{}, cuts: map[[2]string]int{}, owed: map[[2]netip.AddrPort]int{}, waits: map[string]func(){},
	}
	w.plan = draw(w.chance)
	w.local = local.New(local.Options{
		BaseURL: "http://aws.invalid",
		Random: func() float64 {
			return float64(w.chance.below("aws", 1<<30)) / (1 << 30)
		},
	})
	w.aws = w.local.Transport()
	w.net = udp.NewNetwork(w.fate)
	for _, region := range []string{primary, secondary} {
		w.makeQueues(region)
	}
	registry := iot.NewFromConfig(w.operator(primary))
	if _, err := registry.CreateThingType(t.Context(), &iot.CreateThingTypeInput{ThingTypeName: aws.String("byhand")}); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: aws.String(registered), ThingTypeName: aws.String("byhand")}); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"use1-a", "euw1-a", "use1-b", "euw1-b"} {
		region := primary
		if i%2 == 1 {
			region = secondary
		}
		w.hosts = append(w.hosts, &host{
			world: w, name: name, region: region,
			addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}), 5683),
		})
	}
	if w.plan.fast {
		w.anyHost().ahead = time.Hour
	}
	for _, h := range w.hosts {
		h.start()
	}
	w.processor = w.newFunction("processor", primary, func(x *wire) handler {
		return processor.New(processor.Config{QueueURL: w.queueURL(primary), DLQURL: w.dlqURL(primary), AutoCreate: processor.CreateAny}, x.config()).Handle
	})
	w.replicator = w.newFunction("replicator", secondary, func(x *wire) handler {
		return w.newReplicator(x)
	})
	return w
}

func (w *world) newReplicator(x *wire) handler {
	return replicator.New(replicator.Config{QueueURL: w.queueURL(secondary), PrimaryQueueURL: w.queueURL(primary), PrimaryRegion: primary}, x.config()).Handle
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

func (w *world) newFunction(name, region string, open func(*wire) handler) *function {
	f := &function{world: w, name: name, region: region, timeout: 30 * time.Second, open: open, busy: map[*container]bool{}}
	spec := lab.Function{
		Name: name, Region: region, BatchSize: 10, Concurrency: 2, Timeout: f.timeout,
		Queue: lab.Queue{Name: "reports", Region: region, URL: w.queueURL(region), Visibility: 180 * time.Second},
	}
	if name == "processor" {
		spec.Concurrency = 3
	}
	client := sqs.NewFromConfig(w.operator(region))
	w.pollers = append(w.pollers, newPoller(func(ctx context.Context) {
		lab.NewPoller(spec, client, f.invoke, func(string, ...any) {}).Run(ctx, context.Background())
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
func hexed(thing string) bool { return thing == "crasher" || thing == "cursed" }

// suspicion ends the text of a letter that was given up for crashes or in vain.
var suspicion = regexp.MustCompile(`\((crash|exhausted): [^)]*\)$`)

var poisonMark = regexp.MustCompile(`poison-[a-z0-9]+-[0-9]+-`)

// letters are the texts of all reports in the dead-letter queues, and the reasons that
// stand beside them.
func (w *world) letters() (texts []string) {
	for _, region := range []string{primary, secondary} {
		client := sqs.NewFromConfig(w.operator(region))
		url := w.dlqURL(region)
		for {
			out, err := client.ReceiveMessage(w.t.Context(), &sqs.ReceiveMessageInput{
				QueueUrl: &url, MaxNumberOfMessages: 10, VisibilityTimeout: 43200, MessageAttributeNames: []string{"All"},
			})
			if err != nil {
				w.t.Fatal(err)
			}
			if len(out.Messages) == 0 {
				break
			}
			for _, m := range out.Messages {
				reason := aws.ToString(m.MessageAttributes[envelope.AttributeReason].StringValue)
				word, _, _ := strings.Cut(reason, ":")
				w.count("letter: " + word)
				b, err := envelope.Open(*m.Body)
				if err != nil {
					texts = append(texts, *m.Body)
					continue
				}
				for line := range b.Lines() {
					text := string(line)
					if r, err := line.Report(); err == nil {
						text = string(r.Payload)
					}
					texts = append(texts, text+" ("+reason+")")
				}
			}
		}
	}
	return texts
}

// waiting is how many messages the two queues hold, in any state.
func (w *world) waiting() (n int) {
	for _, region := range []string{primary, secondary} {
		url := w.queueURL(region)
		out, err := sqs.NewFromConfig(w.operator(region)).GetQueueAttributes(w.t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
			var k int
			fmt.Sscan(out.Attributes[name], &k)
			n += k
		}
	}
	return n
}

// shadows reads what AWS IoT holds in the end.
func (w *world) shadows() map[string]oracle.Shadow {
	ctx := w.t.Context()
	cfg := w.operator(primary)
	registry, data := iot.NewFromConfig(cfg), iotdataplane.NewFromConfig(cfg)
	shadows := map[string]oracle.Shadow{}
	for pages := iot.NewListThingsPaginator(registry, &iot.ListThingsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, thing := range page.Things {
			if *thing.ThingName == registered || *thing.ThingName == heartbeat {
				continue
			}
			out, err := data.GetThingShadow(ctx, &iotdataplane.GetThingShadowInput{ThingName: thing.ThingName})
			if err != nil {
				if !hexed(*thing.ThingName) {
					w.faulty("%s: a thing without a shadow: %v", *thing.ThingName, err)
				}
				continue
			}
			var document struct {
				State struct {
					Reported map[string]any `json:"reported"`
					Desired  map[string]any `json:"desired"`
				} `json:"state"`
			}
			if err := json.Unmarshal(out.Payload, &document); err != nil {
				w.t.Fatal(err)
			}
			delete(document.State.Reported, "_coap")
			shadows[*thing.ThingName] = oracle.Shadow{ThingType: aws.ToString(thing.ThingTypeName), Reported: document.State.Reported}
		}
	}
	return shadows
}

// checkTypes compares the registry's thing types with those that devices have said.
func (w *world) checkTypes() {
	out, err := iot.NewFromConfig(w.operator(primary)).ListThingTypes(w.t.Context(), &iot.ListThingTypesInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, t := range out.ThingTypes {
		if !slices.Contains([]string{"th", "meter", "door", "byhand", "stranger"}, *t.ThingTypeName) {
			w.faulty("there is a thing type %s that no device said", *t.ThingTypeName)
		}
	}
}

// inject puts one report straight into the primary queue: what an operator redrives, or
// what has been on its way for weeks.
func (w *world) inject(thingType, thing, payload string, at time.Time) {
	b := envelope.AppendHeader(nil, envelope.Origin{Ingestor: "use1-a", Region: primary})
	b = envelope.AppendReport(b, &envelope.Report{
		Received: at.UnixMilli(), From: netip.MustParseAddrPort("198.51.100.250:1"), Type: thingType, ID: thing, Format: 50, Payload: []byte(payload),
	})
	q := queue.New(queue.NewClient(w.operator(primary)), w.queueURL(primary))
	if err := q.Send(w.t.Context(), []queue.Outgoing{{Body: string(b), FirstSent: at.UnixMilli()}})[0]; err != nil {
		w.t.Fatal(err)
	}
}

// drain waits until the queues are empty.
func (w *world) drain() {
	time.Sleep(time.Minute)
	for deadline := time.Now().Add(10 * 24 * time.Hour); w.waiting() > 0; {
		if time.Now().After(deadline) {
			w.faulty("%d messages are still in the queues after ten days", w.waiting())
			return
		}
		if !w.plan.exhaust {
			time.Sleep(5 * time.Minute)
			continue
		}
		// A fleet is never quite silent. If the only thing that still reports were the
		// one whose shadow fails, AWS IoT would seem to be down.
		for range 15 {
			w.inject("th", heartbeat, `{"beat":1}`, time.Now())
			time.Sleep(20 * time.Second)
		}
	}
}

// run lives one world to its end and returns the oracle's verdict.
func run(t *testing.T, seed uint64) (w *world, verdict *oracle.Verdict, lasted time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		w = build(t, seed)
		for _, p := range w.pollers {
			p.resume()
		}
		var fleet sync.WaitGroup
		devices := w.newFleet()
		for _, d := range devices {
			fleet.Go(d.run)
		}
		if w.plan.exhaust {
			w.poison("poison-cursed-0-")
			w.poisonAcked("poison-cursed-0-")
			w.inject("th", "cursed", `{"mark":"poison-cursed-0-"}`, time.Now())
		}
		if w.plan.crash {
			w.poison("poison-crasher-0-")
			w.poisonAcked("poison-crasher-0-")
			w.inject("th", "crasher", `{"mark":"poison-crasher-0-"}`, time.Now())
		}
		done := make(chan struct{})
		over := make(chan struct{})
		go func() { w.chaos(done); close(over) }()
		fleet.Wait()
		for _, d := range devices {
			d.socket.Close()
		}
		close(done)
		<-over
		w.local.RemoveFault("")

		w.drain()
		// What is weeks old does not come in any more.
		if name, thingType := w.someoneHeard(); name != "" {
			w.poison("poison-old-0-")
			w.poisonAcked("poison-old-0-")
			w.inject(thingType, name, `{"a":"poison-old-0-"}`, time.Now().Add(-16*24*time.Hour))
			w.drain()
		}
		for _, p := range w.pollers {
			p.pause()
		}
		for _, h := range w.hosts {
			h.drain()
		}
		shadows := w.shadows()
		for name, s := range shadows {
			if hexed(name) && len(s.Reported) == 0 {
				delete(shadows, name)
			}
		}
		w.checkTypes()
		verdict = w.ledger.Judge(shadows, w.letters(), func(text string) string { return poisonMark.FindString(text) },
			func(text string) bool { return suspicion.MatchString(text) })
		verdict.Faults = append(verdict.Faults, w.faults...)
		lasted = time.Since(begun)
		w.local.Close()
	})
	return w, verdict, lasted
}

// total adds up runs.
type total struct {
	mu      sync.Mutex // guards the following
	worlds  int
	failed  []uint64
	verdict oracle.Verdict
	counts  map[string]int
	lasted  time.Duration
}

func (s *total) add(seed uint64, w *world, v *oracle.Verdict, lasted time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worlds++
	s.lasted += lasted
	if !v.OK() {
		s.failed = append(s.failed, seed)
	}
	s.verdict.Acked += v.Acked
	s.verdict.Superseded += v.Superseded
	s.verdict.Lost += v.Lost
	s.verdict.Stale += v.Stale
	s.verdict.Foreign += v.Foreign
	s.verdict.Poison += v.Poison
	s.verdict.Wrong += v.Wrong
	s.verdict.Buried += v.Buried
	for name, n := range w.counts {
		s.counts[name] += n
	}
}

func (s *total) anyFailed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.failed) > 0
}

func (s *total) print(out io.Writer, took time.Duration) {
	fmt.Fprintf(out, "\n%d worlds, %v of virtual time in %v\n", s.worlds, s.lasted.Round(time.Hour), took.Round(time.Second))
	fmt.Fprintf(out, "  acknowledged           %9d\n", s.verdict.Acked)
	fmt.Fprintf(out, "  acknowledged but lost  %9d\n", s.verdict.Lost+s.verdict.Poison)
	fmt.Fprintf(out, "  stale                  %9d\n", s.verdict.Stale)
	fmt.Fprintf(out, "  foreign                %9d\n", s.verdict.Foreign+s.verdict.Wrong)
	fmt.Fprintf(out, "  buried for suspicion   %9d\n", s.verdict.Buried)
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(out, "  %-40s %9d\n", name, s.counts[name])
	}
	for _, seed := range s.failed {
		fmt.Fprintf(out, "FAILED: go test ./src/lab/world -run TestWorld -seeds 1 -seed %d\n", seed)
	}
}

func TestWorld(t *testing.T) {
	// The functions log to stdout, as Lambdas do.
	stdout := os.Stdout
	quiet, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	os.Stdout = quiet
	defer func() { os.Stdout = stdout }()

	s := &total{counts: map[string]int{}}
	begun := time.Now()
	t.Run("seed", func(t *testing.T) {
		n := *seeds
		if *soak > 0 {
			n = 1 << 30
		}
		for i := range n {
			seed := *first + uint64(i)
			if *soak > 0 && time.Since(begun) > *soak {
				break
			}
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				if *soak == 0 {
					t.Parallel()
				}
				if *quick && s.anyFailed() {
					t.Skip("one has failed")
				}
				w, verdict, lasted := run(t, seed)
				s.add(seed, w, verdict, lasted)
				if !verdict.OK() {
					t.Errorf("seed %d, %+v:\n%s", seed, w.plan, strings.Join(verdict.Faults, "\n"))
				}
			})
		}
	})
	s.print(stdout, time.Since(begun))
	if *hard {
		s.checkHard(t)
	}
}

// checkHard fails a run that has not met each kind of trouble often enough to mean
// something.
func (s *total) checkHard(t *testing.T) {
	want := func(name string, least int) {
		if s.counts[name] < least {
			t.Errorf("only %d times %q, want %d: the world is too kind", s.counts[name], name, least)
		}
	}
	for _, f := range faults {
		want("fault: "+f.name, 100)
	}
	for _, name := range []string{"datagrams lost", "datagrams duplicated", "datagrams delayed", "retransmissions", "5.03", "cold starts"} {
		want(name, 100)
	}
	want("acks lost", 1000)
	want("409", 1000)
	want("bundles for a fallback queue", 1000)
	for _, reason := range []string{"undecodable", "reserved", "too-deep", "type-conflict", "too-old", "exhausted", "crash"} {
		want("letter: "+reason, 1)
	}
	want("seen by replicator", s.counts["seen by processor"]/20)
	want("an hour late at processor", s.counts["seen by processor"]/100)
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(m.Run())
}
