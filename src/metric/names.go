package metric

// What the processor counts in each invocation, beside Applied.
const (
	Superseded = "superseded" // reports whose every field a newer report had set
	Duplicate  = "duplicate"  // reports whose effect was in the shadow before
	Poison     = "poison"     // reports put into the dead-letter queue; the log has the reasons
	Resent     = "resent"     // reports sent again, to be tried later
	Newer      = "newer"      // messages and reports left to a newer release: bundle or bookkeeping of an unknown version
	Calls      = "iot_calls"  // calls of AWS IoT
	Conflicts  = "conflicts"  // writes that someone else was faster than
	Throttled  = "throttled"  // calls beyond a quota of AWS IoT

	// Behind counts reports whose ingestor's clock was more than 10 s behind the
	// queue's, or that an operator has redriven.
	Behind = "clock_behind"
)

// What the replicator counts in each invocation, beside Forwarded.
const (
	Tried = "tried" // messages sent to the primary queue, whatever came of it; the others of an outage are not even tried

	// From the first SentTimestamp to the forwarding, of the reports forwarded in
	// one invocation, in milliseconds.
	LagMedian = "lag_p50"
	LagP99    = "lag_p99"
)

// What both count.
const (
	Stretched = "stretched" // messages that stay on their queue, their next receive put off

	// OldestWaiting is the age of the oldest report that could not be applied, or
	// forwarded, yet, in seconds; 0 if there is none. Stretched messages are invisible
	// to SQS's own ApproximateAgeOfOldestMessage.
	OldestWaiting = "oldest_waiting"
)

// What an ingestor counts, beside the first four words of Life.
const (
	KernelDrops = "kernel_drops" // datagrams that the kernel dropped because nobody read them in time
	Duplicates  = "duplicates"   // messages that were recognised as duplicates
	Refused     = "refused"      // messages not taken for what they are, so none that is unavailable; of the replicator, by the primary queue
	Unavailable = "unavailable"  // reports for which 5.03 is the answer, sent or declined: no queue has confirmed in time, or this ingestor is full, stopping or without a clock
	Unsent      = "unsent"       // replies that the kernel did not take

	FallbackStored = "fallback_stored" // reports that the other region's queue was the first to confirm
	QueueDown      = "queue_down"      // 1 while this region's queue gets only probes
	FallbackDown   = "fallback_down"   // 1 while the other region's queue gets only probes

	Unconfirmed     = "unconfirmed"      // reports that no queue has confirmed in time; those are among the unavailable
	FallbackBundles = "fallback_bundles" // bundles sent to the other region's queue
	QueueHeldBytes  = "queue_held_bytes" // bundles held, waiting and in flight
	LogDropped      = "log_dropped"      // lines that did not reach the log in CloudWatch

	ClockUnsynchronised = "clock_unsynchronised" // 1 while the kernel says that its clock is not synchronised
)

// What a canary finds out about an endpoint, once a minute.
const (
	Answered  = "answered"   // 1 if the endpoint has acknowledged the canary's report, else 0
	RoundTrip = "round_trip" // from the report to its 2.04, in milliseconds; only if answered
	Arrived   = "arrived"    // 1 if the shadow shows the report in time, else 0; only if answered
	EndToEnd  = "end_to_end" // from the report to the shadow that shows it, in milliseconds; only if arrived
)

// What a canary finds out about the queues of its own region.
const Untouched = "untouched" // queues whose attributes could not be read

// The names of the dimensions. Each metric has one of them.
const (
	DimensionService  = "service"  // processor, replicator, canary
	DimensionIngestor = "ingestor" // such as use1-a: COAP_NAME
	DimensionEndpoint = "endpoint" // such as use1-a: what a canary has probed
)

// The metrics that each program exports to CloudWatch, by service, ingestor or endpoint. A test of each program compares
// them with what it writes; a test of this package compares them with the alarms and
// the dashboard.
var (
	Processor = []string{
		Applied, Superseded, Duplicate, Poison, Resent, Stretched, Newer, Calls, Conflicts, Throttled, Behind, OldestWaiting,
	}
	Replicator = []string{Forwarded, Stretched, Refused, Tried, LagMedian, LagP99, OldestWaiting}
	Ingestor   = []string{
		Received, Accepted, Stored, Acked, KernelDrops, Duplicates, Refused, Unavailable, Unsent,
		FallbackStored, QueueDown, FallbackDown, ClockUnsynchronised, Unconfirmed, FallbackBundles, QueueHeldBytes, LogDropped,
	}
	Canary        = []string{Answered, RoundTrip, Arrived, EndToEnd} // by endpoint
	CanaryService = []string{Untouched}                              // by service
)
