package world

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/udp"
)

// longestDelay is how long a network may hold a datagram (MAX_LATENCY of RFC 7252,
// section 4.8.2, is 100 s, and MAX_RTT 202 s).
const longestDelay = 145 * time.Second

// A device keeps the rules: all or none of its readings are numbered, numbers never go
// back, the same number means the same bytes, and one reading is over before the next
// begins. Without numbers it leaves so long between two that the network cannot reorder
// them.
type device struct {
	world     *world
	name      string
	thingType string
	numbered  bool
	readings  int
	least     time.Duration // between two readings
	most      time.Duration
	socket    udp.Socket
	neighbour *device // shares address and port, behind one NAT; nil: none

	// owned by run
	seq       uint64
	messageID uint16
	rotation  int
	answers   chan answer
}

type answer struct {
	token string
	code  codes.Code
}

// newFleet makes all devices. Every sixth lives behind a NAT that gives it the address
// and port of the one before, and both count Message IDs from the same number: other
// bytes with the same source and Message ID are another message.
func (w *world) newFleet() []*device {
	var fleet []*device
	for i := range w.plan.devices {
		d := w.newDevice(i)
		if i%6 == 5 {
			before := fleet[i-1]
			before.neighbour, d.socket, d.messageID = d, before.socket, before.messageID
		} else {
			d.listenAt(netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + i)}), 40000))
		}
		fleet = append(fleet, d)
	}
	return fleet
}

func (d *device) listenAt(at netip.AddrPort) {
	socket, err := d.world.net.Listen(at)
	if err != nil {
		panic(err)
	}
	d.socket = socket
	go d.listen()
}

func (w *world) newDevice(i int) *device {
	name := "d" + strconv.Itoa(i)
	d := &device{
		world: w, name: name,
		thingType: []string{"th", "meter", "door"}[i%3],
		numbered:  i%4 != 3,
		readings:  w.plan.readings,
		rotation:  w.chance.below(name, len(w.hosts)),
		messageID: uint16(w.chance.below(name, 1<<16)),
		seq:       uint64(w.chance.below(name, 1<<20)),
		answers:   make(chan answer, 64),
	}
	switch {
	case !d.numbered:
		d.least, d.most = longestDelay+time.Minute, 6*time.Minute
		d.readings /= 3
	case i%8 == 0: // in a hurry
		d.least, d.most = time.Second, 20*time.Second
	default:
		d.least, d.most = 5*time.Second, 3*time.Minute
	}
	return d
}

// run sends all readings. A device that has nothing more to say is silent.
func (d *device) run() {
	w := d.world
	time.Sleep(w.chance.between(d.name, 0, d.most))
	for n := range d.readings {
		d.seq += 1 + uint64(w.chance.below(d.name, 3)) // gaps are allowed
		if d.poison(n) {
			continue
		}
		fields := d.fields(n)
		payload, format := d.encode(fields)
		reading := w.sent(d.thingType, d.name, fields)
		acked := d.transmit("/"+d.thingType+"/"+d.name, payload, format, func() { w.acked(d, reading) })
		w.add("readings", 1)
		if !acked {
			w.add("unacknowledged readings", 1)
		}
		time.Sleep(w.chance.between(d.name, d.least, d.most))
	}
	// What is still under way may be answered yet.
	time.Sleep(2 * longestDelay)
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

// transmit sends one message until an ACK, to one endpoint after the other, at most
// eight times and never faster than ACK_TIMEOUT; a 5.03 sends it on at once. acked is
// called at the first ACK, however late it comes. It reports whether there was an ACK by
// the time it gave up.
func (d *device) transmit(path string, payload []byte, format int, acked func()) bool {
	w := d.world
	con := !w.chance.happens("non "+d.name, 0.1)
	tries := 8
	if !con {
		tries = 1
	}
	token := fmt.Sprintf("%08x", w.chance.below("token "+d.name, 1<<31))[:8]
	w.expect(d.name+" "+token, acked)
	timeout := w.chance.between(d.name, 2*time.Second, 3*time.Second)
	ok := false
	for try := range tries {
		to := w.hosts[d.rotation%len(w.hosts)]
		d.messageID++
		d.socket.WriteBatch([]udp.Packet{{Buf: d.datagram(con, token, path, payload, format), Peer: to.addr}})
		w.count("transmissions")
		if try > 0 {
			w.count("retransmissions")
		}
		end := time.Now().Add(min(timeout<<try, 32*time.Second))
	wait:
		for time.Now().Before(end) {
			timer := time.NewTimer(time.Until(end))
			select {
			case a := <-d.answers:
				timer.Stop()
				if a.token != token {
					continue
				}
				switch a.code {
				case codes.Changed:
					ok = true
					w.count("acks")
					break wait
				case codes.ServiceUnavailable:
					w.count("5.03")
					break wait
				default:
					w.faulty("%s: answered %v", d.name, a.code)
					break wait
				}
			case <-timer.C:
			}
		}
		if ok {
			return true
		}
		d.rotation++
	}
	d.rotation++
	return false
}

func (d *device) datagram(con bool, token, path string, payload []byte, format int) []byte {
	kind := message.NonConfirmable
	if con {
		kind = message.Confirmable
	}
	b := coap.AppendHeader(nil, kind, codes.POST, d.messageID, []byte(token))
	last := message.OptionID(0)
	for segment := range strings.SplitSeq(path[1:], "/") {
		b = coap.AppendOption(b, last, message.URIPath, segment)
		last = message.URIPath
	}
	b = coap.AppendUintOption(b, last, message.ContentFormat, uint32(format))
	if d.numbered {
		b = coap.AppendOption(b, message.ContentFormat, message.URIQuery, "s="+strconv.FormatUint(d.seq, 16))
	}
	return coap.AppendPayload(b, payload)
}

// listen takes answers until the socket is closed.
func (d *device) listen() {
	packets := []udp.Packet{{Buf: make([]byte, 1500)}}
	for {
		if _, err := d.socket.ReadBatch(packets); err != nil {
			return
		}
		m, reason := coap.Parse(packets[0].Buf)
		if reason != coap.None {
			d.world.faulty("%s: a malformed answer: %x", d.name, packets[0].Buf)
			continue
		}
		if m.Type == message.Confirmable {
			d.world.faulty("%s: answered by a CON", d.name)
		}
		for at := d; at != nil; at = at.neighbour {
			if m.Code == codes.Changed {
				d.world.heard(at.name + " " + string(m.Token))
			}
			select {
			case at.answers <- answer{string(m.Token), m.Code}:
			default: // it does not listen
			}
		}
	}
}

// The kinds of poison that a device can send, each with the reason it must end with.
var poisons = map[string]string{
	"not JSON":   `{"mark":"%s"`,
	"reserved":   `{"_coap":"%s"}`,
	"too deep":   `{"a":{"b":{"c":{"d":{"e":{"f":{"g":"%s"}}}}}}}`,
	"other type": `{"mark":"%s"}`,
}

// poison now and then sends, in place of reading n, what can never be applied.
func (d *device) poison(n int) bool {
	w := d.world
	if n == 0 || !w.chance.happens("poison "+d.name, 0.02) {
		return false
	}
	kinds := slices.Sorted(maps.Keys(poisons))
	kind := kinds[w.chance.below("poison "+d.name, len(kinds))]
	mark := fmt.Sprintf("poison-%s-%d-", d.name, n)
	path := "/" + d.thingType + "/" + d.name
	if kind == "other type" {
		path = "/stranger/" + registered // a thing that is there already, of another type
	}
	w.poison(mark)
	w.count("poison: " + kind)
	d.transmit(path, fmt.Appendf(nil, poisons[kind], mark), 50, func() { w.poisonAcked(mark) })
	time.Sleep(w.chance.between(d.name, d.least, d.most))
	return true
}
