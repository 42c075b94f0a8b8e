package processor

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/metric"
)

var (
	stormSeeds = flag.Int("storm.seeds", 40, "storms to run")
	stormFirst = flag.Uint64("storm.first", 1, "seed of the first")
)

// A life is what one device has sent, and where it was accepted.
type life struct {
	sent   []sending
	copies []copyOf
}

var lives = rapid.Custom(func(t *rapid.T) life {
	sent, copies := history(t)
	return life{sent, copies}
})

// Several containers, each through the real SDK, bring the histories of a few devices
// into shadows while everything fails in every way, containers die, and reports are
// delivered twice and out of order. In the end each shadow is what the sending order
// gives, and the dead-letter queue holds nothing, but what died so often with its
// container that it looks guilty: that is redriven.
func TestStorm(t *testing.T) {
	hard := map[string]float64{}
	for seed := *stormFirst; seed < *stormFirst+uint64(*stormSeeds); seed++ {
		synctest.Test(t, func(t *testing.T) { storm(t, seed, hard) })
		if t.Failed() {
			t.Fatalf("seed %d: go test ./src/processor -run TestStorm -storm.first %d -storm.seeds 1", seed, seed)
		}
	}
	t.Logf("%d storms: %v", *stormSeeds, hard)
	for _, name := range []string{"deaths", metric.Conflicts, metric.Throttled, metric.Resent, metric.Stretched, metric.Superseded, metric.Duplicate} {
		if hard[name] == 0 {
			t.Errorf("no %s: the storms are too mild", name)
		}
	}
}

func storm(t *testing.T, seed uint64, hard map[string]float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t)
	defer w.aws.Close()
	// The histories lie in the past of the bubble, so that the queue's own timestamp
	// never is the smaller one.
	time.Sleep(time.Until(time.UnixMilli(at0 + 100*day)))

	var arrivals []string // bundles, and their first SentTimestamp before the header
	devices := map[string]life{}
	for i := range 1 + rng.IntN(4) {
		name := fmt.Sprint("device-", i)
		l := lives.Example(int(seed)*10 + i)
		devices[name] = l
		for _, c := range l.copies {
			c.report.ID = name
			for range 1 + rng.IntN(4)/3 {
				arrivals = append(arrivals, fmt.Sprint(c.firstSent, " ", string(bundleOf(c.ingestor, c.report))))
			}
		}
	}
	rng.Shuffle(len(arrivals), func(i, j int) { arrivals[i], arrivals[j] = arrivals[j], arrivals[i] })

	containers := make([]*Processor, 1+rng.IntN(3))
	lives := make([]*mortal, len(containers))
	start := func(i int) {
		lives[i] = &mortal{next: w.aws.Transport(), path: "nothing yet"}
		w.useTransport(lives[i])
		containers[i] = w.p
	}
	for i := range containers {
		start(i)
	}
	calm := w.fault(local.Fault{Kind: local.Slow, Median: local.Delay(10 * time.Millisecond), P99: local.Delay(time.Second)})
	defer calm()
	for round := 0; len(arrivals) > 0 || round < 20; round++ {
		for range min(len(arrivals), rng.IntN(6)) {
			w.accept(arrivals[0])
			arrivals = arrivals[1:]
		}
		var ends []func()
		for range rng.IntN(3) {
			ends = append(ends, w.fault(randomFault(rng)))
		}
		records := w.receive(w.cfg.QueueURL)
		var all sync.WaitGroup
		for i, p := range containers {
			share := records[i*len(records)/len(containers) : (i+1)*len(records)/len(containers)]
			if len(share) == 0 {
				continue
			}
			dies := rng.IntN(5) == 0
			if dies {
				lives[i].dieAfter(rng.IntN(12))
			}
			all.Go(func() {
				failed := w.invoke(p, share)
				if !lives[i].over() {
					w.delete(share, failed)
				}
			})
		}
		all.Wait()
		for _, end := range ends {
			end()
		}
		for i := range containers {
			if lives[i].over() {
				hard["deaths"]++
			}
			if lives[i].over() || rng.IntN(10) == 0 {
				start(i)
			}
		}
		time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Minute))))
	}
	for i := range containers {
		start(i)
	}
	for range 2 {
		for range 60 {
			if records := w.receive(w.cfg.QueueURL); len(records) > 0 {
				w.handleBy(containers[rng.IntN(len(containers))], records)
			}
			time.Sleep(time.Minute)
		}
		w.redriveCrashes()
	}
	for name, n := range w.counts() {
		hard[name] += n
	}
	for name, l := range devices {
		want := inSendingOrder(t, l.sent)
		if got := w.reported(name); !sameJSON(t, got, want) {
			t.Errorf("shadow of %s: got %s, want %s", name, got, want)
		}
	}
	w.expectDead("")
}

func sameJSON(t *testing.T, a, b string) bool {
	normal := func(s string) string {
		var v any
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		return string(appendJSON(nil, v))
	}
	return normal(a) == normal(b)
}

// accept puts a bundle on the queue that another queue held first.
func (w *world) accept(arrival string) {
	firstSent, body, _ := strings.Cut(arrival, " ")
	w.putWith(body, envelope.AttributeFirstSent, firstSent)
}

// redriveCrashes is what an operator does after a bad day.
func (w *world) redriveCrashes() {
	w.t.Helper()
	for _, r := range w.receive(w.cfg.DLQURL) {
		why := attribute(r, envelope.AttributeReason)
		if !strings.HasPrefix(why, string(crash)) {
			w.t.Errorf("dead letter: %s", why)
		}
		w.putWith(r.Body, envelope.AttributeFirstSent, attribute(r, envelope.AttributeFirstSent))
	}
}

// randomFault draws what goes wrong with calls that only a processor makes.
func randomFault(rng *rand.Rand) local.Fault {
	operations := []string{
		"GetThingShadow", "UpdateThingShadow", "UpdateThingShadow", "CreateThing", "CreateThingType", "DescribeThing",
		"SendMessageBatch", "ChangeMessageVisibilityBatch",
	}
	f := local.Fault{
		Operation: operations[rng.IntN(len(operations))],
		Kind:      []string{local.Dead, local.Hang, local.Error, local.Throttled, local.Partial}[rng.IntN(5)],
		Share:     []float64{0.2, 0.5, 1}[rng.IntN(3)],
	}
	f.After = f.Kind != local.Throttled && rng.IntN(2) == 0
	return f
}
