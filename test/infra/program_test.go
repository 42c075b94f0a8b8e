package infra

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/device/client"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/queue"
	"coap-for-aws-iot/test/cloud"
	"coap-for-aws-iot/test/iam"
	"coap-for-aws-iot/test/stand"
)

// patience is how long a test waits for what takes seconds here.
const patience = 3 * time.Minute

// programs are the real programs at work, in the cloud that their environment names.
type programs struct {
	t     *testing.T
	stack *stack
	cloud *cloud.Cloud
	asked map[string][]iam.Call // by role
	where map[string]string     // name of an ingestor to its address
}

// runPrograms starts the programs, lets them do all that they ever do, and returns what
// they asked for, by role.
func runPrograms(t *testing.T, s *stack) map[string][]iam.Call {
	t.Helper()
	p := &programs{t: t, stack: s, cloud: cloud.New(t), asked: map[string][]iam.Call{}, where: map[string]string{}}
	for _, region := range []string{primary, secondary} {
		for _, name := range []string{"coap-reports", "coap-reports-dlq"} {
			if err := p.cloud.MakeQueue(t.Context(), region, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.ingestors()
	p.replicator()
	p.processor()
	p.canaries()
	return p.asked
}

// tap returns a proxy whose calls are a role's. What AWS would not have understood fails
// the test.
func (p *programs) tap(role string) *cloud.Tap {
	tap := p.cloud.Tap(p.t)
	p.t.Cleanup(func() {
		for _, fault := range tap.Faults() {
			p.t.Errorf("%s: %v", role, fault)
		}
	})
	return tap
}

func (p *programs) fault(f local.Fault) (heal func()) {
	p.t.Helper()
	id, err := p.cloud.Services.AddFault(f)
	if err != nil {
		p.t.Fatal(err)
	}
	return func() { p.cloud.Services.RemoveFault(id) }
}

// ingestors runs each region's first ingestor: with a queue that works, and without.
func (p *programs) ingestors() {
	t := p.t
	binary := stand.Build(t, "src/ingestor/daemon", "")
	for _, region := range []string{primary, secondary} {
		name, role := codes[region]+"-a", "coap-ingestor-"+region
		files, ok := p.stack.bootFiles(t, region)[name]
		if !ok {
			t.Fatalf("%s has no ingestor %s", region, name)
		}
		environ := environmentFile(t, files["/etc/coap/ingestor.env"])
		tap := p.tap(role)
		p.where[name] = freeUDP(t)
		// What this machine has not: the port, for all addresses, and perhaps a clock that
		// is kept. No packet comes from where the canary will be.
		environ = append(append(environ, tap.Environ()...), "COAP_LISTEN="+p.where[name], "COAP_ADMIN=127.0.0.1:0", "COAP_REQUIRE_CLOCK=false")
		d, err := cloud.StartDaemon(t, binary, environ)
		if err != nil {
			t.Fatal(err)
		}
		wait(t, d.Output, "the ingestor listens", func() bool { return strings.Contains(d.Output(), `"msg":"listening"`) })
		p.report(name, "thermometer", "thing-"+name)
		heal := p.fault(local.Fault{Region: region, Service: "sqs", Kind: local.Dead})
		p.report(name, "thermometer", "thing-"+name)
		heal()
		environment := environmentOf(environ)
		wait(t, d.Output, "the ingestor sends its log", func() bool {
			return len(p.cloud.Lines(region, environment["COAP_LOG_GROUP"], environment["COAP_NAME"])) > 0
		})
		p.asked[role] = tap.Calls()
	}
}

// report is a device's: it must be acknowledged.
func (p *programs) report(ingestor, thingType, id string) {
	p.t.Helper()
	c, err := client.New(client.Config{Endpoints: []netip.AddrPort{netip.MustParseAddrPort(p.where[ingestor])}, Type: thingType, ID: id})
	if err != nil {
		p.t.Fatal(err)
	}
	result, err := c.Send(p.t.Context(), []byte(`{"t":21.5}`), 50, true)
	if err != nil || result.Outcome != device.Delivered {
		p.t.Fatalf("report to %s: %v, %v", ingestor, result, err)
	}
}

// function starts a Lambda function's program with the environment of the plan.
func (p *programs) function(region, name, pkg string, change func(environ map[string]string)) (*cloud.Function, *cloud.Tap) {
	t := p.t
	t.Helper()
	var environ []string
	for _, f := range resources(p.stack.plans[region], "aws_lambda_function") {
		if f.AttributeValues["function_name"] != name {
			continue
		}
		variables := map[string]string{}
		for key, value := range at(f.AttributeValues, "environment", 0, "variables").(map[string]any) {
			variables[key] = value.(string)
		}
		change(variables)
		for key, value := range variables {
			environ = append(environ, key+"="+value)
		}
	}
	if environ == nil {
		t.Fatalf("%s has no function %s", region, name)
	}
	tap := p.tap(name + "-" + region)
	arn := "arn:aws:lambda:" + region + ":" + cloud.Account + ":function:" + name
	environ = append(append(environ, tap.Environ()...), "AWS_REGION="+region, "AWS_LAMBDA_FUNCTION_NAME="+name)
	f, err := cloud.StartFunction(t, stand.Build(t, pkg, "lambda.norpc"), arn, 30*time.Second, environ)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(f.Output(), "does not know") {
		t.Errorf("%s: the program does not know all of its environment: %s", name, f.Output())
	}
	return f, tap
}

// handle lets a function have what waits in its region's queue, or messages, and reports
// whether it kept all of it.
func (p *programs) handle(f *cloud.Function, region string, messages ...types.Message) (done bool) {
	t := p.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if messages == nil {
		var err error
		if messages, err = p.cloud.Receive(ctx, region, "coap-reports"); err != nil {
			t.Fatal(err)
		}
	}
	event, err := cloud.Event(region, "coap-reports", messages)
	if err != nil {
		t.Fatal(err)
	}
	response, err := f.Invoke(ctx, event)
	if err != nil {
		t.Fatal(err)
	}
	return !strings.Contains(string(response), "itemIdentifier")
}

// replicator forwards what the secondary's ingestor has stored, and stretches it while the
// primary's queue is down.
func (p *programs) replicator() {
	t := p.t
	f, tap := p.function(secondary, "coap-replicator", "src/replicator/lambda", func(map[string]string) {})
	if !p.handle(f, secondary) {
		t.Errorf("the replicator gave its batch back: %s", f.Output())
	}
	p.report("euw1-a", "thermometer", "thing-euw1-a")
	heal := p.fault(local.Fault{Region: primary, Service: "sqs", Kind: local.Error})
	if p.handle(f, secondary) {
		t.Error("the replicator kept what the primary's queue did not take")
	}
	heal()
	p.asked["coap-replicator-"+secondary] = tap.Calls()
}

// processor applies what the ingestors have stored; then each way in which it can be in
// trouble.
func (p *programs) processor() {
	t := p.t
	f, tap := p.function(primary, "coap-processor", "src/processor/lambda", func(map[string]string) {})
	if !p.handle(f, primary) {
		t.Errorf("the processor gave its batch back: %s", f.Output())
	}

	// A thing that is registered with another type goes to the dead-letter queue.
	registry, taken, other := p.cloud.IoT(primary), "taken", "other"
	if _, err := registry.CreateThingType(t.Context(), &iot.CreateThingTypeInput{ThingTypeName: &other}); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: &taken, ThingTypeName: &other}); err != nil {
		t.Fatal(err)
	}
	p.report("use1-a", "thermometer", taken)
	if !p.handle(f, primary) {
		t.Errorf("the processor gave poison back: %s", f.Output())
	}
	if _, err := p.cloud.Receive(t.Context(), primary, "coap-reports-dlq"); err != nil {
		t.Error(err)
	}

	// A message that comes for the fourth time is replaced by a copy.
	p.report("use1-a", "thermometer", "thing-use1-a")
	messages := p.receive(primary)
	messages[0].Attributes["ApproximateReceiveCount"] = "4"
	p.handle(f, primary, messages...)

	// Of two that were replaced before, the one that comes again is handled alone, after
	// the other one has been deleted.
	source := queue.New(p.cloud.SQS(primary), cloud.QueueURL(primary, "coap-reports"))
	body := *messages[0].Body
	for _, err := range source.Send(t.Context(), []queue.Outgoing{{Body: body, Attempt: 1}, {Body: body, Attempt: 1}}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var watched []types.Message
	for len(watched) < 2 {
		for _, m := range p.receive(primary) {
			if _, ok := m.MessageAttributes["Attempt"]; ok {
				watched = append(watched, m)
			}
		}
	}
	watched[0].Attributes["ApproximateReceiveCount"] = "2"
	p.handle(f, primary, watched[:2]...)

	// While shadows cannot be written, what there is is stretched and given back: from 16
	// failures in a row on that is an outage, and no longer the trouble of one report.
	for i := range 8 {
		p.report("use1-a", "thermometer", fmt.Sprint("thing-", i))
	}
	heal := p.fault(local.Fault{Region: primary, Service: "iot-data", Kind: local.Error})
	if p.handle(f, primary) {
		t.Error("the processor kept what it could not write")
	}
	heal()
	p.asked["coap-processor-"+primary] = tap.Calls()
}

func (p *programs) receive(region string) []types.Message {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	messages, err := p.cloud.Receive(ctx, region, "coap-reports")
	if err != nil {
		p.t.Fatal(err)
	}
	return messages
}

// canaries probes, from each region, the ingestors that run here, in place of the addresses
// of a cloud.
func (p *programs) canaries() {
	t := p.t
	address := regexp.MustCompile(`([a-z0-9-]+)=[0-9.]+:5683`)
	for _, region := range []string{primary, secondary} {
		f, tap := p.function(region, "coap-canary", "src/canary/lambda", func(variables map[string]string) {
			named := address.FindAllStringSubmatch(variables["COAP_ENDPOINTS"], -1)
			if len(named) < 2 {
				t.Errorf("%s: the canary's endpoints are %q", region, variables["COAP_ENDPOINTS"])
			}
			name := codes[region] + "-a"
			variables["COAP_ENDPOINTS"] = name + "=" + p.where[name]
		})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := f.Invoke(ctx, []byte("{}")); err != nil {
			t.Error(err)
		}
		p.asked["coap-canary-"+region] = tap.Calls()
	}
}

// wait polls until a condition holds. said is what the program has said, for the failure.
func wait(t *testing.T, said func() string, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v; it said %s", what, patience, said())
		}
	}
}

// freeUDP returns an address on which nobody listens.
func freeUDP(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().String()
}
