package world

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"coap-for-aws-iot/src/processor"
)

// A poison is a message that can never be applied, and the reason that it must end with.
type poison struct {
	reason string
	// path is where it is posted, by default to the device's own thing.
	path    string
	format  int
	payload string // with the mark in place of %s
	// under says with which COAP_AUTO_CREATE it is poison; empty: with any.
	under string
}

// poisons are what a device can send.
var poisons = map[string]poison{
	"not JSON":     {reason: "undecodable", format: 50, payload: `{"mark":"%s"`},
	"reserved":     {reason: "reserved", format: 50, payload: `{"_coap":"%s"}`},
	"too deep":     {reason: "too-deep", format: 50, payload: `{"a":{"b":{"c":{"d":{"e":{"f":{"g":"%s"}}}}}}}`},
	"too wide":     {reason: "too-many-fields", format: 50, payload: wide()},
	"other format": {reason: "content-format", format: 9999, payload: `%s`},
	"other type":   {reason: "type-conflict", path: "/stranger/" + registered, format: 50, payload: `{"mark":"%s"}`}, // is there already, as "byhand"
	"forbidden":    {reason: "type-not-allowed", path: "/forbidden/f1", format: 50, payload: `{"mark":"%s"}`},
	"retired":      {reason: "refused", path: "/retired/r1", format: 50, payload: `{"mark":"%s"}`, under: processor.CreateAny}, // its type is deprecated
	"new type":     {reason: "unknown-type", path: "/unheard/u1", format: 50, payload: `{"mark":"%s"}`, under: processor.CreateThings},
	"new thing":    {reason: "unknown-thing", path: "/th/nobody", format: 50, payload: `{"mark":"%s"}`, under: processor.CreateNone},
}

// wide is a report of more fields than a thing may have.
func wide() string {
	var b strings.Builder
	b.WriteString(`{"mark":"%s"`)
	for i := range 70 {
		fmt.Fprintf(&b, `,"w%d":1`, i)
	}
	return b.String() + "}"
}

// poison now and then sends, in place of reading n, what can never be applied.
func (d *device) poison(n int) bool {
	w := d.world
	if _, plain := d.radio.(*plain); !plain || n == 0 || !w.chance.happens("poison "+d.name, 0.1) {
		return false
	}
	kinds := slices.DeleteFunc(slices.Sorted(maps.Keys(poisons)), func(kind string) bool {
		under := poisons[kind].under
		return under != "" && under != w.plan.create
	})
	kind := kinds[w.chance.below("poison "+d.name, len(kinds))]
	p := poisons[kind]
	if p.path == "" {
		p.path = "/" + d.thingType + "/" + d.name
	}
	mark := fmt.Sprintf("poison-%s-%d-", d.name, n)
	w.poison(mark, p.reason)
	w.count("poison: " + kind)
	d.rest(d.radio.report(saying{p.path, fmt.Appendf(nil, p.payload, mark), p.format, func() { w.poisonAcked(mark) }}))
	return true
}

// plant puts poison straight into the primary queue, as if it had been acknowledged.
func (w *world) plant(thingType, thing, mark, reason, payload string, at time.Time) {
	w.poison(mark, reason)
	w.poisonAcked(mark)
	w.inject(thingType, thing, fmt.Sprintf(payload, mark), at)
}
