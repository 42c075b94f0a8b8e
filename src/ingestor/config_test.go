package ingestor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"coap-for-aws-iot/src/environ"
)

func TestConfig(t *testing.T) {
	e := environ.New([]string{"COAP_NAME=use1-a", "AWS_REGION=us-east-1", "COAP_QUEUE_URL=https://sqs.us-east-1.amazonaws.com/1/q"})
	c := FromEnviron(e)
	if err := e.ErrStrict(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Listen, []string{":5683"}) || c.Linger != 5*time.Millisecond || c.DedupMiB != 64 || c.Sockets != 1 || c.Admin != "127.0.0.1:9683" || c.RequireClock {
		t.Errorf("defaults: %+v", c)
	}
}

func TestConfigFaults(t *testing.T) {
	e := environ.New([]string{"COAP_LINGER=1h", "COAP_ADMIN=0.0.0.0:9683", "COAP_LISTEN=:5683,5684", "COAP_ALLOWED_TYPES=th,a b", "COAP_LISTN=:5683"})
	FromEnviron(e)
	err := e.ErrStrict()
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{"COAP_NAME is not set", "AWS_REGION is not set", "COAP_QUEUE_URL is not set", `COAP_LINGER="1h"`, `COAP_ADMIN="0.0.0.0:9683"`, `COAP_LISTEN=":5683,5684"`, `COAP_ALLOWED_TYPES="th,a b"`, "COAP_LISTN is not a variable"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the faults:\n%v", want, err)
		}
	}
}

// A queue that no report can reach must not be noticed by devices first, and a list of no
// types must not be one of all.
func TestConfigThatCannotWork(t *testing.T) {
	for _, tt := range []struct{ variable, want string }{
		{"COAP_QUEUE_URL=foo", `COAP_QUEUE_URL="foo": want the URL of this region's SQS queue, such as https://sqs.`},
		{"COAP_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/1/q", `want a queue in AWS_REGION, us-east-1`},
		{"COAP_FALLBACK_QUEUE_URL=foo", `COAP_FALLBACK_QUEUE_URL="foo": want the URL of the other region's queue, such as https://sqs.`},
		{"COAP_ALLOWED_TYPES=,", `COAP_ALLOWED_TYPES=",": want a list`},
		{"COAP_LISTEN=,", `COAP_LISTEN=",": want a list`},
	} {
		e := environ.New([]string{"COAP_NAME=use1-a", "AWS_REGION=us-east-1", "COAP_QUEUE_URL=https://q/1/q", "COAP_FALLBACK_REGION=eu-west-1", "COAP_FALLBACK_QUEUE_URL=https://f/1/q", tt.variable})
		FromEnviron(e)
		if err := e.ErrStrict(); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.variable, err, tt.want)
		}
	}
}

// A fallback without a region of its own would be this region's queue once more.
func TestFallbackConfig(t *testing.T) {
	const there = "https://sqs.eu-west-1.amazonaws.com/000000000000/reports"
	for _, tt := range []struct {
		name, url, region string
		want              string // region
		fault             string
	}{
		{"none", "", "", "", ""},
		{"the URL tells", there, "", "eu-west-1", ""},
		{"the lab's URL tells", "http://127.0.0.1:4566/eu-west-1/000000000000/coap-reports", "", "eu-west-1", ""},
		{"both tell", there, "eu-west-1", "eu-west-1", ""},
		{"only the region tells", "https://sqs.example.com/000000000000/reports", "eu-west-1", "eu-west-1", ""},
		{"nobody tells", "https://sqs.example.com/000000000000/reports", "", "", `COAP_FALLBACK_REGION="": want the region of the queue in COAP_FALLBACK_QUEUE_URL, such as eu-west-1`},
		{"they differ", there, "eu-central-1", "eu-central-1", `COAP_FALLBACK_REGION="eu-central-1": want nothing, or the region in COAP_FALLBACK_QUEUE_URL: eu-west-1`},
		{"its own region", "https://sqs.us-east-1.amazonaws.com/000000000000/reports", "", "us-east-1", "want a queue in another region than AWS_REGION, us-east-1"},
		{"a region without a queue", "", "eu-west-1", "eu-west-1", `COAP_FALLBACK_QUEUE_URL="": want the URL of the queue in COAP_FALLBACK_REGION`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := environ.New([]string{"COAP_NAME=use1-a", "AWS_REGION=us-east-1", "COAP_QUEUE_URL=https://sqs.us-east-1.amazonaws.com/1/q", "COAP_FALLBACK_QUEUE_URL=" + tt.url, "COAP_FALLBACK_REGION=" + tt.region})
			c := FromEnviron(e)
			if c.FallbackQueueURL != tt.url || c.FallbackRegion != tt.want {
				t.Errorf("%q in %q", c.FallbackQueueURL, c.FallbackRegion)
			}
			switch err := e.ErrStrict(); {
			case err == nil && tt.fault != "":
				t.Errorf("no fault, want %s", tt.fault)
			case err != nil && (tt.fault == "" || !strings.Contains(err.Error(), tt.fault)):
				t.Errorf("fault %v, want %q", err, tt.fault)
			}
		})
	}
}
