package world

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// longestDelay is how long a network may hold a datagram (MAX_LATENCY of RFC 7252,
// section 4.8.2, is 100 s, and MAX_RTT 202 s).
const longestDelay = 145 * time.Second

// A device keeps the rules: all or none of its readings are numbered, numbers never go
// back, the same number means the same bytes, and one reading is over before the next
// begins. Without numbers it leaves so long between two that the network cannot reorder
// them. How it brings a reading to an endpoint is its radio's business.
type device struct {
	world     *world
	name      string
	thingType string
	numbered  bool
	readings  int
	born      time.Duration // at most so long after the others
	least     time.Duration // between two readings
	most      time.Duration
	radio     radio
}

// A radio is one way to deliver what a device says.
type radio interface {
	// report brings a reading to the endpoints, or gives up. It returns what the device
	// must wait, at least, before it speaks again.
	report(r saying) (rest time.Duration)

	// close is called when no device of the fleet has anything more to say or to hear.
	close()
}

// A saying is what a device says once, however often it has to.
type saying struct {
	path    string
	payload []byte
	format  int
	acked   func() // called at the first ACK
}

// newFleet makes all devices. Every third is any CoAP client; the others run the
// firmware's policy.
func (w *world) newFleet() []*device {
	var fleet []*device
	var before *plain
	for i := range w.plan.devices {
		d := w.newDevice(i)
		if i%3 == 2 {
			before = w.newPlain(d, i, before)
			d.radio = before
		} else {
			d.radio = w.newPolicy(d, i)
		}
		fleet = append(fleet, d)
	}
	return fleet
}

var thingTypes = []string{"th", "meter", "door"}

func deviceName(i int) string { return "d" + strconv.Itoa(i) }
func deviceType(i int) string { return thingTypes[i/3%3] }

func (w *world) newDevice(i int) *device {
	d := &device{
		world: w, name: deviceName(i), thingType: deviceType(i),
		numbered: i%5 != 4,
		readings: w.plan.readings,
	}
	switch {
	case !d.numbered:
		d.least, d.most = longestDelay+time.Minute, 6*time.Minute
		d.readings /= 5
	case i%7 == 0: // in a hurry
		d.least, d.most, d.born = time.Second, 20*time.Second, 10*time.Minute
	default:
		d.least, d.most = 5*time.Second, time.Minute
	}
	return d
}

// run sends all readings. A device that has nothing more to say is silent.
func (d *device) run() {
	w := d.world
	d.rest(w.chance.between(d.name, 0, d.born+time.Minute))
	for n := range d.readings {
		if d.poison(n) {
			continue
		}
		fields := d.fields(n)
		payload, format := d.encode(fields)
		reading := w.sent(d, n, fields, payload)
		rest := d.radio.report(saying{"/" + d.thingType + "/" + d.name, payload, format, func() { w.acked(d, reading) }})
		w.add("readings", 1)
		d.rest(rest)
	}
	// What is still under way may be answered yet.
	time.Sleep(2 * longestDelay)
}

// rest waits until the next reading, and no less than least. The devices of some fleets
// all speak at the full minute, or each 15 or 30 seconds.
func (d *device) rest(least time.Duration) {
	w := d.world
	time.Sleep(max(least, w.chance.between(d.name, d.least, d.most)))
	if beat := w.plan.beat; beat > 0 {
		now := time.Now()
		time.Sleep(now.Truncate(beat).Add(beat).Sub(now) + w.chance.between(d.name, 0, 20*time.Millisecond))
	}
}

// fields draws a reading: a few of some fields, each value said once only, nested now and
// then, or deleted.
func (d *device) fields(n int) map[string]any {
	return of(d.world.chance, "fields "+d.name, func(r *rand.Rand) map[string]any {
		fields := map[string]any{}
		value := func(k int) any { return float64(n*100 + k) }
		for k := range 1 + r.IntN(4) {
			name := string(rune('a' + r.IntN(8)))
			switch r.IntN(8) {
			case 0:
				fields[name] = nil
			case 1, 2:
				nested := map[string]any{}
				for _, leaf := range []string{"x", "y", "z"} {
					if r.IntN(2) == 0 {
						nested[leaf] = value(k)
					}
				}
				nested["n"] = value(k)
				if r.IntN(3) == 0 {
					nested["deep"] = map[string]any{strconv.Itoa(r.IntN(3)): value(k)}
				}
				fields[name] = nested
			case 3:
				fields[name] = []any{value(k), "s" + strconv.Itoa(n), true}
			case 4:
				fields[name] = fmt.Sprintf("%d-%d é\"", n, k)
			default:
				fields[name] = value(k)
			}
		}
		return fields
	})
}

func (d *device) encode(fields map[string]any) (payload []byte, format int) {
	var err error
	if d.world.chance.happens("format "+d.name, 0.3) {
		payload, err = cbor.Marshal(fields)
		format = 60
	} else {
		payload, err = json.Marshal(fields)
		format = 50
	}
	if err != nil {
		panic(err)
	}
	return payload, format
}
