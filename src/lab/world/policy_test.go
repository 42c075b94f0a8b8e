package world

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/netip"
	"time"

	"coap-for-aws-iot/src/device/client"
	"coap-for-aws-iot/src/udp"

	policies "coap-for-aws-iot/src/device"
)

// A policy is a radio that does what our firmware does: package device decides, a reading
// that was not delivered is kept or replaced by the next, and only the memory survives a
// loss of power.
type policy struct {
	*device
	config client.Config
	client *client.Client

	pending saying // what the client has kept; no path: nothing
}

// A memory keeps a device's numbers. A device that has none sends no numbers.
type memory struct{ bytes []byte }

func (m *memory) Load() ([]byte, error) { return bytes.Clone(m.bytes), nil }
func (m *memory) Save(b []byte) error   { m.bytes = bytes.Clone(b); return nil }

func (w *world) newPolicy(d *device, i int) *policy {
	p := &policy{device: d}
	interval := (d.least + d.most) / 2
	p.config = client.Config{
		Type: d.thingType, ID: d.name,
		Policy: policies.Config{
			WindowMin: []uint32{1000, 3000, 4000}[w.chance.below(d.name, 3)],
			Interval:  uint32(interval / time.Second),
		},
		Open: func(context.Context) (udp.Socket, error) {
			return w.net.Listen(netip.AddrPortFrom(deviceAddr(i), 0))
		},
		Entropy: func() uint32 { return of(w.chance, "entropy "+d.name, (*rand.Rand).Uint32) },
	}
	for _, h := range w.hosts {
		p.config.Endpoints = append(p.config.Endpoints, h.addr)
	}
	if w.chance.below(d.name, 4) == 0 { // most reports go unverified
		p.config.Policy.HardLimit = 4 * p.config.Policy.Interval
	}
	if d.numbered {
		p.config.Memory = &memory{}
	}
	p.boot()
	return p
}

func (p *policy) boot() {
	var err error
	if p.client, err = client.New(p.config); err != nil {
		panic(err)
	}
	p.pending = saying{}
}

func (p *policy) close() {}

// report has one check-in, and another one first with what is pending, now and then.
func (p *policy) report(r saying) time.Duration {
	w := p.world
	if w.chance.happens("reboot "+p.name, 0.01) {
		w.count("devices rebooted")
		p.boot()
	}
	if p.pending.path != "" && w.chance.happens("again "+p.name, 0.5) {
		w.count("readings repeated later")
		result, err := p.client.Resend(context.Background(), false)
		p.rest(p.judge(result, err))
	}
	p.pending = r
	result, err := p.client.Send(context.Background(), r.payload, r.format, w.chance.happens("urgent "+p.name, 0.02))
	return p.judge(result, err)
}

// judge takes the result of a check-in to the books.
func (p *policy) judge(r client.Result, err error) (rest time.Duration) {
	w := p.world
	if err != nil {
		w.faulty("%s: %v", p.name, err)
		return 0
	}
	w.add("transmissions", len(r.Attempts))
	w.add("retransmissions", max(0, len(r.Attempts)-1))
	w.count("check-ins " + r.Outcome.String())
	for _, a := range r.Attempts {
		if a.Answer != nil && a.Answer.MaxAge != nil {
			w.count("5.03")
		}
	}
	switch r.Outcome {
	case policies.Delivered:
		w.count("acks")
		p.pending.acked()
		p.pending = saying{}
	case policies.Rejected:
		w.faulty("%s: rejected: %v", p.name, r)
	case policies.Busy, policies.Held:
		return min(r.Sleep, 10*time.Minute)
	}
	return 0
}
