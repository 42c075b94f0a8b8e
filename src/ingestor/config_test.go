package ingestor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"coap-for-aws-iot/src/environ"
)

func TestConfig(t *testing.T) {
	e := environ.New([]string{"COAP_NAME=use1-a", "AWS_REGION=us-east-1", "COAP_QUEUE_URL=u"})
	c := FromEnviron(e)
	if err := e.ErrStrict(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Listen, []string{":5683"}) || c.Linger != 5*time.Millisecond || c.DedupMiB != 64 || c.Sockets != 1 || c.Admin != "127.0.0.1:9683" || c.RequireClock {
		t.Errorf("defaults: %+v", c)
	}
}

func TestConfigFaults(t *testing.T) {
	e := environ.New([]string{"COAP_LINGER=1h", "COAP_ADMIN=0.0.0.0:9683", "COAP_LISTN=:5683"})
	FromEnviron(e)
	err := e.ErrStrict()
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{"COAP_NAME is not set", "AWS_REGION is not set", "COAP_QUEUE_URL is not set", `COAP_LINGER="1h"`, `COAP_ADMIN="0.0.0.0:9683"`, "COAP_LISTN is not a variable"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the faults:\n%v", want, err)
		}
	}
}
