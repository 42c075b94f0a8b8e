package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp"
)

// startLab starts a lab on addresses of its own; its log is shown if the test fails.
func startLab(t *testing.T, o Options) *Lab {
	t.Helper()
	log := &syncBuffer{}
	o.CoAP, o.AWS, o.HTTP = testEndpoints(t)
	o.Log = log
	l, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(func() {
		started := time.Now()
		l.Close()
		if d := time.Since(started); d > CloseLimit {
			t.Errorf("closed after %v", d)
		}
		if t.Failed() {
			t.Logf("log of the lab:\n%s", log)
		}
	})
	return l
}

type syncBuffer struct {
	mu sync.Mutex // guards the following
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// report posts a report as a CON, with a client that is none of ours. An error means that
// there was no answer, although it was sent again once.
func report(to netip.AddrPort, path, payload string) (code codes.Code, maxAge uint32, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	conn, err := udp.Dial(to.String(), options.WithContext(ctx), options.WithErrors(func(error) {}))
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	response, err := conn.Post(ctx, path, message.AppJSON, strings.NewReader(payload))
	if err != nil {
		return 0, 0, err
	}
	maxAge, _ = response.GetOptionUint32(message.MaxAge)
	return response.Code(), maxAge, nil
}

// mustReport posts a report that has to be stored.
func mustReport(t *testing.T, to netip.AddrPort, path, payload string) {
	t.Helper()
	if code, _, err := report(to, path, payload); err != nil || code != codes.Changed {
		t.Fatalf("report to %s: %v, %v", to, code, err)
	}
}

// allThings returns all things of the lab by name.
func allThings(ctx context.Context, l *Lab) (map[string]Thing, error) {
	all := map[string]Thing{}
	for token := ""; ; {
		things, next, err := Things(ctx, l.Config(Primary), 250, token)
		if err != nil {
			return nil, err
		}
		for _, t := range things {
			all[t.Name] = t
		}
		if token = next; token == "" {
			return all, nil
		}
	}
}

// waitFor waits until each thing of want reports "n" as given, or fails the test.
func waitFor(t *testing.T, l *Lab, limit time.Duration, want map[string]int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		all, err := allThings(ctx, l)
		missing := ""
		for name, n := range want {
			var reported struct {
				N int `json:"n"`
			}
			if json.Unmarshal(all[name].Reported, &reported) != nil || reported.N != n {
				missing = fmt.Sprintf("%s should report %d, and is %s", name, n, all[name].Reported)
				break
			}
		}
		if err == nil && missing == "" {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("after %v: %s (%v)", limit, missing, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// eventually waits until f finds nothing wrong, or fails the test with what it says after
// limit. What a function logs, and what is deleted from a queue, follows a little after
// the shadow.
func eventually(t *testing.T, limit time.Duration, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %v", limit, err)
		}
	}
}

// A report through any of the four addresses is in its thing's shadow within two seconds,
// under its type.
func TestFourAddresses(t *testing.T) {
	undisturbed(t, func(l *Lab) func() error {
		want := map[string]int{}
		for i, at := range l.Addresses() {
			name := fmt.Sprint("device", i)
			mustReport(t, at, "/th/"+name, fmt.Sprintf(`{"n":%d}`, i+1))
			want[name] = i + 1
		}
		waitFor(t, l, 2*time.Second, want)
		thing, err := iot.NewFromConfig(l.Config(Primary)).DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("device1")})
		if err != nil || aws.ToString(thing.ThingTypeName) != "th" {
			t.Errorf("type %q, %v", aws.ToString(thing.ThingTypeName), err)
		}
		return func() error {
			stats := l.Stats(t.Context())
			for name, n := range map[string]uint64{"received": 4, "accepted": 4, "stored": 4, "acked": 4, "forwarded": 2, "applied": 4} {
				if stats.Life[name] != n {
					return fmt.Errorf("%s: %d, want %d", name, stats.Life[name], n)
				}
			}
			for _, q := range stats.Queues {
				if q.Visible+q.InFlight+q.Delayed != 0 {
					return fmt.Errorf("left on a queue: %+v", q)
				}
			}
			if len(stats.Queues) != 4 || len(stats.Ingestors) != 4 || len(stats.Functions) != 2 {
				return fmt.Errorf("stats %+v", stats)
			}
			return nil
		}
	})
}

// A report through the secondary region is in its queue, and not in the other's.
func TestSecondaryQueue(t *testing.T) {
	undisturbed(t, func(l *Lab) func() error {
		if err := l.Pause("replicator"); err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{1, 3} {
			mustReport(t, l.Addresses()[i], "/th/a1", fmt.Sprintf(`{"n":%d}`, i))
		}
		depth := map[string]int{}
		stats := l.Stats(t.Context())
		for _, q := range stats.Queues {
			depth[q.Region+" "+q.Name] = q.Visible + q.InFlight
		}
		all, err := allThings(t.Context(), l)
		if err != nil {
			t.Error(err)
		}
		if err := l.Resume("replicator"); err != nil {
			t.Fatal(err)
		}
		waitFor(t, l, 2*time.Second, map[string]int{"a1": 3})
		return func() error {
			want := map[string]int{"us-east-1 coap-reports": 0, "us-east-1 coap-reports-dlq": 0, "eu-west-1 coap-reports": 2, "eu-west-1 coap-reports-dlq": 0}
			if fmt.Sprint(depth) != fmt.Sprint(want) {
				return fmt.Errorf("queues held %v, want %v", depth, want)
			}
			for _, f := range stats.Functions {
				if f.Invocations.Started != 0 || f.Paused != (f.Name == "replicator") {
					return fmt.Errorf("while the replicator was paused: %+v", f)
				}
			}
			if len(all) != 0 {
				return fmt.Errorf("while the replicator was paused there were things %v", all)
			}
			return nil
		}
	})
}

// undisturbed runs f in a lab, and then what f returns, which counts, until it finds
// nothing wrong, for two seconds at most. Counts are exact only where the machine was never
// so slow that an ingestor sent a copy to the other region (after 250 ms) or a client said
// it twice (after 2 s): a lab in which that happened proves nothing, and another one is
// started, five in all.
func undisturbed(t *testing.T, f func(l *Lab) (count func() error)) {
	t.Helper()
	var wrong error
	for range 5 {
		l := startLab(t, Options{})
		begun := time.Now()
		count := f(l)
		if t.Failed() {
			return
		}
		slow := time.Since(begun) > 2*time.Second
		for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if wrong = count(); wrong == nil {
				return
			}
			if time.Now().After(deadline) {
				break
			}
		}
		for _, in := range l.Stats(t.Context()).Ingestors {
			slow = slow || in.Counters["fallback_bundles"] > 0
		}
		if !slow {
			break
		}
		t.Logf("the machine was too slow: %v", wrong)
		l.Close()
	}
	t.Error(wrong)
}

// With the queue service stopped a device is told 5.03 with Max-Age in time to go to
// another address; with the service back it is stored.
func TestQueueServiceStopped(t *testing.T) {
	l := startLab(t, Options{})
	to := l.Addresses()[0]
	mustReport(t, to, "/th/a1", `{"n":1}`)
	if err := l.Stop(t.Context(), "aws"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		started := time.Now()
		code, maxAge, err := report(to, "/th/a1", `{"n":2}`)
		if d := time.Since(started); err != nil || code != codes.ServiceUnavailable || maxAge == 0 || d > 800*time.Millisecond {
			t.Errorf("%v with Max-Age %d after %v, %v", code, maxAge, d, err)
		}
	}
	if stats := l.Stats(t.Context()); len(stats.Queues) != 0 {
		t.Errorf("a service that is stopped says %+v", stats.Queues)
	}
	if err := l.Restart(t.Context(), "aws"); err != nil {
		t.Fatal(err)
	}
	// After three failures both queues are left alone, but for a probe a second.
	eventually(t, 5*time.Second, func() error {
		code, _, err := report(to, "/th/a1", `{"n":3}`)
		if err == nil && code != codes.Changed {
			err = fmt.Errorf("answered %v", code)
		}
		return err
	})
	waitFor(t, l, 5*time.Second, map[string]int{"a1": 3})
}

// underLoad has devices report through all addresses while f runs, each report to a new
// thing, and returns what was acknowledged.
func underLoad(l *Lab, f func()) (acked map[string]int) {
	const devices = 8
	var mu sync.Mutex
	acked = map[string]int{}
	var stop atomic.Bool
	var running sync.WaitGroup
	for device := range devices {
		running.Go(func() {
			for n := 1; !stop.Load(); n++ {
				name := fmt.Sprintf("d%d-%d", device, n)
				code, _, err := report(l.Addresses()[(device+n)%4], "/th/"+name, fmt.Sprintf(`{"n":%d}`, n))
				if err == nil && code == codes.Changed {
					mu.Lock()
					acked[name] = n
					mu.Unlock()
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	f()
	stop.Store(true)
	running.Wait()
	return acked
}

// kill -9 of ingestors under load loses nothing that was acknowledged, and each is back
// soon.
func TestKillIngestor(t *testing.T) {
	l := startLab(t, Options{})
	acked := underLoad(l, func() {
		for _, name := range []string{"use1-a", "euw1-a", "use1-a"} {
			time.Sleep(300 * time.Millisecond)
			if err := l.Kill(name); err != nil {
				t.Error(err)
			}
			started := time.Now()
			if err := l.Ready(t.Context(), name); err != nil || time.Since(started) > 2*time.Second {
				t.Errorf("%s is back after %v, %v", name, time.Since(started), err)
			}
		}
		time.Sleep(300 * time.Millisecond)
	})
	if len(acked) < 50 {
		t.Fatalf("only %d reports were acknowledged", len(acked))
	}
	waitFor(t, l, 10*time.Second, acked)
}

// kill -9 of containers with batches in their hands loses nothing either: what they have
// not settled comes back when its visibility timeout is over.
func TestKillContainers(t *testing.T) {
	l := startLab(t, Options{FunctionTimeout: 5 * time.Second, Visibility: 5 * time.Second})
	kills := 0
	acked := underLoad(l, func() {
		for range 100 {
			time.Sleep(20 * time.Millisecond)
			for _, name := range []string{"processor", "replicator"} {
				if l.Kill(name) == nil {
					kills++
				}
			}
		}
	})
	failed := uint64(0)
	for _, f := range l.Stats(t.Context()).Functions {
		failed += f.Invocations.Failed
	}
	if len(acked) < 50 || kills < 10 || failed == 0 {
		t.Fatalf("%d reports, %d kills, %d failed invocations: too little happened", len(acked), kills, failed)
	}
	waitFor(t, l, 30*time.Second, acked)
}

// An ingestor that is stopped stays down, and drains: what it has accepted is acknowledged.
func TestStopAndRestart(t *testing.T) {
	l := startLab(t, Options{})
	var stopped time.Time
	acked := underLoad(l, func() {
		time.Sleep(200 * time.Millisecond)
		if err := l.Stop(t.Context(), "use1-a"); err != nil {
			t.Error(err)
		}
		stopped = time.Now()
		time.Sleep(300 * time.Millisecond)
	})
	for _, in := range l.Stats(t.Context()).Ingestors {
		if in.Up != (in.Name != "use1-a") {
			t.Errorf("%s up: %v, %v after use1-a was stopped", in.Name, in.Up, time.Since(stopped))
		}
	}
	if _, _, err := report(l.Addresses()[0], "/th/a1", `{"n":1}`); err == nil {
		t.Error("an ingestor that is stopped answers")
	}
	if err := l.Restart(t.Context(), "use1-a"); err != nil {
		t.Fatal(err)
	}
	mustReport(t, l.Addresses()[0], "/th/a1", `{"n":2}`)
	acked["a1"] = 2
	waitFor(t, l, 10*time.Second, acked)
}

// Names that do not fit are errors that list those that do.
func TestUnknownNames(t *testing.T) {
	l := startLab(t, Options{})
	for _, tt := range []struct {
		err  error
		want string
	}{
		{l.Kill("x"), `kill "x": there is only aws, euw1-a, euw1-b, processor, replicator, use1-a, use1-b`},
		{l.Kill("processor"), `kill processor: no container runs`},
		{l.Kill("processor/x"), `kill processor/x: a container's name is such as processor/1`},
		{l.Pause("aws"), `pause "aws": there is only processor, replicator`},
		{l.Stop(t.Context(), "processor"), `stop "processor": there is only aws, euw1-a, euw1-b, use1-a, use1-b`},
		{l.Restart(t.Context(), ""), `restart "": there is only aws, euw1-a, euw1-b, use1-a, use1-b`},
	} {
		if tt.err == nil || tt.err.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", tt.err, tt.want)
		}
	}
}

// Two labs run side by side; one on the other's addresses does not start.
func TestTwoLabs(t *testing.T) {
	one, two := startLab(t, Options{}), startLab(t, Options{})
	for i, l := range []*Lab{one, two} {
		mustReport(t, l.Addresses()[1], "/th/a1", fmt.Sprintf(`{"n":%d}`, i+1))
	}
	waitFor(t, one, 2*time.Second, map[string]int{"a1": 1})
	waitFor(t, two, 2*time.Second, map[string]int{"a1": 2})

	p := one.Plan()
	l, err := Start(t.Context(), Options{CoAP: one.Addresses(), AWS: p.AWS, HTTP: p.HTTP})
	if err == nil {
		l.Close()
		t.Fatal("started on the addresses of another lab")
	}
	for _, at := range []string{"udp " + p.Ingestors[0].CoAP.String(), "tcp " + p.AWS.String(), "tcp " + p.HTTP.String()} {
		if !strings.Contains(err.Error(), at) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: want one line that names %s", err, at)
		}
	}
}

// The page shows what has happened.
func TestPage(t *testing.T) {
	l := startLab(t, Options{})
	mustReport(t, l.Addresses()[1], "/th/a1", `{"n":1}`)
	waitFor(t, l, 2*time.Second, map[string]int{"a1": 1})
	get := func(path string) (string, string) {
		t.Helper()
		response, err := http.Get("http://" + l.Plan().HTTP.String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body), response.Status + " " + response.Header.Get("Content-Type")
	}
	if body, kind := get("/"); body != string(pageHTML) || kind != "200 OK text/html; charset=utf-8" {
		t.Errorf("page: %s", kind)
	}
	for _, outside := range []string{"src=", "@import", "url(http", "<link rel=\"stylesheet\"", "https://"} {
		if strings.Contains(string(pageHTML), outside) {
			t.Errorf("the page asks for something of another host: %s", outside)
		}
	}
	body, kind := get("/plan.json")
	var plan Plan
	if err := json.Unmarshal([]byte(body), &plan); err != nil || plan.Ingestors[3].CoAP != l.Addresses()[3] || kind != "200 OK application/json" {
		t.Errorf("plan: %s %s %v", kind, body, err)
	}
	var v view
	eventually(t, 5*time.Second, func() error {
		body, _ = get("/stats.json")
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			return err
		}
		if v.Stats.Life["applied"] == 0 || v.Stats.Life["stored"] != 1 || len(v.Things) != 1 || v.Things[0].Name != "a1" || v.Things[0].Type != "th" {
			return fmt.Errorf("view %s", body)
		}
		return nil
	})
	if age := time.Since(v.Things[0].Changed); age < -time.Second || age > time.Minute {
		t.Errorf("changed %v ago", age)
	}
	if _, kind := get("/nothing"); !strings.HasPrefix(kind, "404") {
		t.Errorf("unknown path: %s", kind)
	}
}

// A child that does not start is the end of the start, in its own words.
func TestStartFails(t *testing.T) {
	coap, awsAt, httpAt := testEndpoints(t)
	l, err := newLab(Options{CoAP: coap, AWS: awsAt, HTTP: httpAt})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.child("use1-b", "nonsense", nil, func(context.Context) error { return errors.New("never") })
	const want = "start the lab: use1-b ended 3 times before it was ready; the last that was heard of it: not a role of the lab's: nonsense"
	if err := l.start(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A start that is given up leaves nothing behind.
func TestStartGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	coap, awsAt, httpAt := testEndpoints(t)
	_, err := Start(ctx, Options{CoAP: coap, AWS: awsAt, HTTP: httpAt})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := NewPlan([4]netip.AddrPort(coap), awsAt, httpAt, 1, 1).checkAddresses(); err != nil {
		t.Error(err)
	}
}
