package function

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"coap-for-aws-iot/src/environ"
)

// All faults come at once; a name that nobody knows is a warning, since Lambda changes a
// function's configuration before its code.
func TestOpen(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("COAP_LATER", "1")
	read := func(e *environ.Environ) string {
		return e.Required("COAP_ONE", "one") + e.Required("COAP_TWO", "two")
	}
	build := func(cfg string, c aws.Config) any { return cfg + " " + c.Region }
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	if _, err := open(log, read, build); err == nil || !strings.Contains(err.Error(), "COAP_ONE") || !strings.Contains(err.Error(), "COAP_TWO") {
		t.Errorf("got %v", err)
	}
	t.Setenv("COAP_ONE", "1")
	t.Setenv("COAP_TWO", "2")
	if handler, err := open(log, read, build); err != nil || handler != "12 eu-west-1" {
		t.Errorf("got %v, %v", handler, err)
	}
	if !strings.Contains(said.String(), "COAP_LATER") {
		t.Errorf("said %s", &said)
	}
}
