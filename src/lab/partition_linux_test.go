package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/device/client"
	"coap-for-aws-iot/src/lab/oracle"
	"coap-for-aws-iot/src/udp"
)

// A continent is three networks: the regions a and b, and the devices' d, each joined to
// the two others by a wire.
//
//	d ── relays ──┬─ loss ── a: use1-a, use1-b, AWS, processor
//	              │          │ wire between the regions
//	              └─ loss ── b: euw1-a, euw1-b, AWS, replicator
type continent struct {
	t         *testing.T
	a, b, d   *namespace
	labs      [2]*Lab          // to look into a and b; nothing of them runs here
	endpoints []netip.AddrPort // the relays, in firmware order
}

func newContinent(t *testing.T) *continent {
	c := &continent{t: t}
	newNamespaces(t, 3, func(spaces []*namespace) {
		c.a, c.b, c.d = spaces[0], spaces[1], spaces[2]
		link(c.a, c.b, "to-b", "to-a", "10.77.0.1/24", "10.77.0.2/24")
		link(c.d, c.a, "to-a", "to-d", "10.77.1.1/24", "10.77.1.2/24")
		link(c.d, c.b, "to-b", "to-d", "10.77.2.1/24", "10.77.2.2/24")
	})
	for _, s := range []*namespace{c.a, c.b} {
		s.lose("to-d", 5)
	}
	c.d.lose("to-a", 5)
	c.d.lose("to-b", 5)

	coap := [4]netip.AddrPort{
		netip.MustParseAddrPort("10.77.1.2:5683"), netip.MustParseAddrPort("10.77.2.2:5683"),
		netip.MustParseAddrPort("10.77.1.2:5684"), netip.MustParseAddrPort("10.77.2.2:5684"),
	}
	for i, to := range coap {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, 9, byte(1 + i)}), 5683)
		c.d.run("ip", "addr", "add", at.Addr().String()+"/32", "dev", "lo")
		newRelay(c.d, at, to)
		c.endpoints = append(c.endpoints, at)
	}
	_, file := awsCertificate(t)
	var starting sync.WaitGroup
	for i, s := range []*namespace{c.a, c.b} {
		config := regionConfig{Region: Primary, CoAP: coap, Other: "10.77.0.2:443", Certificate: file}
		if s == c.b {
			config.Region, config.Other = Secondary, "10.77.0.1:443"
		}
		c.labs[i] = &Lab{plan: config.plan(), client: &http.Client{Transport: &http.Transport{DialContext: s.dial}}}
		starting.Go(func() { c.start(s, &config) })
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return c
}

// dial opens a connection from the namespace.
func (s *namespace) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = s.within(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// start starts a region in a namespace and returns when it is ready.
func (c *continent) start(s *namespace, config *regionConfig) {
	self, err := os.Executable()
	if err != nil {
		c.t.Error(err)
		return
	}
	text, err := json.Marshal(config)
	if err != nil {
		c.t.Error(err)
		return
	}
	log := &syncBuffer{}
	cmd := exec.Command(self, ChildCommand, roleRegion)
	cmd.Env = append(os.Environ(), regionVariable+"="+string(text))
	cmd.Stderr = log
	stdin, err := cmd.StdinPipe() // its end is the region's end
	if err != nil {
		c.t.Error(err)
		return
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Error(err)
		return
	}
	if err := s.within(cmd.Start); err != nil {
		c.t.Error(err)
		return
	}
	c.t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
		if c.t.Failed() {
			c.t.Logf("log of %s:\n%s", config.Region, log)
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		c.t.Errorf("%s is not ready: %v", config.Region, err)
	}
}

// A checkIn is one that was delivered.
type checkIn struct {
	at       time.Time // when the answer came
	endpoint netip.AddrPort
}

// A fleet is the devices of a test, and what they did.
type fleet struct {
	mu        sync.Mutex // guards the following
	ledger    *oracle.Ledger
	delivered []checkIn
	attempts  int
}

// fields is what a device says the nth time.
func fields(n int) map[string]any {
	return map[string]any{"n": float64(n), fmt.Sprint("f", n%5): float64(n)}
}

// device checks in, as its policy says, until stop is closed.
func (f *fleet) device(c *continent, id string, stop chan struct{}) {
	d, err := client.New(client.Config{
		Endpoints: c.endpoints, Type: "th", ID: id, Memory: new(ram),
		Policy: device.Config{Interval: 1, WindowMin: 4000},
		Open: func(ctx context.Context) (socket udp.Socket, err error) {
			err = c.d.within(func() error {
				sockets, err := udp.Listen(ctx, ":0", 1, 1<<16)
				if err == nil {
					socket = sockets[0]
				}
				return err
			})
			return socket, err
		},
	})
	if err != nil {
		c.t.Error(err)
		return
	}
	for n := 1; ; n++ {
		said := fields(n)
		payload, err := json.Marshal(said)
		if err != nil {
			c.t.Error(err)
			return
		}
		f.mu.Lock()
		entry := f.ledger.Sent("th", id, said, time.Now())
		f.mu.Unlock()
		r, err := d.Send(c.t.Context(), payload, 50, false)
		if err != nil {
			c.t.Error(err)
			return
		}
		f.mu.Lock()
		f.attempts += len(r.Attempts)
		if entry.Acked = r.Outcome == device.Delivered; entry.Acked {
			for _, a := range r.Attempts {
				if a.Answer != nil && a.Answer.Code>>5 == 2 {
					f.delivered = append(f.delivered, checkIn{time.Now(), a.Endpoint})
				}
			}
		}
		f.mu.Unlock()
		select {
		case <-stop:
			return
		case <-time.After(r.Sleep):
		}
	}
}

// ram is a device's memory for as long as it lives.
type ram struct{ b []byte }

func (r *ram) Load() ([]byte, error) { return r.b, nil }

func (r *ram) Save(b []byte) error {
	r.b = append([]byte(nil), b...)
	return nil
}

// coapctl is a device that is a process: coapctl send, until stop is closed.
func (f *fleet) coapctl(c *continent, program string, stop chan struct{}) {
	args := []string{"send", "--json", "--every", "1s", "--window", "4s", "--state", filepath.Join(c.t.TempDir(), "state"), "th/ctl", `{"n":{n}}`}
	for _, e := range c.endpoints {
		args = append(args, "--endpoint", e.String())
	}
	cmd := exec.Command(program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Error(err)
		return
	}
	if err := c.d.within(cmd.Start); err != nil {
		c.t.Error(err)
		return
	}
	go func() {
		<-stop
		cmd.Process.Signal(os.Interrupt)
	}()
	n := 1
	var entry *oracle.Reading
	say := func() {
		f.mu.Lock()
		entry = f.ledger.Sent("th", "ctl", map[string]any{"n": float64(n)}, time.Now())
		f.mu.Unlock()
	}
	say()
	acked := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var line struct {
			CheckIn int
			Outcome string
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.CheckIn != n {
			c.t.Errorf("check-in %d: coapctl says %s", n, lines.Bytes())
		}
		if entry.Acked = line.Outcome == "delivered"; entry.Acked {
			acked++
		}
		n++
		say() // the next one, of which it may not come to tell
	}
	cmd.Wait() // what it thought of its last check-in
	if acked < 5 {
		c.t.Errorf("coapctl send was acknowledged %d times", acked)
	}
}

// through counts what was acknowledged since a time, by region.
func (f *fleet) through(c *continent, since time.Time) (a, b int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.delivered {
		switch {
		case d.at.Before(since):
		case d.endpoint == c.endpoints[0] || d.endpoint == c.endpoints[2]:
			a++
		default:
			b++
		}
	}
	return a, b
}

// waiting is how many messages are in the queues of a region, and in its DLQ.
func (c *continent) waiting(region int) (waiting, dead int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	for _, q := range c.labs[region].plan.Queues {
		d, err := c.labs[region].depth(ctx, q)
		if err != nil {
			c.t.Fatal(err)
		}
		n := d.Visible + d.InFlight + d.Delayed
		if q.DLQ == "" {
			dead += n
		} else {
			waiting += n
		}
	}
	return waiting, dead
}

// Two regions and the devices are three networks, which lose, delay and reorder. The wires
// between them are cut, one by one and together, and mended: what was acknowledged is not
// lost, devices always find the region that they can reach, and the backlog drains.
func TestPartitions(t *testing.T) {
	needNetns(t)
	begun := time.Now()
	program := filepath.Join(t.TempDir(), "coapctl")
	if out, err := exec.Command("go", "build", "-o", program, "../coapctl").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	c := newContinent(t)
	f := &fleet{ledger: oracle.NewLedger()}
	stop := make(chan struct{})
	var devices sync.WaitGroup
	for i := range 10 {
		devices.Go(func() { f.device(c, fmt.Sprint("d", i), stop) })
	}
	devices.Go(func() { f.coapctl(c, program, stop) })

	// In each phase something has to happen and something must not, once what was past a
	// wire when that was cut has come out of a relay.
	const onItsWay = time.Second
	phase := func(name string, d time.Duration, wantA, wantB bool) {
		t.Helper()
		time.Sleep(onItsWay)
		since := time.Now()
		time.Sleep(d)
		a, b := f.through(c, since)
		for late := time.Now().Add(10 * time.Second); (wantA && a == 0 || wantB && b == 0) && time.Now().Before(late); {
			time.Sleep(20 * time.Millisecond)
			a, b = f.through(c, since)
		}
		backlog, _ := c.waiting(1)
		t.Logf("%4.0f s: %-40s %3d acknowledged by a, %3d by b, backlog in b %d", time.Since(begun).Seconds(), name, a, b, backlog)
		if (a > 0) != wantA || (b > 0) != wantB {
			t.Errorf("%s: %d were acknowledged by a and %d by b", name, a, b)
		}
	}
	both := func(do func(*namespace, string), x, y *namespace, atX, atY string) {
		do(x, atX)
		do(y, atY)
	}
	cut, heal := (*namespace).cut, (*namespace).heal

	phase("all wires", 3*time.Second, true, true)
	both(cut, c.d, c.a, "to-a", "to-d")
	phase("devices cut off from a", 6*time.Second, false, true)
	both(heal, c.d, c.a, "to-a", "to-d")
	phase("healed", 2*time.Second, true, true)

	both(cut, c.d, c.a, "to-a", "to-d")
	both(cut, c.a, c.b, "to-b", "to-a")
	phase("a cut off from devices and b", 6*time.Second, false, true)
	if n, _ := c.waiting(1); n == 0 {
		t.Error("b has no backlog although it cannot reach a")
	}
	both(heal, c.d, c.a, "to-a", "to-d")
	phase("the regions cut off from each other", 6*time.Second, true, true)
	both(heal, c.a, c.b, "to-b", "to-a")

	both(cut, c.d, c.b, "to-b", "to-d")
	phase("devices cut off from b", 4*time.Second, true, false)
	both(heal, c.d, c.b, "to-b", "to-d")
	close(stop)
	devices.Wait()

	// What the replicator could not forward comes back after 30 s.
	eventually(t, 75*time.Second, func() error {
		a, deadA := c.waiting(0)
		b, deadB := c.waiting(1)
		if a+b+deadA+deadB > 0 {
			return fmt.Errorf("a has %d messages waiting and %d dead, b %d and %d", a, deadA, b, deadB)
		}
		return nil
	})
	c.judge(f)
	t.Logf("%v in all, %d transmissions", time.Since(begun).Round(time.Second), f.attempts)
}

// judge compares what AWS IoT holds with what devices said and heard.
func (c *continent) judge(f *fleet) {
	c.t.Helper()
	things, err := allThings(c.t.Context(), c.labs[0])
	if err != nil {
		c.t.Fatal(err)
	}
	shadows := map[string]oracle.Shadow{}
	for name, thing := range things {
		var reported map[string]any
		if err := json.Unmarshal(thing.Reported, &reported); err != nil {
			c.t.Errorf("%s reports %s: %v", name, thing.Reported, err)
		}
		delete(reported, "_coap")
		shadows[name] = oracle.Shadow{ThingType: thing.Type, Reported: reported}
	}
	v := f.ledger.Judge(shadows, c.letters(), func(string) string { return "" })
	c.t.Logf("verdict %+v", *v)
	if !v.OK() {
		c.t.Error("what was acknowledged is not what is there")
	}
	if v.Acked < 50 {
		c.t.Errorf("%d readings were acknowledged: too little happened", v.Acked)
	}
}

// letters are the texts in the dead-letter queues.
func (c *continent) letters() (texts []string) {
	for _, l := range c.labs {
		for _, q := range l.plan.Queues {
			if q.DLQ != "" {
				continue
			}
			out, err := l.queueClient(q.Region).ReceiveMessage(c.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.URL, MaxNumberOfMessages: 10})
			if err != nil {
				c.t.Fatal(err)
			}
			for _, m := range out.Messages {
				texts = append(texts, aws.ToString(m.Body))
			}
		}
	}
	return texts
}
