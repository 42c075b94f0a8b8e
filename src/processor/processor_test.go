package processor

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iot"

	"coap-for-aws-iot/src/envelope"
)

// A report of each format reaches the shadow of a thing that did not exist.
func TestFormatsReachTheShadow(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		thing, payload, want string
		format               int
	}{
		{"json", `{"t":21.50}`, `{"t":21.50}`, formatJSON},
		{"scalar", `7`, `{"value":7}`, formatJSON},
		{"text", "21.5 C", `{"text":"21.5 C"}`, formatText},
		{"json-text", ` {"t":1}`, `{"t":1}`, envelope.NoFormat},
		{"octets", "\x00\xff", `{"base64":"AP8="}`, formatOctets},
		{"cbor", "\xa1\x61t\xfa\x41\xac\x00\x00", `{"t":21.5}`, formatCBOR},
		{"senml", `[{"bn":"dev:","n":"t","u":"Cel","v":21.5}]`, `{"dev:t":21.5}`, formatSenMLJSON},
		{"senml-cbor", "\x81\xa2\x00\x61t\x02\x17", `{"t":23}`, formatSenMLCBOR},
	} {
		r := says(at0, tt.payload)
		r.ID, r.Format = tt.thing, tt.format
		w.send(r)
		defer func() { w.expect(tt.thing, tt.want) }()
	}
	if failed := w.run(); len(failed) > 0 {
		t.Errorf("failed: %v", failed)
	}
	w.expectCounts("applied 8")
	out, err := w.iot.DescribeThing(context.Background(), &iot.DescribeThingInput{ThingName: &[]string{"cbor"}[0]})
	if err != nil || *out.ThingTypeName != "th" {
		t.Errorf("thing: %+v, %v", out, err)
	}
}

// A poison report goes to the dead-letter queue alone, with its reason; the others
// of its bundle are applied.
func TestPoisonGoesAlone(t *testing.T) {
	w := newWorld(t)
	bad := says(at0, `{"t":`)
	w.send(says(at0, `{"t":1}`), bad, says(at0+1, `{"h":2}`))
	w.put(w.cfg.QueueURL, "not a bundle")
	if failed := w.run(); len(failed) > 0 {
		t.Errorf("failed: %v", failed)
	}
	w.expect("a1", `{"h":2,"t":1}`)
	w.expectCounts("applied 2 poison 2")
	dead := w.receive(w.cfg.DLQURL)
	if len(dead) != 2 {
		t.Fatalf("%d dead letters", len(dead))
	}
	if dead[0].Body != string(bundleOf("use1-a", bad)) {
		dead[0], dead[1] = dead[1], dead[0]
	}
	if got, want := dead[0].Body, string(bundleOf("use1-a", bad)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := attribute(dead[0], envelope.AttributeReason); got != "undecodable: JSON: EOF" {
		t.Errorf("reason %q", got)
	}
	if attribute(dead[0], envelope.AttributeFirstSent) == "" || attribute(dead[0], envelope.AttributeAttempt) != "" {
		t.Errorf("attributes %v", dead[0].MessageAttributes)
	}
	if got := dead[1].Body; got != "not a bundle" {
		t.Errorf("got %q", got)
	}
}
