package ingestor

import (
	"net"
	"net/netip"
	"time"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/environ"
	"coap-for-aws-iot/src/queue"
)

// Config is what an ingestor is told by its environment. README.md has the table.
type Config struct {
	Listen   []string // COAP_LISTEN: UDP addresses
	Sockets  int      // COAP_SOCKETS: per address, each with a reader of its own
	Name     string   // COAP_NAME, such as use1-a
	Region   string   // AWS_REGION
	QueueURL string   // COAP_QUEUE_URL
	// FallbackQueueURL is COAP_FALLBACK_QUEUE_URL, the other region's queue; empty: none.
	// FallbackRegion is COAP_FALLBACK_REGION, or what that URL says.
	FallbackQueueURL, FallbackRegion string

	Linger        time.Duration // COAP_LINGER, see queue.Options
	DedupMiB      int           // COAP_DEDUP_MIB: size of the duplicate table
	IgnoreSources []netip.Addr  // COAP_IGNORE_SOURCES: the other ingestors, nobody else speaks from there
	AllowedTypes  []string      // COAP_ALLOWED_TYPES; empty: any
	RequireClock  bool          // COAP_REQUIRE_CLOCK: 5.03 while the kernel's clock is not synchronised
	Admin         string        // COAP_ADMIN: loopback TCP address
	LogGroup      string        // COAP_LOG_GROUP: of CloudWatch, for log and metrics too; empty: none

	// Clock is the host's, unless a test brings another.
	Clock Clock
}

// A Clock tells the receive time of reports, and whether it may be believed. All other
// times of an ingestor are differences, by the monotonic clock of package time.
type Clock struct {
	Now          func() time.Time
	Synchronised func() bool // asked once a second, if RequireClock, and by metrics
}

// FromEnviron reads the configuration; its faults are e's.
func FromEnviron(e *environ.Environ) Config {
	c := Config{
		Listen:        e.ListOf("COAP_LISTEN", ":5683", validAddress, "UDP addresses, separated by commas, such as :5683"),
		Sockets:       e.Int("COAP_SOCKETS", 1, 1, 64),
		Name:          e.Required("COAP_NAME", "a name for this ingestor, such as use1-a"),
		Region:        e.Required("AWS_REGION", "the region of the queue, such as us-east-1"),
		QueueURL:      e.URL("COAP_QUEUE_URL", "the URL of this region's SQS queue"),
		Linger:        e.Duration("COAP_LINGER", 5*time.Millisecond, 0, 500*time.Millisecond),
		DedupMiB:      e.Int("COAP_DEDUP_MIB", 64, 1, 4096),
		IgnoreSources: e.Addrs("COAP_IGNORE_SOURCES"),
		AllowedTypes:  e.ListOf("COAP_ALLOWED_TYPES", "", envelope.ValidName, "thing types, separated by commas"),
		RequireClock:  e.Bool("COAP_REQUIRE_CLOCK", false),
		Admin:         e.String("COAP_ADMIN", "127.0.0.1:9683"),
		LogGroup:      e.String("COAP_LOG_GROUP", ""),
		Clock:         Clock{Now: time.Now, Synchronised: clockSynchronised},
	}
	if queue.Elsewhere(c.QueueURL, c.Region) {
		e.Fault("COAP_QUEUE_URL", "a queue in AWS_REGION, "+c.Region)
	}
	host, _, err := net.SplitHostPort(c.Admin)
	if addr, parseErr := netip.ParseAddr(host); err != nil || parseErr != nil || !addr.IsLoopback() {
		e.Fault("COAP_ADMIN", "a loopback address and port, such as 127.0.0.1:9683: it has no authentication")
	}
	c.readFallback(e)
	return c
}

func validAddress(address string) bool {
	_, _, err := net.SplitHostPort(address)
	return err == nil
}

// readFallback insists on a region that is known and another one: a client that signs
// for its own would find its own queue, and nobody would notice before that fails.
func (c *Config) readFallback(e *environ.Environ) {
	const fallback = "COAP_FALLBACK_QUEUE_URL"
	if c.FallbackQueueURL = e.String(fallback, ""); c.FallbackQueueURL != "" {
		e.URL(fallback, "the URL of the other region's queue")
	}
	inURL := queue.RegionOf(c.FallbackQueueURL)
	c.FallbackRegion = e.String("COAP_FALLBACK_REGION", inURL)
	switch {
	case c.FallbackQueueURL == "" && c.FallbackRegion != "":
		e.Fault("COAP_FALLBACK_QUEUE_URL", "the URL of the queue in COAP_FALLBACK_REGION, or neither of the two")
	case c.FallbackQueueURL == "":
	case c.FallbackRegion == "":
		e.Fault("COAP_FALLBACK_REGION", "the region of the queue in COAP_FALLBACK_QUEUE_URL, such as eu-west-1, because that URL does not tell it")
	case inURL != "" && inURL != c.FallbackRegion:
		e.Fault("COAP_FALLBACK_REGION", "nothing, or the region in COAP_FALLBACK_QUEUE_URL: "+inURL)
	case c.FallbackRegion == c.Region:
		e.Fault("COAP_FALLBACK_QUEUE_URL", "a queue in another region than AWS_REGION, "+c.Region)
	}
}
