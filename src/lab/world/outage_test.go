package world

import (
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"coap-for-aws-iot/src/local"
)

// silence takes away what the functions log to stdout, as Lambdas do.
func silence(t *testing.T) {
	t.Helper()
	quiet, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = quiet
	t.Cleanup(func() { os.Stdout = stdout; quiet.Close() })
}

// recovery is how long the backlog of an outage may take to drain: the longest step of
// visibility, 15 minutes, the replicator's probe, and the way through both functions.
const recovery = 16 * time.Minute

// An outage of the primary region, for hours or days, from the radio to the shadow: devices
// are acknowledged all the time, what they say waits in the secondary region and nothing of
// it in a dead-letter queue; after the recovery all of it is in the primary's shadows
// within one step of visibility, and nothing old goes over anything newer, although the
// fleet goes on talking.
func TestOutage(t *testing.T) {
	silence(t)
	for _, tt := range []struct {
		name  string
		lasts time.Duration
		every time.Duration // a reading of each device
		begin func(w *world) (end func())
	}{
		{"queue dead for six hours", 6 * time.Hour, 10 * time.Minute, func(w *world) func() {
			return w.breakPrimary("sqs", local.Dead)
		}},
		{"queue hangs for six hours", 6 * time.Hour, 10 * time.Minute, func(w *world) func() {
			return w.breakPrimary("sqs", local.Hang)
		}},
		{"region gone for six hours", 6 * time.Hour, 10 * time.Minute, (*world).losePrimary},
		{"queue dead for two days", 48 * time.Hour, 2 * time.Hour, func(w *world) func() {
			return w.breakPrimary("sqs", local.Dead)
		}},
		{"region gone for two days", 48 * time.Hour, 2 * time.Hour, (*world).losePrimary},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.lasts > 24*time.Hour && !twoDays {
				t.Skip("not under the race detector")
			}
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { outage(t, tt.lasts, tt.every, tt.begin) })
		})
	}
}

func outage(t *testing.T, lasts, every time.Duration, begin func(w *world) (end func())) {
	w := build(t, 1)
	w.plan.loss, w.plan.twice, w.plan.slow, w.plan.beat = 0.02, 0.02, 0.01, 0
	for _, p := range w.pollers {
		p.resume()
	}
	const before, after = 2 * time.Hour, 2 * time.Hour
	var fleet sync.WaitGroup
	for i := range 12 {
		d := w.newDevice(i)
		d.least, d.most = every*3/4, every*5/4
		d.radio = w.newPolicy(d, i)
		fleet.Go(func() { d.talk(before + lasts + after) })
	}
	counts := func() (readings, acks int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.counts["readings"], w.counts["acks"] + w.counts["check-ins sent"]
	}
	dead := func(when string) {
		if letters := w.letters(); len(letters) > 0 {
			t.Errorf("%s, %d reports in dead-letter queues, such as %s", when, len(letters), letters[0])
		}
	}

	time.Sleep(before)
	readings, acks := counts()
	end := begin(w)
	time.Sleep(lasts)
	said, heard := counts()
	said, heard = said-readings, heard-acks
	end()
	recovered := time.Now()
	backlog := w.waiting()
	if said < 100 || heard < said*85/100 || backlog < said/2 {
		t.Errorf("in the outage %d readings, %d delivered or sent unverified, and a backlog of %d messages", said, heard, backlog)
	}
	dead("at the end of the outage")
	for w.waiting() > 0 && time.Since(recovered) < 4*recovery {
		time.Sleep(time.Second)
	}
	took := time.Since(recovered)
	if took > recovery {
		t.Errorf("the backlog of %d messages took %v to drain, and should take %v", backlog, took, recovery)
	}
	fleet.Wait()
	for _, h := range w.hosts {
		h.drain()
	}
	w.drain()
	dead("at the end")
	for _, p := range w.pollers {
		p.pause()
	}
	v := w.ledger.Judge(w.shadows(), nil, markOf)
	v.Faults = append(v.Faults, w.faults...)
	if !v.OK() {
		t.Errorf("%+v", *v)
	}
	t.Logf("%d readings in the outage, %d acknowledged in all, a backlog of %d messages, drained after %v", said, v.Acked, backlog, took.Round(time.Second))
	w.local.Close()
}

// talk reports for so long, and repeats what was not delivered as the policy wants.
func (d *device) talk(lasts time.Duration) {
	w := d.world
	until := time.Now().Add(lasts)
	for n := 0; ; n++ {
		d.rest(0)
		if time.Now().After(until) {
			break
		}
		fields := d.fields(n)
		payload, format := d.encode(fields)
		reading := w.sent(d, n, fields, payload)
		w.count("readings")
		d.radio.report(saying{"/" + d.thingType + "/" + d.name, payload, format, func() { w.acked(d, reading) }})
	}
	time.Sleep(2 * longestDelay) // what is under way
}

// breakPrimary breaks a service of the primary region.
func (w *world) breakPrimary(service, kind string) (mend func()) {
	id, err := w.local.AddFault(local.Fault{Region: primary, Service: service, Kind: kind})
	if err != nil {
		w.t.Fatal(err)
	}
	return func() { w.local.RemoveFault(id) }
}

// losePrimary takes the region away: its ingestors, its services, and the way to it.
func (w *world) losePrimary() (mend func()) {
	services := []func(){w.breakPrimary("sqs", local.Hang), w.breakPrimary("iot-data", local.Hang), w.breakPrimary("iot", local.Hang)}
	ways := []func() bool{w.partition(primary, secondary), w.partition("devices", primary)}
	return func() {
		for _, mend := range services {
			mend()
		}
		for _, mend := range ways {
			mend()
		}
	}
}
