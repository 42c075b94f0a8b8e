package queue

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pair runs f with a sender to two queues, see bubble, and returns what it has logged.
func pair(t *testing.T, own, other *fakeSQS, o Options, f func(s *Sender, put func(name string) error)) (map[string]outcome, string) {
	t.Helper()
	var log bytes.Buffer
	o.Fallback = &Queue{client: other, url: "other"}
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	results := bubble(t, own, o, f)
	return results, log.String()
}

const ms = time.Millisecond

// A manner is how a queue treats what it gets.
type manner struct {
	name    string
	takes   time.Duration
	confirm bool // it confirms
	refuse  bool // it refuses for the content
	store   bool // it holds the report
}

var manners = []manner{
	{"is quick", 20 * ms, true, false, true},
	{"takes 251 ms", 251 * ms, true, false, true},
	{"hangs", time.Hour, false, false, false},
	{"errs", 20 * ms, false, false, false},
	{"errs after storing", 20 * ms, false, false, true},
	{"is partial", 20 * ms, false, false, false},
	{"refuses", 20 * ms, false, true, false},
}

func (m manner) fake() *fakeSQS {
	f := &fakeSQS{delay: m.takes}
	switch m.name {
	case "errs":
		f.before = errDown
	case "errs after storing":
		f.after = errDown
	case "is partial":
		f.fail = "report"
	case "refuses":
		f.refuse = "report"
	}
	return f
}

// Every pair of manners: the report goes to the fallback when its own queue has failed,
// or has not said anything for 250 ms; whoever confirms or refuses first decides; if
// nobody does, the device hears so when nobody can, and after 700 ms at the latest.
func TestEveryPair(t *testing.T) {
	for _, first := range manners {
		for _, second := range manners {
			t.Run(first.name+", the other "+second.name, func(t *testing.T) {
				own, other := first.fake(), second.fake()
				var start time.Time
				results, _ := pair(t, own, other, Options{}, func(s *Sender, put func(string) error) {
					time.Sleep(time.Second)
					start = time.Now()
					put("report")
					time.Sleep(2 * time.Second)
				})

				// What must come of it, worked out from the rules alone.
				const limit = 700 * ms
				decides := func(m manner) bool { return m.confirm || m.refuse }
				winner, at := first, first.takes
				asked := first.takes > 250*ms || !decides(first)
				if asked {
					begin := min(first.takes, 250*ms)
					end := begin + second.takes
					switch {
					case decides(second) && (!decides(first) || end < first.takes):
						winner, at = second, end
					case !decides(first):
						at = max(first.takes, end)
					}
				}
				at = min(at, limit)

				got := results["report"]
				if got.at.Sub(start) != at {
					t.Errorf("settled after %v, want %v", got.at.Sub(start), at)
				}
				switch {
				case winner.confirm && got.err == nil:
				case winner.refuse && errors.Is(got.err, ErrRefused):
				case !decides(winner) && got.err != nil && !errors.Is(got.err, ErrRefused) && (at < limit) != errors.Is(got.err, ErrUnconfirmed):
				default:
					t.Errorf("settled with %v, decided by one that %s", got.err, winner.name)
				}
				if n := other.sends(); (n > 0) != asked {
					t.Errorf("the other queue was asked %d times, want that to be %v", n, asked)
				}
				if stored := own.holds("report") + other.holds("report"); got.err == nil && stored == 0 {
					t.Error("confirmed, and nobody holds it")
				}
			})
		}
	}
}

// sends is how many calls have brought messages.
func (f *fakeSQS) sends() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c.entries > 0 {
			n++
		}
	}
	return n
}

func (f *fakeSQS) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// The figures that matter, without arithmetic.
func TestHedge(t *testing.T) {
	own, other := &fakeSQS{delay: time.Hour}, &fakeSQS{delay: 80 * ms}
	var puts []time.Time
	results, log := pair(t, own, other, Options{}, func(s *Sender, put func(string) error) {
		for i := range 5 {
			name := fmt.Sprint("report", i)
			puts = append(puts, time.Now())
			put(name)
			time.Sleep(900 * ms)
		}
		if s := s.Stats(); s.FallbackBundles != 5 || s.FallbackStored != 5 || !s.QueueDown || s.FallbackDown {
			t.Errorf("stats %+v", s)
		}
	})
	for i, want := range []time.Duration{330 * ms, 330 * ms, 330 * ms, 80 * ms, 80 * ms} {
		got := results[fmt.Sprint("report", i)]
		if d := got.at.Sub(puts[i]); got.err != nil || d != want {
			t.Errorf("report %d: %v after %v, want %v", i, got.err, d, want)
		}
	}
	// The fourth comes too early for a probe, the fifth is one.
	if own.sends() != 4 || other.sends() != 5 || own.holds("report") != 0 || other.holds("report") != 5 {
		t.Errorf("%d and %d calls, %d and %d stored", own.sends(), other.sends(), own.holds("report"), other.holds("report"))
	}
	if strings.Count(log, "\n") != 1 || !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "queue=q") {
		t.Errorf("want one line about the queue that went down:\n%s", log)
	}
}

// Only the bundles that a queue has failed with go on to the other one.
func TestOnlyFailedEntriesGoOn(t *testing.T) {
	own, other := &fakeSQS{fail: "marked", delay: 20 * ms}, &fakeSQS{delay: 80 * ms}
	results := markOne(t, own, other)
	for name, got := range results {
		if got.err != nil {
			t.Errorf("%.12s: %v", name, got.err)
		}
	}
	mine, others := own.holds(`"id":"i"`), other.holds(`"id":"i"`)
	if others == 0 || others > 63 || mine+others != 151 {
		t.Errorf("%d stored by its own queue and %d by the other, want one bundle there", mine, others)
	}
}

// Its own queue confirms some bundles of a load after the other has got them all, and the
// other confirms them again: each report still has one end.
func TestBothConfirm(t *testing.T) {
	own, other := &fakeSQS{fail: "marked", delay: 300 * ms}, &fakeSQS{delay: 80 * ms}
	for name, got := range markOne(t, own, other) {
		if got.err != nil {
			t.Errorf("%.12s: %v", name, got.err)
		}
	}
	if mine, others := own.holds(`"id":"i"`), other.holds(`"id":"i"`); mine+others <= 151 {
		t.Errorf("%d stored by its own queue and %d by the other: none by both", mine, others)
	}
}

// markOne puts one report that goes alone, and 150 in several bundles, of which one holds
// "marked".
func markOne(t *testing.T, own, other *fakeSQS) map[string]outcome {
	t.Helper()
	results, _ := pair(t, own, other, Options{Linger: 50 * ms}, func(s *Sender, put func(string) error) {
		put("the first goes alone")
		synctest.Wait()
		for i := range 150 {
			name := fmt.Sprint("r", i, strings.Repeat("x", 1000))
			if i == 0 {
				name += "marked"
			}
			put(name)
		}
		time.Sleep(time.Second)
	})
	return results
}

// Reports that SQS refuses are cut out wherever they are, and are no outage: no breaker
// opens, however many come.
func TestRefusalIsNoOutage(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		t.Run(fmt.Sprint("its own queue hangs: ", hangs), func(t *testing.T) {
			own, other := &fakeSQS{refuse: "strange"}, &fakeSQS{refuse: "strange", refuseWhole: true}
			if hangs {
				own.delay = time.Hour
			}
			results, log := pair(t, own, other, Options{Linger: 10 * ms}, func(s *Sender, put func(string) error) {
				for i := range 200 {
					name := fmt.Sprint("r", i)
					if i%7 == 0 {
						name = fmt.Sprint("strange", i)
					}
					put(name)
					time.Sleep(3 * ms)
				}
				time.Sleep(time.Second)
			})
			for name, got := range results {
				if strange := strings.HasPrefix(name, "strange"); strange != errors.Is(got.err, ErrRefused) || !strange && got.err != nil {
					t.Errorf("%s: %v", name, got.err)
				}
			}
			if strings.Contains(log, "queue=other") || !hangs && log != "" {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

// While a queue is down one bundle a second goes there too, and no report waits for it;
// the first that it confirms ends that.
func TestHalfOpen(t *testing.T) {
	own, other := &fakeSQS{delay: time.Hour}, &fakeSQS{delay: 80 * ms}
	var down, up int
	var recovered time.Time
	var puts = map[string]time.Time{}
	results, log := pair(t, own, other, Options{}, func(s *Sender, put func(string) error) {
		report := func(name string) {
			puts[name] = time.Now()
			put(name)
			time.Sleep(50 * ms)
		}
		for i := range 20 {
			report(fmt.Sprint("before", i))
		}
		down = own.sends()
		for i := range 200 { // 10 s
			report(fmt.Sprint("down", i))
		}
		down = own.sends() - down
		own.set(func() { own.delay = 120 * ms }) // slower than the one that reports wait for
		recovered = time.Now()
		for s.Stats().QueueDown {
			report(fmt.Sprint("down", time.Since(recovered)))
		}
		if d := time.Since(recovered); d > probeEvery+200*ms {
			t.Errorf("the queue gets reports again after %v", d)
		}
		up = own.sends()
		report("up")
		up = own.sends() - up
	})
	if down < 9 || down > 11 || up != 1 {
		t.Errorf("%d calls in 10 s while it was down, want one a second; %d when it was back", down, up)
	}
	for name, got := range results {
		want := 80 * ms
		switch {
		case strings.HasPrefix(name, "before"):
			want = 330 * ms
		case name == "up":
			want = 120 * ms
		}
		if d := got.at.Sub(puts[name]); got.err != nil || d > want {
			t.Errorf("%s: %v after %v, want %v at most", name, got.err, d, want)
		}
	}
	if strings.Count(log, "\n") != 2 || !strings.Contains(log, "confirms again") {
		t.Errorf("want one line for each change:\n%s", log)
	}
}

// With both queues down a device hears within 700 ms, and at once when that is known; the
// one bundle a second that finds out whether it is still so waits for that. Then either
// queue is enough.
func TestBothDown(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before error
		delay  time.Duration
	}{
		{"they hang", nil, time.Hour},
		{"they err", errDown, 20 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			own, other := &fakeSQS{before: tt.before, delay: tt.delay}, &fakeSQS{before: tt.before, delay: tt.delay}
			puts := map[string]time.Time{}
			waited, asked, was := 0, 0, 0
			results, log := pair(t, own, other, Options{}, func(s *Sender, put func(string) error) {
				report := func(name string) {
					puts[name] = time.Now()
					put(name)
					time.Sleep(50 * ms)
				}
				for i := range 30 {
					report(fmt.Sprint("before", i))
				}
				if s := s.Stats(); !s.QueueDown || !s.FallbackDown {
					t.Fatalf("after 1.5 s: %+v", s)
				}
				was = own.sends() + other.sends()
				for i := range 200 { // 10 s
					report(fmt.Sprint("down", i))
				}
				asked = own.sends() + other.sends() - was
				time.Sleep(time.Second)
				other.set(func() { other.before, other.delay = nil, 80*ms })
				report("probe")
				time.Sleep(100 * ms)
				report("after")
				time.Sleep(time.Second)
			})
			for name, got := range results {
				d := got.at.Sub(puts[name])
				switch {
				case d > 700*ms:
					t.Errorf("%s: %v after %v", name, got.err, d)
				case strings.HasPrefix(name, "down") && (got.err == nil || errors.Is(got.err, ErrRefused)):
					t.Errorf("%s: %v", name, got.err)
				case strings.HasPrefix(name, "down") && d > 0:
					waited++
				case (name == "probe" || name == "after") && (got.err != nil || d != 80*ms):
					t.Errorf("%s: %v after %v, want nil after 80ms", name, got.err, d)
				}
			}
			// A bundle a second to each queue.
			if waited < 9 || waited > 22 || asked < 18 || asked > 22 {
				t.Errorf("%d of 200 reports had to wait, %d calls in 10 s", waited, asked)
			}
			if strings.Count(log, "level=ERROR") != 2 || strings.Count(log, "level=INFO") != 1 {
				t.Errorf("want one line for each change:\n%s", log)
			}
		})
	}
}

// A slow queue is not asked by turns: reports go to the fallback, and its own queue is
// probed, until it is quick again or the fallback fails.
func TestSlowOwn(t *testing.T) {
	own, other := &fakeSQS{delay: 400 * ms}, &fakeSQS{delay: 80 * ms}
	puts := map[string]time.Time{}
	var twice int
	results, log := pair(t, own, other, Options{}, func(s *Sender, put func(string) error) {
		minute := func(name string) {
			for i := range 3000 { // 50 a second
				name := fmt.Sprint(name, i)
				puts[name] = time.Now()
				put(name)
				time.Sleep(20 * ms)
			}
		}
		minute("slow")
		twice = own.holds(`"id":"i"`)
		if s := s.Stats(); !s.QueueDown || s.FallbackDown {
			t.Errorf("its own queue is slower than the fallback: %+v", s)
		}
		other.set(func() { other.before = errDown })
		minute("alone")
		if s := s.Stats(); s.QueueDown || !s.FallbackDown {
			t.Errorf("its own queue is slow, and the fallback fails: %+v", s)
		}
		other.set(func() { other.before = nil })
		minute("both")
		own.set(func() { own.delay = 20 * ms })
		minute("quick")
		if s := s.Stats(); s.QueueDown || s.FallbackDown {
			t.Errorf("both queues are quick: %+v", s)
		}
	})
	hedged, lost := 0, 0
	for name, got := range results {
		switch d := got.at.Sub(puts[name]); {
		case got.err != nil:
			lost++
		case strings.HasPrefix(name, "slow") && d > 80*ms:
			hedged++
		case d > 480*ms:
			t.Errorf("%s is confirmed after %v", name, d)
		}
	}
	// The third miss is known after 370 ms, and by then all calls are in flight.
	if hedged > 25 {
		t.Errorf("%d of 3000 reports waited for a slow queue, want those of the first 0.4 s", hedged)
	}
	// Until the first probe: one is due each second, and takes 400 ms.
	if lost > 1400/20 {
		t.Errorf("%d reports are lost to a fallback that fails", lost)
	}
	if twice < 58 || twice > 62 {
		t.Errorf("%d reports stored twice in a minute, want one a second", twice)
	}
	if n := strings.Count(log, "\n"); n != 6 {
		t.Errorf("%d lines, want one for each change, which are six:\n%s", n, log)
	}
}

// Two slow queues are no outage: as long as one of them confirms in time reports go there,
// a queue that wins is used, and the fallback is not blamed for losing.
func TestBothSlow(t *testing.T) {
	for _, tt := range []struct {
		name       string
		own, other time.Duration
		pace       time.Duration
		lines      int // in the log
	}{
		{"alike", 500 * ms, 500 * ms, 100 * ms, 0},
		{"the fallback loses", 600 * ms, 450 * ms, 100 * ms, 0},
		{"its own loses, then wins", 650 * ms, 300 * ms, 100 * ms, 2},
		{"its own loses, then wins, and each load is a probe", 650 * ms, 300 * ms, 1100 * ms, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			own, other := &fakeSQS{delay: tt.own}, &fakeSQS{delay: tt.other}
			results, log := pair(t, own, other, Options{}, func(s *Sender, put func(string) error) {
				for i := range 200 {
					if i == 100 {
						own.set(func() { own.delay = 400 * ms })
						other.set(func() { other.delay = 600 * ms })
					}
					put(fmt.Sprint("r", i))
					time.Sleep(tt.pace)
				}
				time.Sleep(time.Second)
				if s := s.Stats(); s.QueueDown || s.FallbackDown {
					t.Errorf("stats %+v", s)
				}
			})
			for name, got := range results {
				if got.err != nil {
					t.Errorf("%s: %v", name, got.err)
				}
			}
			if n := strings.Count(log, "\n"); n != tt.lines {
				t.Errorf("%d lines, want %d:\n%s", n, tt.lines, log)
			}
		})
	}
}

// A load that got its turn late gives neither queue the time to prove itself, so its
// silence says nothing.
func TestLateLoadsBlameNobody(t *testing.T) {
	own, other := &fakeSQS{delay: 20 * ms}, &fakeSQS{delay: 20 * ms}
	results, log := pair(t, own, other, Options{Deadline: 15 * ms}, func(s *Sender, put func(string) error) {
		for i := range 20 {
			put(fmt.Sprint("r", i))
			time.Sleep(100 * ms)
		}
		if s := s.Stats(); s.QueueDown || s.FallbackDown {
			t.Errorf("stats %+v", s)
		}
	})
	for name, got := range results {
		if !errors.Is(got.err, ErrUnconfirmed) {
			t.Errorf("%s: %v, want ErrUnconfirmed", name, got.err)
		}
	}
	if log != "" {
		t.Errorf("log:\n%s", log)
	}
}

// A load that has waited leaves the fallback half of what is left.
func TestLateLoadIsHedgedSooner(t *testing.T) {
	own, other := &fakeSQS{delay: time.Hour}, &fakeSQS{delay: 80 * ms}
	var start time.Time
	results, _ := pair(t, own, other, Options{Linger: 400 * ms}, func(s *Sender, put func(string) error) {
		put("first")
		synctest.Wait()
		start = time.Now()
		put("lingers")
		time.Sleep(time.Second)
	})
	if got := results["lingers"]; got.err != nil || got.at.Sub(start) != (400+150+80)*ms {
		t.Errorf("%v after %v, want nil after 630ms", got.err, got.at.Sub(start))
	}
}

// A sender that has to stop while its own queue hangs still stores all.
func TestDrainOverFallback(t *testing.T) {
	own, other := &fakeSQS{delay: time.Hour}, &fakeSQS{delay: 80 * ms}
	start := time.Time{}
	results, _ := pair(t, own, other, Options{Linger: 200 * ms}, func(s *Sender, put func(string) error) {
		put("one")
		synctest.Wait()
		put("two")
		start = time.Now()
	})
	for name, got := range results {
		if got.err != nil || got.at.Sub(start) > 330*ms {
			t.Errorf("%s: %v after %v", name, got.err, got.at.Sub(start))
		}
	}
}

// The end of a sender waits for its probes.
func TestDrainWaitsForProbes(t *testing.T) {
	own, other := &fakeSQS{before: errDown}, &fakeSQS{delay: 80 * ms}
	var stopped time.Time
	pair(t, own, other, Options{}, func(s *Sender, put func(string) error) {
		for i := range openAfter {
			put(fmt.Sprint("r", i))
			time.Sleep(100 * ms)
		}
		own.set(func() { own.before, own.delay = nil, time.Hour })
		time.Sleep(probeEvery)
		put("probe")
		synctest.Wait()
		own.set(func() {
			if own.flying != 1 {
				t.Errorf("%d probes under way", own.flying)
			}
		})
		stopped = time.Now()
	})
	if own.ended.Sub(stopped) != 700*ms {
		t.Errorf("the probe ended %v after the stop", own.ended.Sub(stopped))
	}
}

// That SQS answers a call without reports does not say that it would store one: it keeps a
// breaker closed, and only a report that is stored closes it again.
func TestWarmClosesNothing(t *testing.T) {
	own, other := &fakeSQS{delay: 20 * ms}, &fakeSQS{delay: 80 * ms, fail: "report"}
	_, log := pair(t, own, other, Options{}, func(s *Sender, put func(string) error) {
		down := func(want bool, when string) {
			t.Helper()
			if s := s.Stats(); s.FallbackDown != want {
				t.Errorf("%s: the fallback is down: %v", when, s.FallbackDown)
			}
		}
		time.Sleep(warmEvery / 2)
		for i := range openAfter { // each a miss, and Warm is answered in between
			other.set(func() { other.before = errDown })
			time.Sleep(warmEvery)
			other.set(func() { other.before = nil })
			time.Sleep(warmEvery)
			down(false, fmt.Sprint("every second call without reports is answered, ", i))
		}
		own.set(func() { own.before = errDown })
		for i := range openAfter {
			put(fmt.Sprint("report", i))
			time.Sleep(time.Second)
		}
		own.set(func() { own.before = nil })
		put("to close its own queue's")
		time.Sleep(time.Second)
		down(true, "it has stored nothing")
		time.Sleep(5 * warmEvery)
		down(true, "it has answered calls without reports")
		other.set(func() { other.fail = "" })
		put("report")
		time.Sleep(time.Second)
		down(false, "it has stored a report")
	})
	if n := strings.Count(log, "queue=other"); n != 2 {
		t.Errorf("%d lines about the fallback, want two:\n%s", n, log)
	}
}

// With two queues the bounds are those of one, and twice the calls.
func TestBoundsWithFallback(t *testing.T) {
	own, other := &fakeSQS{delay: time.Hour}, &fakeSQS{delay: time.Hour}
	pair(t, own, other, Options{}, func(s *Sender, put func(string) error) {
		for n := 0; ; n++ {
			err := put(fmt.Sprint("r", n, strings.Repeat("x", 1100)))
			if errors.Is(err, ErrFull) {
				break
			}
			if n > 20_000 {
				t.Fatal("the sender takes more than its bound")
			}
		}
		if held := s.Stats().HeldBytes; held > maxHeld || held < maxHeld*9/10 {
			t.Errorf("full with %d bytes, the bound is %d", held, maxHeld)
		}
		time.Sleep(2 * time.Second)
		for i := range 300 {
			put(fmt.Sprint("r", i))
			time.Sleep(10 * ms)
		}
	})
	// Beside the loads: a probe for each second of 700 ms, and the call that keeps warm.
	if own.mostOpen > maxInFlight+1 || other.mostOpen > maxInFlight+2 || other.mostOpen < maxInFlight {
		t.Errorf("%d and %d calls at a time, want %d and few more", own.mostOpen, other.mostOpen, maxInFlight)
	}
}

// The connection to the fallback queue is used from the start and every 20 s, unless it
// carries reports anyway; a fallback that would not take any is known before it is needed.
func TestKeepWarm(t *testing.T) {
	own, other := &fakeSQS{delay: 20 * ms}, &fakeSQS{delay: 80 * ms}
	_, log := pair(t, own, other, Options{}, func(s *Sender, put func(string) error) {
		time.Sleep(warmEvery - time.Second)
		other.set(func() {
			if len(other.calls) != 1 || other.calls[0].entries != 0 {
				t.Errorf("calls to an idle fallback after 19 s: %+v", other.calls)
			}
		})
		time.Sleep(10 * warmEvery)
		other.set(func() {
			if len(other.calls) != 11 {
				t.Errorf("%d calls to an idle fallback, want one each 20 s", len(other.calls))
			}
		})
		own.set(func() { own.before = errDown })
		for i := range 100 { // 100 s
			put(fmt.Sprint("x", i))
			time.Sleep(time.Second)
		}
		sends := other.sends()
		other.set(func() {
			if n := len(other.calls) - sends; n != 11 {
				t.Errorf("%d calls without reports after 100 s with some, want the 11 from before", n)
			}
		})
		own.set(func() { own.before = nil })
		put("last")
		time.Sleep(time.Second)
		other.set(func() { other.before = errDown })
		time.Sleep(4 * warmEvery)
		if s := s.Stats(); !s.FallbackDown || s.QueueDown {
			t.Errorf("the fallback takes nothing for 80 s, and the sender says %+v", s)
		}
	})
	if strings.Count(log, "queue=other") != 1 {
		t.Errorf("want one line about the fallback:\n%s", log)
	}
}
