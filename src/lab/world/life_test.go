package world

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/lab/oracle"
	"coap-for-aws-iot/src/queue"
)

// inject puts one report straight into the primary queue: what an operator redrives, or
// what has been on its way for weeks.
func (w *world) inject(thingType, thing, payload string, at time.Time) {
	b := envelope.AppendHeader(nil, envelope.Origin{Ingestor: "use1-a", Region: primary})
	b = envelope.AppendReport(b, &envelope.Report{
		Received: at.UnixMilli(), From: netip.MustParseAddrPort("198.51.100.250:1"), Type: thingType, ID: thing, Format: 50, Payload: []byte(payload),
	})
	w.send(string(b), at)
}

// send puts a message into the primary queue.
func (w *world) send(body string, at time.Time) {
	q := queue.New(queue.NewClient(w.operator(primary)), w.queueURL(primary))
	if err := q.Send(w.t.Context(), []queue.Outgoing{{Body: body, FirstSent: at.UnixMilli()}})[0]; err != nil {
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
		for range 5 {
			w.inject("th", heartbeat, `{"beat":1}`, time.Now())
			time.Sleep(time.Minute)
		}
	}
}

// epilogue plants what would disturb the fleet, and drains again.
func (w *world) epilogue() {
	if name, thingType := w.someoneHeard(); name != "" {
		// What is weeks old does not come in any more.
		w.plant(thingType, name, "poison-old-0-", "too-old", `{"a":"%s"}`, time.Now().Add(-16*24*time.Hour))
	}
	w.plant("th", "large", "poison-large-0-", "too-large", `{"mark":"%s`+strings.Repeat("x", 8<<10)+`"}`, time.Now())
	w.poison("poison-torn-0-", "malformed")
	w.poisonAcked("poison-torn-0-")
	w.send("poison-torn-0- is no bundle", time.Now())
	w.drain()
	time.Sleep(time.Minute) // the budget is whole
	w.crowd()
	w.drain()
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
			w.plant("th", "cursed", "poison-cursed-0-", "exhausted", `{"mark":"%s"}`, time.Now())
		}
		if w.plan.crash {
			w.plant("th", "crasher", "poison-crasher-0-", "crash", `{"mark":"%s"}`, time.Now())
		}
		done := make(chan struct{})
		over := make(chan struct{})
		go func() { w.chaos(done); close(over) }()
		go w.weigh(over)
		go w.interfere(over)
		fleet.Wait()
		for _, d := range devices {
			d.radio.close()
		}
		close(done)
		<-over
		w.local.RemoveFault("")
		for _, h := range w.hosts {
			h.drain()
		}
		for _, p := range w.pollers { // until the last of those that stand still goes on
			p.pause()
		}
		w.still.Wait()
		for _, p := range w.pollers {
			p.resume()
		}

		w.drain()
		w.epilogue()
		for _, p := range w.pollers {
			p.pause()
		}
		shadows := w.shadows()
		for name, s := range shadows {
			if hexed(name) && len(s.Reported) == 0 {
				delete(shadows, name)
			}
		}
		w.checkTypes()
		w.checkTopics()
		letters := w.letters()
		w.checkLetters(letters)
		w.checkCrowd(shadows, letters)
		if seed%16 == 1 { // a collection costs as much as a tenth of a world
			w.processor.checkGarbage()
			w.replicator.checkGarbage()
		}
		verdict = w.ledger.Judge(shadows, letters, markOf)
		verdict.Faults = append(verdict.Faults, w.faults...)
		lasted = time.Since(begun)
		w.local.Close()
	})
	return w, verdict, lasted
}
