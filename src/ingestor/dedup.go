package ingestor

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// exchangeLifetime is for how long a Message ID of a peer may come again as a
// duplicate (RFC 7252, section 4.8.2).
const exchangeLifetime = 247 * time.Second

// A state is what the table knows of an exchange.
type state uint8

const (
	fresh   state = iota // not seen
	pending              // seen, its report is on its way to a queue
	stored               // seen, and a queue has confirmed its report
)

// A dedup remembers the exchanges of the last 247 s: a fixed table of buckets with
// eight entries of eight bytes; each exchange may lie in one of two buckets, chosen by
// source and Message ID. When both are full the oldest of the sixteen goes, which costs
// one duplicate downstream and never a lost report.
//
// An entry is, from the top: 48 bits of a keyed hash over source, Message ID and all
// bytes of the datagram; 14 bits of time in seconds since start; 2 bits of state. Two
// messages with other bytes are two exchanges: carrier-grade NAT gives the port of one
// device to the next within EXCHANGE_LIFETIME, and to acknowledge a stranger's report
// would lose it. At 20,000 messages a second, with 16 comparisons each, 48 bits make one
// false match in 28 years; 32 bits would make six a day.
//
// 64 MiB hold 8.4 million exchanges: 247 s of 34,000 messages a second.
type dedup struct {
	keyTag, keyBucket maphash.Seed
	start             time.Time
	mask              uint64

	mu      sync.Mutex // guards the following
	buckets [][bucketSize]uint64
	swept   int // bucket at which sweep goes on
}

const (
	bucketSize = 8
	timeBits   = 14
	timeMask   = 1<<timeBits - 1
	tagMask    = ^uint64(1<<16 - 1)
	noTag      = 1 << 16 // stands for the tag 0, which marks a free entry

	// A sweep visits the whole table in this many steps of a second: long before 8,192 s,
	// half of what 14 bits of time hold, when an old entry would look young.
	sweepSteps = 128
)

// A ticket names an exchange in the table.
type ticket struct {
	tag           uint64
	first, second uint64 // buckets
}

// newDedup returns a table of at most mib MiB, the next power of two below.
func newDedup(mib int, now time.Time) *dedup {
	n := 1
	for n*2*bucketSize*8 <= mib<<20 {
		n *= 2
	}
	return &dedup{
		keyTag: maphash.MakeSeed(), keyBucket: maphash.MakeSeed(),
		start: now, mask: uint64(n - 1),
		buckets: make([][bucketSize]uint64, n),
	}
}

// ticket computes where a message belongs, without the lock.
func (d *dedup) ticket(from netip.AddrPort, messageID uint16, datagram []byte) ticket {
	var source [20]byte
	addr := from.Addr().As16()
	copy(source[:], addr[:])
	binary.BigEndian.PutUint16(source[16:], from.Port())
	binary.BigEndian.PutUint16(source[18:], messageID)

	var h maphash.Hash
	h.SetSeed(d.keyTag)
	h.Write(source[:])
	h.Write(datagram)
	t := ticket{tag: h.Sum64() & tagMask}
	if t.tag == 0 {
		t.tag = noTag
	}
	place := maphash.Bytes(d.keyBucket, source[:])
	t.first, t.second = place&d.mask, place>>32&d.mask
	return t
}

// begin looks an exchange up and, if it is fresh, enters it as pending.
func (d *dedup) begin(t ticket, now time.Time) state {
	second := d.second(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.known(t, second)
	if known == fresh {
		*d.victim(t, second) = t.tag | second<<2 | uint64(pending)
	}
	return known
}

// look looks an exchange up and enters nothing.
func (d *dedup) look(t ticket, now time.Time) state {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known(t, d.second(now))
}

// known is what the table knows of an exchange; d.mu is held.
func (d *dedup) known(t ticket, second uint64) state {
	if entry := d.find(t, second); entry != nil {
		return state(*entry & 3)
	}
	return fresh
}

// settle ends a pending exchange: a queue has confirmed its report, or else the
// exchange is forgotten, so that a retransmission is a new attempt. The time of an
// entry stays that of the first message (RFC 7252, section 4.8.2).
func (d *dedup) settle(t ticket, confirmed bool, now time.Time) {
	second := d.second(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	entry := d.find(t, second)
	switch {
	case entry == nil: // made room for a younger one
	case confirmed:
		*entry = *entry&^3 | uint64(stored)
	default:
		*entry = 0
	}
}

// sweep frees expired entries in a part of the table; it is called once a second.
func (d *dedup) sweep(now time.Time) {
	second := d.second(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	for range max(len(d.buckets)/sweepSteps, 1) {
		bucket := &d.buckets[d.swept]
		for i := range bucket {
			if bucket[i] != 0 && age(bucket[i], second) >= lifetimeSeconds {
				bucket[i] = 0
			}
		}
		d.swept = (d.swept + 1) & int(d.mask)
	}
}

const lifetimeSeconds = uint64(exchangeLifetime / time.Second)

// second is the time of an entry. now carries a monotonic clock.
func (d *dedup) second(now time.Time) uint64 {
	return uint64(now.Sub(d.start)/time.Second) & timeMask
}

// age is in seconds. An entry from the future, of a reader whose clock was looked at later,
// is as young as can be.
func age(entry, second uint64) uint64 {
	n := (second - entry>>2) & timeMask
	if n > timeMask/2 {
		return 0
	}
	return n
}

// find returns the entry of an exchange that has not expired, or nil.
func (d *dedup) find(t ticket, second uint64) *uint64 {
	for _, b := range [2]uint64{t.first, t.second} {
		bucket := &d.buckets[b]
		for i := range bucket {
			if bucket[i]&tagMask == t.tag && age(bucket[i], second) < lifetimeSeconds {
				return &bucket[i]
			}
		}
	}
	return nil
}

// victim returns the place for a new entry: a free or expired one in the emptier of the
// two buckets, or else the oldest.
func (d *dedup) victim(t ticket, second uint64) *uint64 {
	var best [2]*uint64
	var free [2]int
	var oldest *uint64
	for side, b := range [2]uint64{t.first, t.second} {
		bucket := &d.buckets[b]
		for i := range bucket {
			entry := &bucket[i]
			switch {
			case *entry == 0 || age(*entry, second) >= lifetimeSeconds:
				best[side] = entry
				free[side]++
			case oldest == nil || age(*entry, second) > age(*oldest, second):
				oldest = entry
			}
		}
	}
	switch {
	case free[0] == 0 && free[1] == 0:
		return oldest
	case free[0] >= free[1]:
		return best[0]
	default:
		return best[1]
	}
}
