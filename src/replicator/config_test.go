package replicator

import (
	"strings"
	"testing"

	"coap-for-aws-iot/src/environ"
)

func TestFromEnviron(t *testing.T) {
	e := environ.New([]string{
		"COAP_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/1/q", "COAP_PRIMARY_QUEUE_URL=https://sqs.us-east-1.amazonaws.com/1/q",
		"COAP_PRIMARY_REGION=us-east-1",
	})
	want := Config{
		QueueURL:        "https://sqs.eu-west-1.amazonaws.com/1/q",
		PrimaryQueueURL: "https://sqs.us-east-1.amazonaws.com/1/q",
		PrimaryRegion:   "us-east-1",
	}
	if got := FromEnviron(e); got != want || e.ErrStrict() != nil {
		t.Errorf("got %+v, %v", got, e.ErrStrict())
	}
	e = environ.New(nil)
	FromEnviron(e)
	for _, name := range []string{"COAP_QUEUE_URL", "COAP_PRIMARY_QUEUE_URL", "COAP_PRIMARY_REGION"} {
		if err := e.Err(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e = environ.New([]string{
		"AWS_REGION=eu-west-1", "COAP_QUEUE_URL=https://sqs.us-east-1.amazonaws.com/1/q",
		"COAP_PRIMARY_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/1/q", "COAP_PRIMARY_REGION=us-east-1",
	})
	FromEnviron(e)
	for _, want := range []string{
		`COAP_QUEUE_URL="https://sqs.us-east-1.amazonaws.com/1/q": want a queue in AWS_REGION, eu-west-1`,
		`COAP_PRIMARY_QUEUE_URL="https://sqs.eu-west-1.amazonaws.com/1/q": want a queue in COAP_PRIMARY_REGION, us-east-1`,
	} {
		if err := e.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
