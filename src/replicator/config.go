package replicator

import "coap-for-aws-iot/src/environ"

// A Config says between which queues a replicator forwards. All fields are required.
type Config struct {
	QueueURL        string // of this region's queue, whose event source calls Handle
	PrimaryQueueURL string
	PrimaryRegion   string // AWS region of the primary queue: a client signs for one region only
}

// FromEnviron reads COAP_QUEUE_URL, COAP_PRIMARY_QUEUE_URL and COAP_PRIMARY_REGION.
// Faults are kept in e.
func FromEnviron(e *environ.Environ) Config {
	return Config{
		QueueURL:        e.Required("COAP_QUEUE_URL", "the URL of this region's queue"),
		PrimaryQueueURL: e.Required("COAP_PRIMARY_QUEUE_URL", "the URL of the primary region's queue"),
		PrimaryRegion:   e.Required("COAP_PRIMARY_REGION", "the primary region, such as us-east-1"),
	}
}
