package local

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	randv2 "math/rand/v2"
	"time"
)

// A message is what a queue holds. Its queue's mutex guards the fields below body.
type message struct {
	// set once
	id         string
	body       string
	attributes []messageAttribute // sorted by name
	traceID    string             // the system attribute AWSTraceHeader
	groupID    string             // MessageGroupId, kept and given back, no more (fair queues)
	sent       time.Time          // when it was first enqueued; retention counts from here, a DLQ included
	source     string             // ARN of the queue that gave it up to this DLQ; empty if it was sent here

	seq           uint64    // its place in its queue, and its key in the store
	receipt       uint64    // the last receipt handle's number; 0: not received since it is in this queue
	receives      int       // counted over all queues
	receivesHere  int       // counted in this queue
	firstReceived time.Time // zero: never
	received      time.Time // the last time
	visible       time.Time // when it may be received (again); in the past: now
	delayed       bool      // hidden by a delay, not by a receive
	place         int       // index in the heap that holds it
	hidden        bool      // that heap is queue.hidden, not queue.ready
	agePlace      int       // index in queue.aged
}

// size returns what AWS counts against the limits: the body and each attribute's name,
// type and value.
func (m *message) size() int {
	n := len(m.body)
	for _, a := range m.attributes {
		n += len(a.name) + len(a.dataType) + len(a.value)
	}
	return n
}

func hexMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// newID returns a random UUID (version 4), the form of AWS's message and thing ids.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	dst := make([]byte, 36)
	hex.Encode(dst, b[:4])
	dst[8] = '-'
	hex.Encode(dst[9:], b[4:6])
	dst[13] = '-'
	hex.Encode(dst[14:], b[6:8])
	dst[18] = '-'
	hex.Encode(dst[19:], b[8:10])
	dst[23] = '-'
	hex.Encode(dst[24:], b[10:])
	return string(dst)
}

// A receiptHandle names one receive of one message: an older handle of the same message
// is told from the newest, and so is the handle of another queue.
type receiptHandle struct {
	queue   uint64
	seq     uint64
	receipt uint64
}

// newReceipt returns a number that no earlier receive of a message had, not even before
// a crash.
func newReceipt() uint64 {
	for {
		if n := randv2.Uint64(); n != 0 {
			return n
		}
	}
}

// String returns the handle as callers see it: base64 of three numbers and a checksum.
func (h receiptHandle) String() string {
	b := make([]byte, 0, 28)
	b = binary.BigEndian.AppendUint64(b, h.queue)
	b = binary.BigEndian.AppendUint64(b, h.seq)
	b = binary.BigEndian.AppendUint64(b, h.receipt)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.StdEncoding.EncodeToString(b)
}

func parseReceiptHandle(s string) (h receiptHandle, ok bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 28 || crc32.ChecksumIEEE(b[:24]) != binary.BigEndian.Uint32(b[24:]) {
		return h, false
	}
	h.queue = binary.BigEndian.Uint64(b)
	h.seq = binary.BigEndian.Uint64(b[8:])
	h.receipt = binary.BigEndian.Uint64(b[16:])
	return h, true
}
