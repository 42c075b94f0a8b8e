package lab

import (
	"context"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"coap-for-aws-iot/src/metric"
)

// A canaryBench is a lab and the built canary of its secondary region.
type canaryBench struct {
	t      *testing.T
	lab    *Lab
	lambda *lambda
	log    *said
}

// newCanaryBench starts both. The canary probes the four ingestors, and gone, where
// nobody is.
func newCanaryBench(t *testing.T, arch string, emulator ...string) *canaryBench {
	t.Helper()
	command := append(slices.Clone(emulator), buildBootstrap(t, "canary", arch))
	b := &canaryBench{t: t, lab: startLab(t, Options{}), log: &said{}}
	plan := b.lab.Plan()
	nobody := netip.AddrPortFrom(plan.Ingestors[0].CoAP.Addr(), plan.HTTP.Port())
	endpoints := []string{"gone=" + nobody.String()}
	for _, in := range plan.Ingestors {
		endpoints = append(endpoints, in.Name+"="+in.CoAP.String())
	}
	var queues []string
	for _, q := range plan.Queues {
		if q.Region == Secondary {
			queues = append(queues, q.URL)
		}
	}
	spec := plan.function("canary", Queue{Region: Secondary}, 30*time.Second,
		"COAP_NAME=euw1",
		"COAP_ENDPOINTS="+strings.Join(endpoints, ","),
		"COAP_PRIMARY_REGION="+Primary,
		"COAP_TOUCH_QUEUES="+strings.Join(queues, ","),
		"COAP_LATER=1", // of a release to come
	)
	b.lambda = newLambda(spec, func(_ int, api string) (running, error) {
		return startCommand(exec.Command(command[0], command[1:]...), "canary", append(slices.Clone(spec.environ), "AWS_LAMBDA_RUNTIME_API="+api), b.log.line)
	})
	t.Cleanup(b.lambda.close)
	return b
}

// invoke runs the canary and returns its metrics by endpoint.
func (b *canaryBench) invoke() map[string]map[string]float64 {
	b.t.Helper()
	b.log.mu.Lock()
	b.log.lines = nil
	b.log.mu.Unlock()
	if _, err := b.lambda.invoke(context.Background(), []byte(`{"source":"aws.scheduler"}`)); err != nil {
		b.t.Fatalf("%v\n%s", err, b.log.lines)
	}
	var found map[string]map[string]float64
	// The lines of a process come through a pipe, a little after its answer.
	eventually(b.t, 10*time.Second, func() error {
		b.log.mu.Lock()
		defer b.log.mu.Unlock()
		found = map[string]map[string]float64{}
		for _, line := range b.log.lines {
			if of, values, ok := metric.ParseLog([]byte(line)); ok {
				found[of.Value] = values
			}
		}
		if _, ok := found["canary"]; !ok {
			return context.DeadlineExceeded
		}
		return nil
	})
	return found
}

func (b *canaryBench) expect(found map[string]map[string]float64) {
	b.t.Helper()
	for _, in := range b.lab.Plan().Ingestors {
		values := found[in.Name]
		if values[metric.Answered] != 1 || values[metric.RoundTrip] <= 0 || values[metric.Arrived] != 1 || values[metric.EndToEnd] < values[metric.RoundTrip] {
			b.t.Errorf("%s: %v\n%s", in.Name, values, strings.Join(b.log.lines, "\n"))
		}
	}
	if n, ok := found["gone"][metric.Answered]; !ok || n != 0 {
		b.t.Errorf("nobody is there, and %v", found["gone"])
	}
	if n := found["canary"][metric.Untouched]; n != 0 {
		b.t.Errorf("%v queues were not touched", n)
	}
}

// The canary sees the lab as it is: what answers, what does not, and how long a report
// takes to its shadow.
func TestCanaryBootstrap(t *testing.T) {
	b := newCanaryBench(t, "amd64")
	found := b.invoke()
	b.expect(found)
	t.Logf("found %v", found)
	if !b.log.has("COAP_LATER") {
		t.Errorf("no warning of a variable that is not known: %q", b.log.lines)
	}

	processor := b.lab.mappings["processor"]
	processor.pause()
	// A receive that was given up may still be handed a message, until the queue has seen
	// its connection close.
	time.Sleep(time.Second)
	const lag = 3 * time.Second
	timer := time.AfterFunc(lag, processor.resume)
	defer timer.Stop()
	found = b.invoke()
	b.expect(found)
	for _, in := range b.lab.Plan().Ingestors {
		if took := found[in.Name][metric.EndToEnd]; took < float64(lag.Milliseconds())*0.9 {
			t.Errorf("%s: %v ms to the shadow, while the processor paused for %v", in.Name, took, lag)
		}
	}
}

func TestCanaryOnArm64(t *testing.T) {
	b := newCanaryBench(t, "arm64", arm64Emulator(t))
	b.expect(b.invoke())
}
