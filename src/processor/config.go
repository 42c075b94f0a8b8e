package processor

import (
	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/environ"
	"coap-for-aws-iot/src/queue"
)

// What a processor may add to the registry for a report of a thing that is new.
const (
	CreateAny    = "any"    // thing types and things
	CreateThings = "things" // things, but only of types that exist
	CreateNone   = "none"   // nothing: someone else registers things
)

// A Config says what a processor works with.
type Config struct {
	QueueURL string // of the primary queue, whose event source calls Handle
	DLQURL   string // of its dead-letter queue

	// IoTEndpoint is the URL of AWS IoT's data plane. Empty means that of the SDK's
	// own configuration (AWS_ENDPOINT_URL), and without that the account's, which
	// DescribeEndpoint tells.
	IoTEndpoint string

	AutoCreate      string   // CreateAny, CreateThings or CreateNone; empty means CreateAny
	CreatePerMinute int      // things that may be added per minute and container, see budget; 0: no limit
	AllowedTypes    []string // thing types that are accepted; empty: all

	// Publish is the topic that each report is published to, once or more, before it is
	// merged; {type} and {id} in it are the report's. Empty: reports are not published.
	Publish string

	// CacheBytes bounds what a container remembers of shadows between two events; 0 means
	// 64 MiB, which is what fits into the function's memory.
	CacheBytes int
}

// FromEnviron reads COAP_QUEUE_URL, COAP_DLQ_URL, COAP_IOT_ENDPOINT,
// COAP_AUTO_CREATE, COAP_CREATE_PER_MINUTE, COAP_ALLOWED_TYPES, COAP_PUBLISH and
// AWS_REGION. Faults are kept in e.
func FromEnviron(e *environ.Environ) Config {
	c := Config{
		QueueURL:        e.URL("COAP_QUEUE_URL", "the URL of the primary queue"),
		DLQURL:          e.URL("COAP_DLQ_URL", "the URL of the primary queue's dead-letter queue"),
		IoTEndpoint:     e.String("COAP_IOT_ENDPOINT", ""),
		AutoCreate:      e.OneOf("COAP_AUTO_CREATE", CreateAny, CreateThings, CreateNone),
		CreatePerMinute: e.Int("COAP_CREATE_PER_MINUTE", 0, 0, 1_000_000),
		AllowedTypes:    e.ListOf("COAP_ALLOWED_TYPES", "", envelope.ValidName, "thing types, separated by commas"),
		Publish:         e.String("COAP_PUBLISH", ""),
	}
	region := e.String("AWS_REGION", "")
	for _, q := range []struct{ name, url string }{{"COAP_QUEUE_URL", c.QueueURL}, {"COAP_DLQ_URL", c.DLQURL}} {
		if queue.Elsewhere(q.url, region) {
			e.Fault(q.name, "a queue in AWS_REGION, "+region)
		}
	}
	if c.Publish != "" && !validTopic(c.Publish) {
		e.Fault("COAP_PUBLISH", "a topic, such as coap/{type}/{id} or $aws/rules/RULE/{type}/{id}")
	}
	return c
}
