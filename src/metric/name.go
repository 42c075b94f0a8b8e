package metric

// Of an ingestor, beside Received, Accepted, Stored and Acked.
const (
	Duplicates      = "duplicates"       // messages that were recognised as duplicates
	Refused         = "refused"          // messages that were not accepted, and those that a queue refuses for what they hold
	Unavailable     = "unavailable"      // reports that were told 5.03
	Unconfirmed     = "unconfirmed"      // of those: no queue has confirmed in time
	Unsent          = "unsent"           // replies that the kernel did not take
	KernelDrops     = "kernel_drops"     // datagrams that the kernel dropped because nobody read them in time
	FallbackBundles = "fallback_bundles" // bundles sent to the other region's queue
	FallbackStored  = "fallback_stored"  // reports that the other region's queue was the first to confirm
	LogDropped      = "log_dropped"      // lines that did not reach the log in CloudWatch

	QueueDown           = "queue_down"           // 1 while this region's queue gets only probes
	FallbackDown        = "fallback_down"        // 1 while the other region's queue gets only probes
	ClockUnsynchronised = "clock_unsynchronised" // 1 while the kernel's clock is not synchronised
	QueueHeldBytes      = "queue_held_bytes"     // bundles held, waiting and in flight
)

// Of an invocation of the processor, beside Applied.
const (
	Superseded = "superseded" // reports whose every field a newer report had set
	Duplicate  = "duplicate"  // reports whose effect was in the shadow before
	Poison     = "poison"     // reports put into the dead-letter queue; the log has the reasons
	Resent     = "resent"     // reports sent again, to be tried later
	Newer      = "newer"      // messages and reports left to a newer release: bundle or bookkeeping of an unknown version
	IoTCalls   = "iot_calls"
	Conflicts  = "conflicts" // writes that someone else was faster than
	Throttled  = "throttled" // calls beyond a quota of AWS IoT

	// ClockBehind counts reports whose ingestor's clock was more than 10 s behind the
	// queue's, or that an operator has redriven.
	ClockBehind = "clock_behind"
)

// Of an invocation of the processor or the replicator.
const (
	Stretched = "stretched" // messages that stay on the queue, their next receive put off

	// OldestWaiting is the age of the oldest report that could not be applied or
	// forwarded yet, in seconds: stretched messages are invisible to SQS's own
	// ApproximateAgeOfOldestMessage.
	OldestWaiting = "oldest_waiting"
)

// Of an invocation of the replicator, beside Forwarded and Refused.
const (
	Tried = "tried" // messages sent to the primary queue, whatever came of it; the others of an outage are not even tried

	// From the first SentTimestamp to the forwarding, of the reports forwarded in one
	// invocation, in milliseconds.
	LagMedian = "lag_p50"
	LagP99    = "lag_p99"
)

// Of a probe of one endpoint by the canary, beside Applied.
const (
	Answered  = "answered"   // 1 if the endpoint acknowledged the report, otherwise 0
	RoundTrip = "round_trip" // of the report and its acknowledgement, in milliseconds
	EndToEnd  = "end_to_end" // from the report to the shadow, in milliseconds
)

// Of an invocation of the canary.
const (
	Unanswered = "unanswered" // endpoints that did not acknowledge
	Unapplied  = "unapplied"  // endpoints whose report did not reach its shadow in time
	Untouched  = "untouched"  // queues whose attributes could not be read
)

// Dimensions of metrics in CloudWatch. Each metric has exactly one.
const (
	ByService  = "service"  // processor, replicator or canary
	ByIngestor = "ingestor" // its name, such as use1-a
	ByEndpoint = "endpoint" // the name of the address that the canary probes
)

// What reaches CloudWatch, by dimension and, for ByService, by service. What an alarm or a
// dashboard reads must be in here.
var (
	IngestorNames = []string{
		Received, Accepted, Stored, Acked, Duplicates, Refused, Unavailable, Unconfirmed, Unsent, KernelDrops,
		FallbackBundles, FallbackStored, QueueDown, FallbackDown, ClockUnsynchronised, QueueHeldBytes, LogDropped,
	}
	EndpointNames = []string{Answered, Applied, RoundTrip, EndToEnd}
	ServiceNames  = map[string][]string{
		"processor": {
			Applied, Superseded, Duplicate, Poison, Resent, Stretched, Newer, IoTCalls, Conflicts, Throttled,
			ClockBehind, OldestWaiting,
		},
		"replicator": {Forwarded, Stretched, Refused, Tried, LagMedian, LagP99, OldestWaiting},
		"canary":     {Unanswered, Unapplied, Untouched},
	}
)
