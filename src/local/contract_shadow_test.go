package local

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
)

func (p *probe) update(thing, payload string) (map[string]any, error) {
	if p.register != nil {
		p.register(*p.name(thing))
	}
	return updateShadow(p, p.clients, *p.name(thing), payload)
}

// updated is the answer to an update that must succeed.
func (p *probe) updated(payload string) map[string]any {
	p.Helper()
	out, err := p.update("a", payload)
	if err != nil {
		p.Fatal(err)
	}
	return out
}

func (p *probe) shadow(thing string) map[string]any {
	p.Helper()
	return getShadow(p, p.clients, *p.name(thing))
}

// same compares a part of a document, by its path, with JSON. Empty JSON: there is none.
func (p *probe) same(what string, doc map[string]any, path, want string) {
	p.Helper()
	var got any = doc
	for _, key := range strings.Split(path, ".") {
		o, _ := got.(map[string]any)
		got = o[key]
	}
	var wanted any
	if want != "" {
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			p.Fatal(err)
		}
	}
	if !reflect.DeepEqual(got, wanted) {
		p.Errorf("%s: %s is %v, want %v", what, path, got, wanted)
	}
}

// nested is n objects in each other with a number in the last.
func nested(n int) string {
	return strings.Repeat(`{"k":`, n) + "1" + strings.Repeat("}", n)
}

func (p *probe) deleteShadow(thing string) error {
	return errorOf(p.data.DeleteThingShadow(p.Context(), &iotdataplane.DeleteThingShadowInput{ThingName: p.name(thing)}))
}

func (p *probe) getError(thing string) error {
	return errorOf(p.data.GetThingShadow(p.Context(), &iotdataplane.GetThingShadowInput{ThingName: p.name(thing)}))
}

var shadowRules = []rule{
	{"shadow-of-unregistered-thing", func(p *probe) {
		p.register = nil
		p.updated(`{"state":{"reported":{"t":1}}}`)
		p.same("document", p.shadow("a"), "state", `{"reported":{"t":1}}`)
		_, err := p.iot.DescribeThing(p.Context(), &iot.DescribeThingInput{ThingName: p.name("a")})
		wantError(p, "describe", err, "ResourceNotFoundException", 404)
	}},
	{"shadow-does-not-exist", func(p *probe) {
		wantError(p, "get", p.getError("a"), "ResourceNotFoundException", 404)
		wantError(p, "delete", p.deleteShadow("a"), "ResourceNotFoundException", 404)
	}},
	{"shadow-merge", func(p *probe) {
		p.updated(`{"state":{"reported":{"color":{"r":255,"g":255,"b":0},"on":true}}}`)
		p.updated(`{"state":{"reported":{"color":{"r":10},"engine":"ON"}}}`)
		p.same("document", p.shadow("a"), "state.reported", `{"color":{"r":10,"g":255,"b":0},"on":true,"engine":"ON"}`)
		p.updated(`{"state":{"reported":{"color":"red","on":{"since":5}}}}`)
		p.same("other kinds", p.shadow("a"), "state.reported", `{"color":"red","on":{"since":5},"engine":"ON"}`)
	}},
	{"shadow-null-deletes", func(p *probe) {
		p.updated(`{"state":{"reported":{"color":{"r":1,"g":2},"on":true}}}`)
		p.updated(`{"state":{"reported":{"color":{"r":null,"x":null},"on":null,"none":null,"new":{"x":null}}}}`)
		p.same("document", p.shadow("a"), "state.reported", `{"color":{"g":2}}`)
	}},
	{"shadow-null-section", func(p *probe) {
		p.updated(`{"state":{"desired":{"color":"blue"},"reported":{"color":"red"}}}`)
		p.updated(`{"state":{"desired":null}}`)
		p.same("document", p.shadow("a"), "state", `{"reported":{"color":"red"}}`)
		p.same("document", p.shadow("a"), "metadata.desired", ``)
	}},
	{"shadow-empty", func(p *probe) {
		p.updated(`{"state":{"reported":{"a":1}}}`)
		p.updated(`{"state":{"reported":{"a":null}}}`)
		p.same("document", p.shadow("a"), "state", `{}`)
		equalTo(p, "version", p.shadow("a")["version"], 2.0)
	}},
	{"shadow-empty-objects-stay", func(p *probe) {
		p.updated(`{"state":{"desired":{"a":1,"b":{"c":3}}}}`)
		p.updated(`{"state":{"desired":{"b":{"c":{}},"d":{}}}}`)
		p.same("document", p.shadow("a"), "state.desired", `{"a":1,"b":{"c":{}},"d":{}}`)
		p.updated(`{"state":{"reported":{}}}`)
		p.same("an empty section does not", p.shadow("a"), "state.reported", ``)
	}},
	{"shadow-state-null", func(p *probe) {
		p.updated(`{"state":{"desired":{"a":1},"reported":{"b":1}}}`)
		p.updated(`{"state":null}`)
		p.same("document", p.shadow("a"), "state", `{}`)
		equalTo(p, "version", p.shadow("a")["version"], 2.0)
	}},
	{"shadow-arrays", func(p *probe) {
		p.updated(`{"state":{"desired":{"colors":["RED","GREEN","BLUE"]}}}`)
		p.updated(`{"state":{"desired":{"colors":["RED"]}}}`)
		p.same("document", p.shadow("a"), "state.desired", `{"colors":["RED"]}`)
	}},
	{"shadow-array-null", func(p *probe) {
		_, err := p.update("a", `{"state":{"desired":{"colors":[null,"RED"]}}}`)
		wantError(p, "null in an array", err, "InvalidRequestException", 400)
	}},
	{"shadow-delta", func(p *probe) {
		p.updated(`{"state":{"desired":{"lights":{"color":{"r":255,"g":255}},"state":"STOP","list":[1,2],"same":1},
			"reported":{"lights":{"color":{"r":255,"g":0}},"engine":"ON","list":[1],"same":1}}}`)
		p.same("document", p.shadow("a"), "state.delta", `{"lights":{"color":{"g":255}},"state":"STOP","list":[1,2]}`)
		p.updated(`{"state":{"reported":{"lights":{"color":{"g":255}},"state":"STOP","list":[1,2]}}}`)
		p.same("no difference", p.shadow("a"), "state.delta", ``)
	}},
	{"shadow-delta-metadata", func(p *probe) {
		p.updated(`{"state":{"desired":{"color":"RED"}}}`)
		doc := p.shadow("a")
		want, _ := json.Marshal(doc["metadata"].(map[string]any)["desired"])
		p.same("document", doc, "metadata.delta", string(want))
	}},
	{"shadow-answer", func(p *probe) {
		got := p.updated(`{"state":{"reported":{"a":1,"b":2}},"clientToken":"token"}`)
		p.same("first answer", got, "state", `{"reported":{"a":1,"b":2}}`)
		equalTo(p, "clientToken", got["clientToken"], "token")
		got = p.updated(`{"state":{"reported":{"b":3}}}`)
		p.same("second answer: only what was sent", got, "state", `{"reported":{"b":3}}`)
		p.same("second answer: its metadata", got, "metadata", fmt.Sprintf(`{"reported":{"b":{"timestamp":%v}}}`, int64(got["timestamp"].(float64))))
		equalTo(p, "version", got["version"], 2.0)
		equalTo(p, "clientToken", got["clientToken"], nil)
	}},
	{"shadow-metadata", func(p *probe) {
		first := p.updated(`{"state":{"reported":{"a":1,"b":{"c":[1,2]}}}}`)["timestamp"].(float64)
		p.sleep(1100 * time.Millisecond)
		second := p.updated(`{"state":{"reported":{"a":1}}}`)["timestamp"].(float64)
		if second < first+1 {
			p.Errorf("the second update is %v s after the first", second-first)
		}
		p.same("document", p.shadow("a"), "metadata.reported", fmt.Sprintf(
			`{"a":{"timestamp":%d},"b":{"c":[{"timestamp":%d},{"timestamp":%d}]}}`, int64(second), int64(first), int64(first)))
	}},
	{"shadow-version", func(p *probe) {
		p.updated(`{"state":{"reported":{"a":1}}}`)
		p.updated(`{"state":{"reported":{"a":1}}}`) // the same again counts too
		for _, version := range []int{1, 3} {
			_, err := p.update("a", fmt.Sprintf(`{"state":{"reported":{"a":2}},"version":%d}`, version))
			wantError(p, fmt.Sprint("version ", version), err, "ConflictException", 409)
		}
		equalTo(p, "version after", p.updated(`{"state":{"reported":{"a":2}},"version":2}`)["version"], 3.0)
		_, err := p.update("b", `{"state":{"reported":{"a":2}},"version":1}`)
		wantError(p, "version 1 of no shadow", err, "ConflictException", 409)
	}},
	{"shadow-version-after-delete", func(p *probe) {
		p.updated(`{"state":{"reported":{"a":1}}}`)
		p.updated(`{"state":{"reported":{"a":2}}}`)
		out, err := p.data.DeleteThingShadow(p.Context(), &iotdataplane.DeleteThingShadowInput{ThingName: p.name("a")})
		p.fine(out, err)
		equalTo(p, "version in the answer", parse(p, out.Payload)["version"], 3.0)
		wantError(p, "get", p.getError("a"), "ResourceNotFoundException", 404)
		_, err = p.update("a", `{"state":{"reported":{"b":1}},"version":2}`)
		wantError(p, "the version before it was deleted", err, "ConflictException", 409)
		equalTo(p, "version", p.updated(`{"state":{"reported":{"b":1}}}`)["version"], 4.0)
		p.same("nothing of before", p.shadow("a"), "state", `{"reported":{"b":1}}`)
	}},
	{"shadow-version-two-days-after-delete", func(p *probe) {
		p.updated(`{"state":{"reported":{"a":1}}}`)
		p.fine(nil, p.deleteShadow("a"))
		p.sleep(48 * time.Hour)
		equalTo(p, "version", p.updated(`{"state":{"reported":{"b":1}}}`)["version"], 1.0)
	}},
	{"shadow-invalid", func(p *probe) {
		for _, bad := range []string{
			``, `x`, `[]`, `{"state":{"reported":{"a":1}}} x`, `{}`, `{"state":1}`, `{"state":{"reported":1}}`, `{"state":{"desired":[]}}`,
			`{"state":{"other":{}}}`, `{"state":{"reported":{}},"version":"1"}`, `{"state":{"reported":{}},"version":1.5}`,
			`{"state":{"reported":{}},"clientToken":5}`,
			`{"state":{"reported":{}},"clientToken":"` + strings.Repeat("t", 65) + `"}`,
		} {
			_, err := p.update("a", bad)
			wantError(p, bad, err, "InvalidRequestException", 400)
		}
		p.updated(`{"state":{"reported":{"a":1}},"clientToken":"` + strings.Repeat("t", 64) + `"}`)
	}},
	{"shadow-encoding", func(p *probe) {
		_, err := p.update("a", "{\"state\":{\"reported\":{\"a\":\"\xff\"}}}")
		wantError(p, "not UTF-8", err, "UnsupportedDocumentEncodingException", 415)
	}},
	{"shadow-outside-is-ignored", func(p *probe) {
		p.updated(`{"state":{"reported":{"a":1}},"note":"x","metadata":{"reported":{"a":{"timestamp":1}}}}`)
		doc := p.shadow("a")
		p.same("document", doc, "note", ``)
		if at := doc["metadata"].(map[string]any)["reported"].(map[string]any)["a"].(map[string]any)["timestamp"]; at == 1.0 {
			p.Error("the timestamp is the caller's")
		}
	}},
	{"shadow-depth", func(p *probe) { // reported, and five below it
		p.updated(`{"state":{"reported":` + nested(6) + `}}`)
		_, err := p.update("a", `{"state":{"reported":`+nested(7)+`}}`)
		wantError(p, "a level more", err, "InvalidRequestException", 400)
	}},
	{"shadow-size", func(p *probe) {
		fill := func(n int) string {
			return `{"state":{"reported":{"a":"` + strings.Repeat("x", n-len(`{"a":""}`)) + `"}}}`
		}
		p.updated(fill(8192))
		_, err := p.update("b", fill(8193))
		wantError(p, "8193 bytes", err, "RequestEntityTooLargeException", 413)
		_, err = p.update("a", `{"state":{"desired":{"b":1}}}`)
		wantError(p, "together more", err, "RequestEntityTooLargeException", 413)
		equalTo(p, "version", p.shadow("a")["version"], 1.0)
		p.updated(`{"state":{"reported":{"a":null}}}`)
	}},
	{"shadow-names", func(p *probe) {
		for _, bad := range []string{"a b", "a.b", strings.Repeat("n", 129)} {
			_, err := updateShadow(p, p.clients, bad, `{"state":{"reported":{"a":1}}}`)
			wantError(p, bad, err, "InvalidRequestException", 400)
		}
	}},
	{"shadow-named", func(p *probe) {
		ctx, thing := p.Context(), p.name("a")
		p.updated(`{"state":{"reported":{"which":"classic"}}}`)
		for _, name := range []string{"two", "one", "$x:_-"} {
			p.fine(p.data.UpdateThingShadow(ctx, &iotdataplane.UpdateThingShadowInput{ThingName: thing, ShadowName: &name, Payload: []byte(`{"state":{"reported":{"which":"` + name + `"}}}`)}))
		}
		out, err := p.data.GetThingShadow(ctx, &iotdataplane.GetThingShadowInput{ThingName: thing, ShadowName: aws.String("one")})
		p.fine(out, err)
		p.same("named", parse(p, out.Payload), "state.reported.which", `"one"`)
		p.same("classic", p.shadow("a"), "state.reported.which", `"classic"`)
		p.fine(p.data.DeleteThingShadow(ctx, &iotdataplane.DeleteThingShadowInput{ThingName: thing, ShadowName: aws.String("two")}))
		list, err := p.data.ListNamedShadowsForThing(ctx, &iotdataplane.ListNamedShadowsForThingInput{ThingName: thing})
		p.fine(list, err)
		slices.Sort(list.Results)
		equalTo(p, "names", strings.Join(list.Results, " "), "$x:_- one")
		long := strings.Repeat("n", 65)
		_, err = p.data.UpdateThingShadow(ctx, &iotdataplane.UpdateThingShadowInput{ThingName: thing, ShadowName: &long, Payload: []byte(`{"state":{"reported":{}}}`)})
		wantError(p, "65 characters", err, "InvalidRequestException", 400)
	}},
	{"shadow-named-list", func(p *probe) {
		ctx, thing := p.Context(), p.name("b")
		out, err := p.data.ListNamedShadowsForThing(ctx, &iotdataplane.ListNamedShadowsForThingInput{ThingName: thing})
		p.fine(out, err)
		equalTo(p, "shadows of a thing that does not exist", len(out.Results), 0)
		p.updated(`{"state":{"reported":{}}}`)
		thing = p.name("a")
		for i := range 3 {
			p.fine(p.data.UpdateThingShadow(ctx, &iotdataplane.UpdateThingShadowInput{ThingName: thing, ShadowName: aws.String(fmt.Sprint("s", i)), Payload: []byte(`{"state":{"reported":{}}}`)}))
		}
		in := &iotdataplane.ListNamedShadowsForThingInput{ThingName: thing, PageSize: aws.Int32(2)}
		first, err := p.data.ListNamedShadowsForThing(ctx, in)
		p.fine(first, err)
		in.NextToken = first.NextToken
		second, err := p.data.ListNamedShadowsForThing(ctx, in)
		p.fine(second, err)
		equalTo(p, "pages", fmt.Sprint(first.Results, second.Results, second.NextToken == nil), "[s0 s1] [s2] true")
	}},
	{"shadow-of-another-region", func(p *probe) {
		p.updated(`{"state":{"reported":{"a":1}}}`)
		_, err := p.eu.data.GetThingShadow(p.Context(), &iotdataplane.GetThingShadowInput{ThingName: p.name("a")})
		wantError(p, "in eu-west-1", err, "ResourceNotFoundException", 404)
	}},
}

func (p *probe) publish(topic string) error {
	return errorOf(p.data.Publish(p.Context(), &iotdataplane.PublishInput{Topic: &topic, Payload: []byte("payload")}))
}

var publishRules = []rule{
	{"publish-topics", func(p *probe) {
		p.fine(nil, p.publish("a/b/c/d/e/f/g/h"))
		p.fine(nil, p.publish(strings.Repeat("t", 256)))
		p.refused("InvalidRequestException", 400, map[string]error{
			"eight slashes":  p.publish("a/b/c/d/e/f/g/h/i"),
			"257 bytes":      p.publish(strings.Repeat("t", 257)),
			"wildcard":       p.publish("a/+/c"),
			"other wildcard": p.publish("a/#"),
		})
	}},
	{"publish-basic-ingest", func(p *probe) {
		p.fine(nil, p.publish("$aws/rules/rule/"+strings.Repeat("t", 256)))
		p.fine(nil, p.publish("$aws/rules/rule/a/b/c/d/e/f/g/h"))
		wantError(p, "eight slashes after the rule", p.publish("$aws/rules/rule/a/b/c/d/e/f/g/h/i"), "InvalidRequestException", 400)
	}},
}
