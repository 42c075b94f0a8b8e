package processor

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
)

// The keys of a thing are kept in one string: base64url of
//
//	the newest key      flags, time, number or tie; other flags are a newer release's
//	entries, in order   flags, id, and unless the flags say otherwise
//	                    time and number, as differences from the newest key's, or tie
//
// Integers are varints, differences are zigzag. A field that the shadow has and that
// has no entry was set by the newest report. A tombstone always has an entry: it is
// one whose field the shadow does not have.
//
// At the worst each of 64 entries holds 1 byte of flags, an id of 8, a time
// difference of 5 (15 days are below 2^31 ms) and a number of 10, and the newest key
// 1 + 6 + 10 bytes: 64 x 24 + 17 = 1553 bytes, 2071 characters. Of an ordinary thing,
// all of whose fields come with each report, it is the newest key alone: 11 characters
// while its number is below 2^7, 14 below 2^21, 23 at the most; 16 without a number.
const (
	keyIDMask   = 0x0f // length of the id
	keyAgain    = 0x10 // key of the entry before
	keyFloor    = 0x20 // zero key
	keyNumbered = 0x40
)

func encodeKeys(newest key, fields map[string]*field) string {
	if newest == (key{}) {
		return ""
	}
	b := []byte{0}
	b = binary.AppendUvarint(b, uint64(newest.time))
	if newest.numbered {
		b[0] = keyNumbered
		b = binary.AppendUvarint(b, newest.seq)
	} else {
		b = binary.AppendUvarint(b, uint64(newest.tie))
	}
	ids := slices.SortedFunc(maps.Keys(fields), func(a, b string) int {
		return cmp.Or(sortKeys(fields[a].key, fields[b].key), cmp.Compare(a, b))
	})
	last := newest
	for _, id := range ids {
		f := fields[id]
		if f.present() && f.key == newest {
			continue
		}
		flags := byte(len(id))
		switch {
		case f.key == (key{}):
			flags |= keyFloor
		case f.key == last:
			flags |= keyAgain
		case f.key.numbered:
			flags |= keyNumbered
		}
		b = append(b, flags)
		b = append(b, id...)
		if flags&(keyFloor|keyAgain) != 0 {
			continue
		}
		b = binary.AppendVarint(b, newest.time-f.key.time)
		if f.key.numbered {
			b = binary.AppendVarint(b, int64(newest.seq-f.key.seq))
		} else {
			b = binary.AppendUvarint(b, uint64(f.key.tie))
		}
		last = f.key
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// newerKeys reports whether a newer release wrote the text: it sets bits of the first
// byte that this one does not know.
func newerKeys(text string) bool {
	b, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(b) > 0 && b[0]&^keyNumbered != 0
}

// sortKeys is a total order, unlike compare, that brings equal keys together.
func sortKeys(a, b key) int {
	numbered := func(k key) int {
		if k.numbered {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(numbered(a), numbered(b)),
		cmp.Compare(a.seq, b.seq), cmp.Compare(a.tie, b.tie))
}

// decodeKeys reverses encodeKeys. The empty string is that of no reports.
func decodeKeys(text string) (newest key, keys map[string]key, ok bool) {
	if text == "" {
		return key{}, nil, true
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return key{}, nil, false
	}
	r := keyReader{rest: b, ok: true}
	newest.numbered = r.byte()&keyNumbered != 0
	newest.time = int64(r.uvarint())
	if newest.numbered {
		newest.seq = r.uvarint()
	} else {
		newest.tie = uint32(r.uvarint())
	}
	r.ok = r.ok && newest.time > 0
	keys = map[string]key{}
	last := newest
	for r.ok && len(r.rest) > 0 {
		flags := r.byte()
		id := r.bytes(int(flags & keyIDMask))
		var k key
		switch {
		case flags&keyFloor != 0:
		case flags&keyAgain != 0:
			k = last
		default:
			k.numbered = flags&keyNumbered != 0
			k.time = newest.time - r.varint()
			if k.numbered {
				k.seq = newest.seq - uint64(r.varint())
			} else {
				k.tie = uint32(r.uvarint())
			}
			r.ok = r.ok && k.time > 0
			last = k
		}
		_, twice := keys[id]
		r.ok = r.ok && len(id) <= maxID && !twice
		keys[id] = k
	}
	if !r.ok {
		return key{}, nil, false
	}
	return newest, keys, true
}

// A keyReader reads until something is missing; then ok is false and it reads zeros.
type keyReader struct {
	rest []byte
	ok   bool
}

func (r *keyReader) byte() byte {
	b := r.bytes(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (r *keyReader) bytes(n int) string {
	if n > len(r.rest) {
		r.rest, r.ok = nil, false
		return ""
	}
	b := string(r.rest[:n])
	r.rest = r.rest[n:]
	return b
}

func (r *keyReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.skip(n)
	return v
}

func (r *keyReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.skip(n)
	return v
}

// skip goes on behind a varint; n is 0 or less if there was none.
func (r *keyReader) skip(n int) {
	if n <= 0 {
		r.rest, r.ok = nil, false
		return
	}
	r.rest = r.rest[n:]
}
