package infra

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/terraform"

	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/device/client"
	"coap-for-aws-iot/src/udp"
)

// A site is what the failover suite runs against: the lab, or an account.
type site struct {
	addresses []netip.AddrPort // as firmware holds them, out of Terraform's outputs
	// open is how a device gets its socket; nil: from the system.
	open func(context.Context) (udp.Socket, error)
	// down takes a region away: its ingestors, its queue, its functions. up gives it back.
	down func(ctx context.Context, region string) (up func(context.Context) error, err error)
	// reported returns what the shadows of things say, by name, without those that have none.
	reported func(ctx context.Context, things []string) (map[string]json.RawMessage, error)
	// healthy, without and healed are how long each part of the test takes.
	healthy, without, healed time.Duration
}

// An endpoint is one of Terraform's output drill.
type endpoint struct{ Name, Region, Address string }

// endpoints reads the output drill of a root, in firmware order.
func endpoints(t *testing.T, o *terraform.Options) []endpoint {
	t.Helper()
	var drill struct{ Endpoints []endpoint }
	text := terraform.OutputContext(t, t.Context(), o, "drill")
	if err := json.Unmarshal([]byte(text), &drill); err != nil {
		t.Fatalf("output drill: %v\n%s", err, text)
	}
	if len(drill.Endpoints) != 4 {
		t.Fatalf("the output drill has %d endpoints, want 4: set other_addresses and apply again", len(drill.Endpoints))
	}
	return drill.Endpoints
}

// failOver takes the region away under a fleet, and holds that no device lost what was
// acknowledged to it, and that each found its way while the region was gone.
func failOver(t *testing.T, s site, region string, fleet int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	prefix := fmt.Sprintf("failover-%x-", time.Now().Unix())
	devices := make([]*fleetDevice, fleet)
	var running sync.WaitGroup
	for i := range devices {
		d, err := newFleetDevice(s, prefix+fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		devices[i] = d
		running.Go(func() { d.run(ctx) })
	}
	pause(t, s.healthy)
	before := delivered(devices)
	up, err := s.down(t.Context(), region)
	if err != nil {
		t.Fatal(err)
	}
	pause(t, s.without)
	during := delivered(devices)
	if err := up(t.Context()); err != nil {
		t.Fatal(err)
	}
	pause(t, s.healed)
	cancel()
	running.Wait()

	last, total := delivered(devices), 0
	for i, d := range devices {
		if d.err != nil {
			t.Errorf("%s: %v", d.id, d.err)
		}
		if during[i] == before[i] {
			t.Errorf("%s: nothing was acknowledged while %s was down", d.id, region)
		}
		total += last[i]
	}
	t.Logf("%d devices, reports acknowledged to the first of them: %d before, %d while %s was down, %d in all; %d to all of them",
		fleet, before[0], during[0]-before[0], region, last[0], total)
	holdShadows(t, s, devices)
}

// holdShadows waits until each device's shadow has what was last acknowledged to it, or
// something newer.
func holdShadows(t *testing.T, s site, devices []*fleetDevice) {
	t.Helper()
	var things, missing []string
	for _, d := range devices {
		things = append(things, d.id)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Second) {
		reported, err := s.reported(t.Context(), things)
		if err != nil {
			t.Fatal(err)
		}
		missing = nil
		for _, d := range devices {
			var state struct{ N int }
			if text, ok := reported[d.id]; ok {
				if err := json.Unmarshal(text, &state); err != nil {
					t.Fatalf("%s: %v", d.id, err)
				}
			}
			if state.N < d.acked() {
				missing = append(missing, fmt.Sprintf("%s: number %d was acknowledged, the shadow has %d", d.id, d.acked(), state.N))
			}
		}
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("lost, %v after the last report:\n%s", patience, strings.Join(missing, "\n"))
		}
	}
}

func delivered(devices []*fleetDevice) []int {
	all := make([]int, len(devices))
	for i, d := range devices {
		all[i] = d.acked()
	}
	return all
}

// pause lets the fleet run.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

// A fleetDevice is a device with the policy of docs/device.md, that counts.
type fleetDevice struct {
	id     string
	client *client.Client
	err    error // owned by run, then by who waits for it

	mu   sync.Mutex // guards the following
	last int        // the greatest number that was acknowledged
}

// checkInEvery is how often a device has something to say: far more often than a real one.
const checkInEvery = 200 * time.Millisecond

func newFleetDevice(s site, id string) (*fleetDevice, error) {
	c, err := client.New(client.Config{
		Endpoints: s.addresses, Type: "failover", ID: id,
		Memory: &memory{}, Open: s.open,
	})
	return &fleetDevice{id: id, client: c}, err
}

// run has check-ins until ctx is done. What is not acknowledged is replaced by the next
// number, as a sensor's reading is.
func (d *fleetDevice) run(ctx context.Context) {
	for n := 1; ctx.Err() == nil; n++ {
		result, err := d.client.Send(ctx, fmt.Appendf(nil, `{"n":%d}`, n), 50, true)
		switch {
		case ctx.Err() != nil:
			return // cut off: whether it is stored is unknown
		case err != nil:
			d.err = err
			return
		case result.Outcome == device.Rejected:
			d.err = fmt.Errorf("report %d: %v", n, result)
			return
		case result.Outcome == device.Delivered:
			d.mu.Lock()
			d.last = n
			d.mu.Unlock()
		}
		select {
		case <-time.After(checkInEvery):
		case <-ctx.Done():
		}
	}
}

func (d *fleetDevice) acked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// memory is a device's flash, as long as the test lives.
type memory struct{ bytes []byte }

func (m *memory) Load() ([]byte, error) { return m.bytes, nil }

func (m *memory) Save(b []byte) error {
	m.bytes = slices.Clone(b)
	return nil
}

// A translated socket is a way from addresses that Terraform gave out to where the lab
// listens: the fleet knows the former only.
type translated struct {
	udp.Socket
	there, back map[netip.AddrPort]netip.AddrPort
}

// translate returns what opens such sockets.
func translate(there map[netip.AddrPort]netip.AddrPort) func(context.Context) (udp.Socket, error) {
	back := map[netip.AddrPort]netip.AddrPort{}
	for from, to := range maps.All(there) {
		back[to] = from
	}
	return func(ctx context.Context) (udp.Socket, error) {
		sockets, err := udp.Listen(ctx, "127.0.0.1:0", 1, 0)
		if err != nil {
			return nil, err
		}
		return translated{sockets[0], there, back}, nil
	}
}

func (s translated) WriteBatch(packets []udp.Packet) (int, error) {
	out := slices.Clone(packets)
	for i := range out {
		out[i].Peer = s.there[out[i].Peer]
	}
	return s.Socket.WriteBatch(out)
}

func (s translated) ReadBatch(packets []udp.Packet) (int, error) {
	n, err := s.Socket.ReadBatch(packets)
	for i := range packets[:n] {
		packets[i].Peer = s.back[packets[i].Peer]
	}
	return n, err
}
