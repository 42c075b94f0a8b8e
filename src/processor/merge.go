package processor

import "time"

const (
	// maxSpan is how far behind the newest report of its thing a report may be. A
	// queue keeps messages for 12 days and a dead-letter queue for 14.
	maxSpan = int64(15 * 24 * time.Hour / time.Millisecond)

	// maxFields bounds the fields and tombstones of a thing.
	maxFields = 64
)

// merge applies a report to s: each of its fields that nothing newer has set. It
// reports whether anything is to be written, value or key. A refused report, whose
// error is a poison, leaves s as it was.
func (s *state) merge(k key, values map[string]any) (changed bool, err error) {
	if s.newest != (key{}) && k.time < s.newest.time-maxSpan {
		return false, tooOld
	}
	newest := join(s.newest, k)
	if !s.fits(newest, values) {
		return false, tooManyFields
	}
	for name, value := range values {
		f := s.fields[id(name)]
		if f == nil {
			f = &field{}
			s.fields[id(name)] = f
		}
		before := f.key
		if compare(k, before) > 0 {
			f.changed, f.name, f.value = true, name, value
		}
		f.key = join(before, k)
		changed = changed || f.key != before
	}
	if newest != s.newest {
		s.newest = newest
		s.expire()
		changed = true
	}
	return changed, nil
}

// fits reports whether the fields of values have a place in s once its newest key is
// newest. What only replaces or deletes always has.
func (s *state) fits(newest key, values map[string]any) bool {
	added := 0
	for name := range values {
		if s.fields[id(name)] == nil {
			added++
		}
	}
	if added == 0 {
		return true
	}
	for _, f := range s.fields {
		if f.present() || !expired(f.key, newest) {
			added++
		}
	}
	return added <= maxFields
}

// expired reports whether a key is so old that every report still accepted is newer.
func expired(k, newest key) bool { return k.time < newest.time-maxSpan }

// expire forgets the keys that no report can be older than: such a field is put to
// the floor, and such a tombstone has nothing left to keep out.
func (s *state) expire() {
	for id, f := range s.fields {
		switch {
		case !expired(f.key, s.newest):
		case f.present(), f.changed && f.stored: // a value, or a deletion yet to be written
			f.key = key{}
		default:
			delete(s.fields, id)
		}
	}
}

// owns reports whether a report, merged before, still is what s says: at least one
// field of it, or, if it has none, the newest key.
func (s *state) owns(k key, values map[string]any) bool {
	if len(values) == 0 {
		return compare(s.newest, k) == 0
	}
	for name := range values {
		if f := s.fields[id(name)]; f != nil && compare(f.key, k) == 0 {
			return true
		}
	}
	return false
}
