package queue

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"coap-for-aws-iot/src/envelope"
)

// report is a report whose payload is p.
func report(p string) *envelope.Report {
	return &envelope.Report{
		Received: 1, From: netip.MustParseAddrPort("192.0.2.1:5683"), Confirmable: true,
		Type: "t", ID: "i", Format: envelope.NoFormat, Payload: []byte(p),
	}
}

// outcomes collects what done was called with, by report.
type outcomes struct {
	t  *testing.T
	mu sync.Mutex // guards the following
	of map[string]outcome
}

type outcome struct {
	err error
	at  time.Time
}

func (o *outcomes) done(name string) func(error) {
	return func(err error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if _, twice := o.of[name]; twice {
			o.t.Errorf("done called twice for %s", name)
		}
		o.of[name] = outcome{err, time.Now()}
	}
}

// bubble runs f with a sender in a synctest bubble, then ends the sender and
// checks that each report that put took was settled, once, and nothing is held any
// more.
func bubble(t *testing.T, sqs *fakeSQS, o Options, f func(s *Sender, put func(name string) error)) map[string]outcome {
	t.Helper()
	results := &outcomes{t: t, of: map[string]outcome{}}
	synctest.Test(t, func(t *testing.T) {
		o.Origin = envelope.Origin{Ingestor: "a", Region: "r"}
		o.Queue = &Queue{client: sqs, url: "q"}
		s := NewSender(o)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan struct{})
		go func() { s.Run(ctx); close(ran) }()
		n := 0
		f(s, func(name string) error {
			err := s.Put(report(name), results.done(name))
			if err == nil {
				n++
			}
			return err
		})
		stop()
		<-ran
		for _, q := range s.route.queues {
			if q == nil {
				continue
			}
			if f := q.client.(*fakeSQS); f.open() != 0 {
				t.Errorf("the sender ended, and %d calls are under way to %s", f.open(), q.url)
			}
		}
		synctest.Wait()
		if len(results.of) != n {
			t.Errorf("%d of %d reports were settled", len(results.of), n)
		}
		if stats := s.Stats(); stats.HeldBytes != 0 || stats.InFlight != 0 {
			t.Errorf("at the end: %+v", stats)
		}
		if err := s.Put(report("late"), func(error) { t.Error("done called after ErrClosed") }); !errors.Is(err, ErrClosed) {
			t.Errorf("put after the end: %v, want ErrClosed", err)
		}
	})
	return results.of
}

// open is how many calls are under way.
func (f *fakeSQS) open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.flying
}

func (f *fakeSQS) holds(mark string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, e := range f.stored {
		n += strings.Count(*e.MessageBody, mark)
	}
	return n
}

func TestIdleSenderAddsNoDelay(t *testing.T) {
	f := &fakeSQS{delay: 20 * time.Millisecond}
	var start time.Time
	results := bubble(t, f, Options{Linger: 5 * time.Millisecond}, func(s *Sender, put func(string) error) {
		time.Sleep(time.Second)
		start = time.Now()
		put("one")
		time.Sleep(time.Second)
	})
	if got := results["one"]; got.err != nil || got.at.Sub(start) != 20*time.Millisecond {
		t.Errorf("settled with %v after %v, want nil after the call's 20ms", got.err, got.at.Sub(start))
	}
}

func TestLingerPacks(t *testing.T) {
	f := &fakeSQS{}
	bubble(t, f, Options{Linger: 5 * time.Millisecond}, func(s *Sender, put func(string) error) {
		for i := range 100 { // one a millisecond
			put(fmt.Sprint("r", i))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
	})
	// The first goes alone, then one call each 5 ms.
	if n := len(f.calls); n < 20 || n > 22 {
		t.Errorf("%d calls for 100 reports in 100 ms with a linger of 5 ms", n)
	}
	for i := 1; i < len(f.calls); i++ {
		if d := f.calls[i].at.Sub(f.calls[i-1].at); d < 5*time.Millisecond {
			t.Errorf("call %d started %v after the one before", i, d)
		}
	}
}

func TestFullBundleGoesAtOnce(t *testing.T) {
	f := &fakeSQS{}
	bubble(t, f, Options{Linger: 100 * time.Millisecond}, func(s *Sender, put func(string) error) {
		put("first")
		synctest.Wait()
		start := time.Now()
		for i := range 80 { // 1 KiB each: more than a bundle
			put(fmt.Sprint("r", i, strings.Repeat("x", 1024)))
		}
		synctest.Wait()
		f.mu.Lock()
		if len(f.calls) != 2 || !f.calls[1].at.Equal(start) {
			t.Errorf("calls %+v, want a second one at once", f.calls)
		}
		f.mu.Unlock()
		time.Sleep(time.Second)
	})
}

func TestLimitsOfACall(t *testing.T) {
	f := &fakeSQS{delay: time.Millisecond}
	bubble(t, f, Options{}, func(s *Sender, put func(string) error) {
		for i := range 4000 {
			put(fmt.Sprint("r", i, strings.Repeat("x", 900)))
		}
		time.Sleep(time.Second)
		if n := s.Stats().Calls; n != uint64(len(f.calls)) {
			t.Errorf("%d calls planned, %d made", n, len(f.calls))
		}
	})
	for _, c := range f.calls {
		if c.entries > 10 || c.bytes > 256<<10 {
			t.Errorf("a call with %d entries and %d bytes", c.entries, c.bytes)
		}
	}
	for _, e := range f.stored {
		if len(*e.MessageBody) > 63<<10 {
			t.Errorf("a bundle of %d bytes", len(*e.MessageBody))
		}
		if _, err := envelope.Open(*e.MessageBody); err != nil {
			t.Error(err)
		}
	}
	if n := f.holds(`"id":"i"`); n != 4000 {
		t.Errorf("%d reports stored, want 4000", n)
	}
}

func TestCallsInFlightAreBounded(t *testing.T) {
	f := &fakeSQS{delay: 200 * time.Millisecond}
	bubble(t, f, Options{}, func(s *Sender, put func(string) error) {
		for i := range 100 {
			put(fmt.Sprint("r", i))
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
	})
	if f.mostOpen != maxInFlight {
		t.Errorf("%d calls at a time, want %d", f.mostOpen, maxInFlight)
	}
	if n := f.holds(`"id":"i"`); n != 100 {
		t.Errorf("%d reports stored, want 100", n)
	}
}

func TestDeadline(t *testing.T) {
	for _, tt := range []struct {
		name string
		sqs  *fakeSQS
	}{
		{"a call that hangs", &fakeSQS{delay: time.Hour}},
		{"a call that is stored too late", &fakeSQS{delay: 701 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			put := map[string]time.Time{}
			results := bubble(t, tt.sqs, Options{Linger: 5 * time.Millisecond}, func(s *Sender, p func(string) error) {
				// More than can be in flight, so that some never get a call.
				for i := range 200 {
					name := fmt.Sprint("r", i)
					p(name)
					put[name] = time.Now()
					time.Sleep(6 * time.Millisecond)
				}
				time.Sleep(time.Second)
			})
			for name, got := range results {
				if d := got.at.Sub(put[name]); !errors.Is(got.err, ErrUnconfirmed) || d > 700*time.Millisecond {
					t.Errorf("%s: %v after %v, want ErrUnconfirmed within 700ms", name, got.err, d)
				}
			}
		})
	}
}

func TestFullSender(t *testing.T) {
	f := &fakeSQS{delay: time.Hour}
	bubble(t, f, Options{}, func(s *Sender, put func(string) error) {
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
		time.Sleep(time.Second)
		if err := put("after the deadline there is room again"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
	})
}

func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sqs    *fakeSQS
		want   map[string]error // nil: stored
		stored int
	}{
		{"stored", &fakeSQS{}, map[string]error{"a": nil, "b": nil}, 2},
		{"down before storing", &fakeSQS{before: errDown}, map[string]error{"a": errDown, "b": errDown}, 0},
		{"an error after storing is still unknown", &fakeSQS{after: errDown}, map[string]error{"a": errDown, "b": errDown}, 2},
		{"an entry that SQS does not mention", &fakeSQS{forget: "a"}, map[string]error{"a": errUnanswered, "b": errUnanswered}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			results := bubble(t, tt.sqs, Options{Linger: time.Millisecond}, func(s *Sender, put func(string) error) {
				for name := range tt.want {
					put(name)
				}
				time.Sleep(time.Second)
			})
			for name, want := range tt.want {
				if got := results[name].err; !errors.Is(got, want) || (want == nil) != (got == nil) {
					t.Errorf("%s: %v, want %v", name, got, want)
				}
			}
			if n := tt.sqs.holds(`"id":"i"`); n != tt.stored {
				t.Errorf("%d reports stored, want %d", n, tt.stored)
			}
		})
	}
}

// A call may hold bundles that are stored beside one that is not.
func TestPartialFailure(t *testing.T) {
	f := &fakeSQS{fail: "marked"}
	var names []string
	results := bubble(t, f, Options{Linger: 50 * time.Millisecond}, func(s *Sender, put func(string) error) {
		put("the first goes alone")
		synctest.Wait()
		for i := range 150 {
			name := fmt.Sprint("r", i, strings.Repeat("x", 1000))
			if i == 0 {
				name += "marked"
			}
			names = append(names, name)
			put(name)
		}
		time.Sleep(time.Second)
	})
	failed := 0
	for _, name := range names {
		if results[name].err != nil {
			failed++
		}
	}
	// One bundle of about 57 reports failed as a whole, the others are stored.
	if failed == 0 || failed > 63 || f.holds(`"id":"i"`) != 151-failed {
		t.Errorf("%d of %d failed, %d stored", failed, len(names), f.holds(`"id":"i"`))
	}
}

// SQS refuses a whole bundle for one strange report: the bundle is cut in two until
// that report is alone, and all others are stored.
func TestBisect(t *testing.T) {
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprint("whole call ", whole), func(t *testing.T) {
			f := &fakeSQS{refuse: "strange", refuseWhole: whole}
			results := bubble(t, f, Options{Linger: 50 * time.Millisecond}, func(s *Sender, put func(string) error) {
				put("the first goes alone")
				synctest.Wait()
				for i := range 200 {
					switch i {
					case 17, 18, 199:
						put(fmt.Sprint("strange", i))
					default:
						put(fmt.Sprint("r", i, strings.Repeat("x", 700)))
					}
				}
				time.Sleep(time.Second)
			})
			for name, got := range results {
				if strange := strings.HasPrefix(name, "strange"); strange != errors.Is(got.err, ErrRefused) || !strange && got.err != nil {
					t.Errorf("%.12s: %v", name, got.err)
				}
			}
			if n := f.holds(`"id":"i"`); n != 198 {
				t.Errorf("%d reports stored, want 198", n)
			}
			for _, e := range f.stored {
				b, err := envelope.Open(*e.MessageBody)
				if err != nil {
					t.Fatal(err)
				}
				for line := range b.Lines() {
					if _, err := line.Report(); err != nil {
						t.Errorf("%s: %v", line, err)
					}
				}
			}
		})
	}
}

// A sender that is told to stop sends at once what it holds.
func TestDrain(t *testing.T) {
	f := &fakeSQS{delay: 100 * time.Millisecond}
	start := time.Time{}
	results := bubble(t, f, Options{Linger: 500 * time.Millisecond}, func(s *Sender, put func(string) error) {
		put("one")
		synctest.Wait()
		put("two") // would linger for half a second
		start = time.Now()
	})
	for name, got := range results {
		if got.err != nil || got.at.Sub(start) > 100*time.Millisecond {
			t.Errorf("%s: %v after %v", name, got.err, got.at.Sub(start))
		}
	}
}
