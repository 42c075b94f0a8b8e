package processor

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"

	"coap-for-aws-iot/src/envelope"
)

// slotBits gives the window within which a device's numbers are believed: 2^18 ms =
// 262 s. No network holds a datagram that long (RFC 7252, section 4.8.2:
// MAX_LATENCY is 100 s).
const slotBits = 18

// A key says when a report was sent, as far as that can be known. docs/order.md
// says why the order of keys is the order of sending.
//
// The zero key is the floor: it is older than every report.
type key struct {
	time     int64  // receive time, ms since the Unix epoch, at least 1
	seq      uint64 // the device's number, if numbered
	tie      uint32 // if not numbered: tells apart reports of the same millisecond
	numbered bool
}

// keyOf returns the key of r, which came in a bundle of ingestor that a queue first
// held at firstSent (ms; 0 means unknown).
//
// The receive time is the smaller of the ingestor's clock and the queue's: no
// ingestor can date a report later than the moment at which SQS already had it, so a
// fast clock does not outrank the other ingestors. It is never raised, because a
// message that an operator has redriven has a late SentTimestamp.
func keyOf(r *envelope.Report, ingestor string, firstSent int64) key {
	k := key{time: r.Received, seq: r.Seq, numbered: r.Numbered}
	if firstSent > 0 {
		k.time = min(k.time, firstSent)
	}
	k.time = max(k.time, 1)
	if !k.numbered {
		h := sha256.New()
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(ingestor))))
		h.Write([]byte(ingestor))
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(r.Format)))
		h.Write(r.Payload)
		k.tie = binary.BigEndian.Uint32(h.Sum(nil))
	}
	return k
}

// compare returns +1 if a is newer than b, -1 if it is older, 0 if both are keys of
// the same report.
//
//   - Two numbers that were received within the window: the greater number is newer.
//     Copies of one number are the same report if they fall into the same slot of
//     2^18 ms; otherwise the later slot is newer. Slots are fixed on the time axis
//     and not counted from one of the copies, so that it does not matter which copy
//     arrives first.
//   - Otherwise the later receive time is newer: a device that has lost its memory
//     and begins at 1 again is believed after 262 s.
//   - The same time, without numbers to decide: a fixed order by hash. A numbered
//     report is newer than one without a number.
func compare(a, b key) int {
	if a.numbered && b.numbered && near(a.time, b.time) {
		if c := cmp.Compare(a.seq, b.seq); c != 0 {
			return c
		}
		return cmp.Compare(a.time>>slotBits, b.time>>slotBits)
	}
	if c := cmp.Compare(a.time, b.time); c != 0 {
		return c
	}
	switch {
	case a.numbered:
		return +1
	case b.numbered:
		return -1
	}
	return cmp.Compare(a.tie, b.tie)
}

func near(a, b int64) bool {
	d := a - b
	return -1<<slotBits <= d && d <= 1<<slotBits
}

// join returns what is to be remembered of a and b: the newer key, and of two copies
// of the same report the one that was received first. The result does not depend on
// the order of the arguments, nor, for the copies of one report, on the order of
// joining.
func join(a, b key) key {
	switch c := compare(a, b); {
	case c > 0, c == 0 && a.time <= b.time:
		return a
	}
	return b
}
