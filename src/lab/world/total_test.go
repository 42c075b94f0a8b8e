package world

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coap-for-aws-iot/src/lab/oracle"
)

var (
	seeds = flag.Int("seeds", 20, "how many worlds to run")
	first = flag.Uint64("seed", 1, "the first seed")
	hard  = flag.Bool("hard", false, "fail unless the run as a whole was hard enough")
	soak  = flag.Duration("soak", 0, "run worlds for that long, whatever -seeds says")
	quick = flag.Bool("quick", false, "begin no new world after one has failed")
)

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
	fmt.Fprintf(out, "\n%d worlds, %v of virtual time in %v, %v each\n", s.worlds, s.lasted.Round(time.Hour), took.Round(time.Second), (took / time.Duration(max(1, s.worlds))).Round(time.Millisecond))
	fmt.Fprintf(out, "  acknowledged           %9d\n", s.verdict.Acked)
	fmt.Fprintf(out, "  acknowledged but lost  %9d\n", s.verdict.Lost+s.verdict.Poison)
	fmt.Fprintf(out, "  stale                  %9d\n", s.verdict.Stale)
	fmt.Fprintf(out, "  duplicate effects      %9d\n", s.counts[twiceEffects])
	fmt.Fprintf(out, "  late effects           %9d\n", s.counts[lateEffects])
	fmt.Fprintf(out, "  foreign                %9d\n", s.verdict.Foreign+s.verdict.Wrong)
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
	world := func(t *testing.T, seed uint64) {
		t.Parallel()
		if *quick && s.anyFailed() {
			t.Skip("one has failed")
		}
		w, verdict, lasted := run(t, seed)
		s.add(seed, w, verdict, lasted)
		if !verdict.OK() {
			t.Errorf("seed %d, %+v:\n%s", seed, w.plan, strings.Join(verdict.Faults, "\n"))
		}
	}
	seed := *first
	some := func(n int) {
		t.Run("seed", func(t *testing.T) {
			for range n {
				this := seed
				t.Run(fmt.Sprint(this), func(t *testing.T) { world(t, this) })
				seed++
			}
		})
	}
	if *soak == 0 {
		some(*seeds)
	}
	for time.Since(begun) < *soak {
		some(50)
	}
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
	for _, name := range []string{"datagrams lost", "datagrams duplicated", "datagrams delayed", "retransmissions", "5.03", "cold starts", "containers almost full", "devices rebooted", "readings repeated later"} {
		want(name, 100)
	}
	if s.verdict.Acked < 1000*s.worlds {
		t.Errorf("only %d reports were acknowledged, want %d", s.verdict.Acked, 1000*s.worlds)
	}
	want("acks lost", 1000)
	want("409", 1000)
	want(fieldsWritten, s.verdict.Acked) // otherwise nobody watches
	want("published", s.verdict.Acked/10)
	want("bundles for a fallback queue", 1000)
	for _, p := range poisons {
		want("letter: "+p.reason, 1)
	}
	for _, reason := range []string{"malformed", "too-large", "too-old", "exhausted", "crash", "create-budget"} {
		want("letter: "+reason, 1)
	}
	want("shadows written by somebody else", 1000)
	want("reports at replicator", s.counts["reports at processor"]/20)
	want("an hour late at processor", s.counts["reports at processor"]/100)
}

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(1000) // a world makes much garbage and keeps little
	os.Exit(m.Run())
}
