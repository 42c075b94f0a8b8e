package processor

import (
	"testing"

	"coap-for-aws-iot/src/envelope"
)

// A type that is not allowed is refused before anything is created for it.
func TestAllowedTypes(t *testing.T) {
	w := newWorld(t)
	w.cfg.AllowedTypes = []string{"th"}
	w.restart()
	door := says(at0, `{"t":1}`)
	door.Type, door.ID = "door", "d1"
	w.send(says(at0, `{"t":1}`), door)
	w.run()
	w.expect("a1", `{"t":1}`)
	w.expect("d1", "")
	w.expectDead("type-not-allowed: door")
}

// A line that is no report does not spoil its bundle, and keeps its bytes.
func TestMalformedLine(t *testing.T) {
	w := newWorld(t)
	w.put(w.cfg.QueueURL, string(bundleOf("use1-a", says(at0, `{"t":1}`)))+"\n{\"at\":1,\"type\":\"th\"}")
	w.run()
	w.expect("a1", `{"t":1}`)
	dead := w.receive(w.cfg.DLQURL)
	want := string(envelope.AppendHeader(nil, envelope.Origin{Ingestor: "use1-a", Region: "us-east-1"})) + "\n{\"at\":1,\"type\":\"th\"}"
	if len(dead) != 1 || dead[0].Body != want {
		t.Errorf("dead letters %+v, want %s", dead, want)
	}
}

// A bundle without reports is done.
func TestEmptyBundle(t *testing.T) {
	w := newWorld(t)
	w.send()
	if failed := w.run(); len(failed) > 0 {
		t.Errorf("failed %v", failed)
	}
	w.expectDead("")
}
