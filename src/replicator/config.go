package replicator

import (
	"coap-for-aws-iot/src/environ"
	"coap-for-aws-iot/src/queue"
)

// A Config says between which queues a replicator forwards. All fields are required.
type Config struct {
	QueueURL        string // of this region's queue, whose event source calls Handle
	PrimaryQueueURL string
	PrimaryRegion   string // AWS region of the primary queue: a client signs for one region only
}

// FromEnviron reads COAP_QUEUE_URL, COAP_PRIMARY_QUEUE_URL, COAP_PRIMARY_REGION and
// AWS_REGION. Faults are kept in e.
func FromEnviron(e *environ.Environ) Config {
	c := Config{
		QueueURL:        e.URL("COAP_QUEUE_URL", "the URL of this region's queue"),
		PrimaryQueueURL: e.URL("COAP_PRIMARY_QUEUE_URL", "the URL of the primary region's queue"),
		PrimaryRegion:   e.Required("COAP_PRIMARY_REGION", "the primary region, such as us-east-1"),
	}
	if region := e.String("AWS_REGION", ""); queue.Elsewhere(c.QueueURL, region) {
		e.Fault("COAP_QUEUE_URL", "a queue in AWS_REGION, "+region)
	}
	if queue.Elsewhere(c.PrimaryQueueURL, c.PrimaryRegion) {
		e.Fault("COAP_PRIMARY_QUEUE_URL", "a queue in COAP_PRIMARY_REGION, "+c.PrimaryRegion)
	}
	return c
}
