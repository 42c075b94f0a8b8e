package processor

// Metrics of each invocation beside metric.Applied.
const (
	metricSuperseded = "superseded" // reports whose every field a newer report had set
	metricDuplicate  = "duplicate"  // reports whose effect was in the shadow before
	metricPoison     = "poison"     // reports put into the dead-letter queue; the log has the reasons
	metricResent     = "resent"     // reports sent again, to be tried later
	metricStretched  = "stretched"  // messages that stay on the queue, their next receive put off
	metricNewer      = "newer"      // messages and reports left to a newer release: bundle or bookkeeping of an unknown version
	metricCalls      = "iot_calls"
	metricConflicts  = "conflicts" // writes that someone else was faster than
	metricThrottled  = "throttled" // calls beyond a quota of AWS IoT

	// metricBehind counts reports whose ingestor's clock was more than 10 s behind
	// the queue's, or that an operator has redriven.
	metricBehind = "clock_behind"

	// metricOldest is the age of the oldest report that could not be applied yet, in
	// seconds.
	metricOldest = "oldest_waiting"
)
