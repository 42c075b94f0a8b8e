package world

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"
)

// strangerToken is in each update that somebody else makes.
const strangerToken = "somebody"

// note is a reported field that no device has.
const note = "note"

// A stranger is what somebody else has written to shadows, by thing: an application sets
// desired, and now and then a reported field of its own. The processor leaves both alone.
type stranger map[string]*strange

type strange struct {
	desired map[string]any
	note    any // nil: none
}

// wrote enters an update of the stranger's: each names all that it has ever written.
func (s stranger) wrote(thing string, desired json.RawMessage, reported map[string]any) {
	of := s[thing]
	if of == nil {
		of = &strange{}
		s[thing] = of
	}
	if value, ok := reported[note]; ok {
		of.note = value
	}
	if desired == nil {
		return
	}
	of.desired = nil
	if err := json.Unmarshal(desired, &of.desired); err != nil {
		panic(err) // it is ours
	}
	for name, value := range of.desired {
		if value == nil {
			delete(of.desired, name)
		}
	}
}

// interfere writes to the devices' shadows until over is closed. A shadow may be there
// before its device has said anything.
func (w *world) interfere(over <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-over; cancel() }()
	defer cancel()
	for n := 1; ; n++ {
		if sleep(ctx, w.chance.between("somebody", time.Second, 80*time.Second)) != nil {
			return
		}
		state := map[string]any{}
		if w.chance.below("somebody", 4) > 0 {
			desired := map[string]any{"target": n, "mode": nil}
			if n%3 == 0 {
				desired["mode"] = fmt.Sprint("mode ", n)
			}
			state["desired"] = desired
		} else {
			reported := map[string]any{note: n}
			if n%5 == 0 {
				reported[note] = nil
			}
			state["reported"] = reported
		}
		body, err := json.Marshal(map[string]any{"state": state, "clientToken": strangerToken})
		if err != nil {
			panic(err)
		}
		path := "/things/" + deviceName(w.chance.below("somebody", w.plan.devices)) + "/shadow"
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://aws.invalid"+path, bytes.NewReader(body))
		if err != nil {
			panic(err)
		}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20000101/"+primary+"/iotdata/aws4_request")
		w.count("shadows written by somebody else")
		w.aws.RoundTrip(r) // what is refused is forgotten
	}
}

// checkStranger compares a shadow with what somebody else has written, and takes that away.
func (w *world) checkStranger(thing string, desired, reported map[string]any) {
	want := w.somebody[thing]
	if want == nil {
		want = &strange{}
	}
	if len(desired)+len(want.desired) > 0 && !reflect.DeepEqual(desired, want.desired) {
		w.faulty("%s: desired is %v, somebody wrote %v", thing, desired, want.desired)
	}
	if got := reported[note]; got != want.note {
		w.faulty("%s: the reported %s is %v, somebody wrote %v", thing, note, got, want.note)
	}
	delete(reported, note)
}

// mayHaveShadow reports whether the processor may write the shadow of a thing: something
// that is not poison at first sight was said of it.
func (w *world) mayHaveShadow(thing string) bool {
	return w.effects.things[thing] != nil || thing == heartbeat || hexed(thing) || strings.HasPrefix(thing, crowdName)
}
