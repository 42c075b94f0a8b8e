// Package oracle knows what devices sent and when, and which acknowledgements they
// got, and nothing else: not how reports travel, nor how they are merged. From that
// alone it judges shadows and dead-letter queues.
package oracle

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

// A Ledger is what one run's devices did. It is not safe for concurrent use.
type Ledger struct {
	devices map[string]*device // by thing name
	poison  map[string]*poison // by mark
}

// A device is one thing's readings, in the order in which it sent them.
type device struct {
	thingType string
	readings  []*Reading
}

// A Reading is one thing that a device said, however often it said it and wherever.
type Reading struct {
	Fields map[string]any // as JSON decodes them; nil deletes the field
	Sent   time.Time      // first transmission
	Acked  bool           // at least one transmission was answered 2.04
	number int            // place in the device's order
}

// poison is a message that can never be applied.
type poison struct {
	acked bool
	found int
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{devices: map[string]*device{}, poison: map[string]*poison{}}
}

// Sent enters the next reading of a device. The caller keeps it, and marks it when an
// answer comes.
func (l *Ledger) Sent(thingType, thing string, fields map[string]any, at time.Time) *Reading {
	d := l.devices[thing]
	if d == nil {
		d = &device{thingType: thingType}
		l.devices[thing] = d
	}
	r := &Reading{Fields: fields, Sent: at, number: len(d.readings)}
	d.readings = append(d.readings, r)
	return r
}

// Poison enters a message that has to end in a dead-letter queue once it is
// acknowledged. mark is a part of its payload that no other message has.
func (l *Ledger) Poison(mark string) { l.poison[mark] = &poison{} }

// PoisonAcked notes that a poison message was answered 2.04.
func (l *Ledger) PoisonAcked(mark string) { l.poison[mark].acked = true }

// A Shadow is what AWS IoT holds of a thing.
type Shadow struct {
	ThingType string
	Reported  map[string]any // without bookkeeping
}

// A Verdict is the outcome of a run. All but the first two are zero in a good one.
type Verdict struct {
	Acked      int // readings and poison that were acknowledged
	Superseded int // acknowledged readings none of whose fields show any more
	Lost       int // acknowledged readings whose effect, or a newer one's, is missing
	Stale      int // fields whose value is older than an acknowledged one
	Foreign    int // fields, things or types that no device made so
	Poison     int // acknowledged poison that is in no dead-letter queue
	Wrong      int // messages in dead-letter queues that are no poison
	Faults     []string
}

// OK reports whether a verdict is good.
func (v *Verdict) OK() bool { return len(v.Faults) == 0 }

func (v *Verdict) fault(counter *int, format string, args ...any) {
	*counter++
	if len(v.Faults) < 20 {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}

// Judge compares shadows (by thing name) and the texts of what dead-letter queues hold
// with what the devices did. marked returns the mark in a text, or "".
func (l *Ledger) Judge(shadows map[string]Shadow, letters []string, marked func(string) string) *Verdict {
	v := new(Verdict)
	for _, thing := range slices.Sorted(maps.Keys(l.devices)) {
		shadow, ok := shadows[thing]
		l.devices[thing].judge(v, thing, shadow, ok)
	}
	for _, thing := range slices.Sorted(maps.Keys(shadows)) {
		if l.devices[thing] == nil {
			v.fault(&v.Foreign, "there is a thing %s that no device made", thing)
		}
	}
	for _, letter := range letters {
		if p := l.poison[marked(letter)]; p != nil {
			p.found++
		} else {
			v.fault(&v.Wrong, "a dead-letter queue holds what is no poison: %.300s", letter)
		}
	}
	for _, mark := range slices.Sorted(maps.Keys(l.poison)) {
		if p := l.poison[mark]; p.acked {
			v.Acked++
			if p.found == 0 {
				v.fault(&v.Poison, "poison %s was acknowledged and is in no dead-letter queue", mark)
			}
		}
	}
	return v
}

// judge compares one shadow. A reading that was acknowledged has to be there; one that
// was not may be there. So the value of each field must be the one that some reading
// gave it, no older than the newest acknowledged reading that names the field. And a
// reading that shows in one field was accepted, so it counts as acknowledged for all.
func (d *device) judge(v *Verdict, thing string, shadow Shadow, exists bool) {
	certain := map[*Reading]bool{}
	for _, r := range d.readings {
		if r.Acked {
			v.Acked++
			certain[r] = true
		}
	}
	if !exists {
		if len(certain) > 0 {
			v.fault(&v.Lost, "%s: %d acknowledged readings and no thing", thing, len(certain))
			v.Lost += len(certain) - 1
		}
		return
	}
	if shadow.ThingType != d.thingType {
		v.fault(&v.Foreign, "%s: thing type %q, the device said %q", thing, shadow.ThingType, d.thingType)
	}
	names := map[string]bool{}
	for name := range shadow.Reported {
		names[name] = true
	}
	for _, r := range d.readings {
		for name := range r.Fields {
			names[name] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(names))
	for _, name := range sorted {
		if writer := d.writer(name, shadow.Reported); writer != nil {
			certain[writer] = true
		}
	}
	shown := map[*Reading]bool{}
	for _, name := range sorted {
		newest := d.newest(name, certain)
		value, present := shadow.Reported[name]
		switch writer := d.writer(name, shadow.Reported); {
		case writer == nil && present:
			v.fault(&v.Foreign, "%s: %s is %v, which no reading said", thing, name, value)
		case writer == nil && newest != nil && newest.Fields[name] != nil && !d.deletedAfter(newest, name):
			v.fault(&v.Lost, "%s: %s is missing, reading %d of %s set it to %v", thing, name, newest.number, newest.Sent.Format(time.TimeOnly), newest.Fields[name])
		case writer != nil && newest != nil && writer.number < newest.number && !reflect.DeepEqual(newest.Fields[name], value):
			v.fault(&v.Stale, "%s: %s is %v of reading %d, reading %d is newer: %v", thing, name, value, writer.number, newest.number, newest.Fields[name])
		}
		if newest != nil {
			shown[newest] = true
		}
	}
	for r := range certain {
		if r.Acked && !shown[r] {
			v.Superseded++
		}
	}
}

// writer returns the newest reading that gave a field the value that it has, or nil. An
// absent field has no writer: nobody can tell who deleted it.
func (d *device) writer(name string, reported map[string]any) *Reading {
	value, present := reported[name]
	if !present {
		return nil
	}
	for _, r := range slices.Backward(d.readings) {
		if said, ok := r.Fields[name]; ok && said != nil && reflect.DeepEqual(said, value) {
			return r
		}
	}
	return nil
}

// deletedAfter reports whether a reading newer than r deletes a field. Nobody knows
// whether it was accepted, so the field may be absent.
func (d *device) deletedAfter(r *Reading, name string) bool {
	for _, later := range d.readings[r.number+1:] {
		if said, ok := later.Fields[name]; ok && said == nil {
			return true
		}
	}
	return false
}

// newest returns the newest certain reading that names a field, or nil.
func (d *device) newest(name string, certain map[*Reading]bool) *Reading {
	for _, r := range slices.Backward(d.readings) {
		if _, ok := r.Fields[name]; ok && certain[r] {
			return r
		}
	}
	return nil
}
