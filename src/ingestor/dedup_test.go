package ingestor

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// The table agrees with a map that never forgets within EXCHANGE_LIFETIME and never
// remembers after it, over a day of exchanges that come in any order of events.
func TestDedupAgreesWithAMap(t *testing.T) {
	type key struct {
		mid   uint16
		bytes byte
	}
	type known struct {
		at    time.Time
		state state
	}
	rng := rand.New(rand.NewPCG(1, 2))
	now := time.Now()
	d := newDedup(1, now) // 131,072 entries: never full here
	model := map[key]known{}
	counts := map[state]int{}
	for range 100_000 {
		step := time.Duration(rng.IntN(600)) * time.Millisecond
		if rng.IntN(2000) == 0 {
			step = time.Duration(rng.IntN(3600)) * time.Second // pauses
		}
		for step > 0 { // sweeps once a second
			s := min(step, time.Second)
			now, step = now.Add(s), step-s
			if s == time.Second {
				d.sweep(now)
			}
		}
		k := key{uint16(rng.IntN(400)), byte(rng.IntN(3))}
		ticket := d.ticket(home, k.mid, []byte{k.bytes, 1, 2, 3})
		want := fresh
		m, ok := model[k]
		// The table counts whole seconds: within one of the end either answer is right.
		age := now.Sub(m.at)
		if ok && age < exchangeLifetime {
			want = m.state
		}
		got := d.begin(ticket, now)
		if got != want && !(ok && age > exchangeLifetime-2*time.Second && age < exchangeLifetime+time.Second) {
			t.Fatalf("%v after %v: %v, want %v", k, age, got, want)
		}
		counts[got]++
		if got != fresh {
			continue
		}
		switch model[k] = (known{now, pending}); rng.IntN(4) {
		case 0: // stays pending
		case 1:
			d.settle(ticket, false, now)
			delete(model, k)
		default:
			d.settle(ticket, true, now)
			model[k] = known{now, stored}
		}
	}
	for _, v := range []state{fresh, pending, stored} {
		if counts[v] < 1000 {
			t.Errorf("only %d times %v: the test is too easy", counts[v], v)
		}
	}
}

// An entry that a wrap-around of its 14 bits of time would make young again is gone by
// then.
func TestDedupSweepsBeforeTimeWraps(t *testing.T) {
	now := time.Now()
	d := newDedup(1, now)
	var tickets []ticket
	for mid := range uint16(1000) {
		tickets = append(tickets, d.ticket(home, mid, nil))
		d.begin(tickets[mid], now)
		d.settle(tickets[mid], true, now)
	}
	for range 1 << timeBits {
		now = now.Add(time.Second)
		d.sweep(now)
	}
	for mid, ticket := range tickets {
		if got := d.begin(ticket, now); got != fresh {
			t.Fatalf("exchange %d is %v after %v", mid, got, time.Duration(1<<timeBits)*time.Second)
		}
	}
}

// Two readers look at their clocks in another order than at the table, and the second in
// between may begin.
func TestDedupFromTheFuture(t *testing.T) {
	start := time.Now()
	d := newDedup(1, start)
	at := start.Add(10 * time.Second)
	ticket := d.ticket(home, 1, []byte("abcd"))
	if got := d.begin(ticket, at); got != fresh {
		t.Fatal(got)
	}
	before := at.Add(-time.Millisecond)
	if got := d.begin(ticket, before); got != pending {
		t.Errorf("a reader that is behind sees %v, want pending", got)
	}
	d.settle(ticket, true, before)
	if got := d.look(ticket, before); got != stored {
		t.Errorf("a reader that is behind sees %v, want stored", got)
	}
	for range sweepSteps {
		d.sweep(before)
	}
	if got := d.look(ticket, at); got != stored {
		t.Errorf("after a sweep that is behind it is %v, want stored", got)
	}
}

// An ingestor at rest forgets.
func TestIngestorSweeps(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		entries := func() (n int) {
			synctest.Wait()
			d := w.in.dedup
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, bucket := range d.buckets {
				for _, entry := range bucket {
					if entry != 0 {
						n++
					}
				}
			}
			return n
		}
		w.device.send(con(1, "th/a1", "x"))
		w.device.send(con(2, "th/a1", "x"))
		if n := entries(); n != 2 {
			t.Errorf("%d entries, want 2", n)
		}
		time.Sleep(exchangeLifetime + (sweepSteps+1)*time.Second)
		if n := entries(); n != 0 {
			t.Errorf("%d entries are left", n)
		}
	})
}

// To look leaves no trace.
func TestDedupLook(t *testing.T) {
	now := time.Now()
	d := newDedup(1, now)
	ticket := d.ticket(home, 1, nil)
	for range 2 {
		if got := d.look(ticket, now); got != fresh {
			t.Errorf("unknown is %v", got)
		}
	}
	d.begin(ticket, now)
	if got := d.look(ticket, now); got != pending {
		t.Errorf("begun is %v", got)
	}
}

// More exchanges than the table holds push out the oldest: the youngest are remembered,
// nothing is ever taken for stored that was not, and the table does not grow.
func TestDedupWhenFull(t *testing.T) {
	now := time.Now()
	d := newDedup(1, now)
	capacity := len(d.buckets) * bucketSize
	var tickets []ticket
	for i := range 3 * capacity {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 5683)
		tickets = append(tickets, d.ticket(from, 1, nil))
		now = now.Add(time.Millisecond / 2) // 3 x 131,072 in 197 s: none expires
		if got := d.begin(tickets[i], now); got != fresh {
			t.Fatalf("exchange %d is new and is called %v", i, got)
		}
		d.settle(tickets[i], true, now)
	}
	remembered := 0
	for _, ticket := range tickets[len(tickets)-capacity/2:] {
		d.mu.Lock()
		if d.find(ticket, d.second(now)) != nil {
			remembered++
		}
		d.mu.Unlock()
	}
	if remembered < capacity/2*99/100 {
		t.Errorf("%d of the youngest %d are remembered", remembered, capacity/2)
	}
	if len(d.buckets)*bucketSize != capacity {
		t.Error("the table has grown")
	}
}

// Source address, source port, Message ID and each byte tell messages apart.
func TestTicketCoversEverything(t *testing.T) {
	d := newDedup(1, time.Now())
	datagram := []byte("0123456789")
	seen := map[uint64]string{}
	add := func(what string, from netip.AddrPort, mid uint16, b []byte) {
		tag := d.ticket(from, mid, b).tag
		if before, ok := seen[tag]; ok {
			t.Errorf("%s and %s have the same tag", what, before)
		}
		seen[tag] = what
	}
	add("the message", home, 1, datagram)
	add("another port", netip.AddrPortFrom(home.Addr(), 1), 1, datagram)
	add("another address", other, 1, datagram)
	add("another Message ID", home, 2, datagram)
	for i := range datagram {
		b := append([]byte(nil), datagram...)
		b[i] ^= 1
		add("another byte", home, 1, b)
	}
	add("one byte less", home, 1, datagram[:9])
	if d.ticket(home, 1, datagram) != d.ticket(home, 1, append([]byte(nil), datagram...)) {
		t.Error("the same message has two tickets")
	}
}

func BenchmarkDedup(b *testing.B) {
	now := time.Now()
	d := newDedup(64, now)
	datagram := make([]byte, 131)
	b.ReportAllocs()
	i := uint32(0)
	for b.Loop() {
		i++
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 5683)
		t := d.ticket(from, uint16(i>>24), datagram)
		d.begin(t, now)
		d.settle(t, true, now)
	}
}
