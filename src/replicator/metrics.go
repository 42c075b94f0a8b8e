package replicator

// Metrics of each invocation beside metric.Forwarded.
const (
	stretched = "stretched" // messages whose next receive was put off because the primary queue did not take them
	refused   = "refused"   // messages that the primary queue refuses for what they hold
	tried     = "tried"     // messages sent to the primary queue, whatever came of it; the others of an outage are not even tried

	// From the first SentTimestamp to the forwarding, of the reports forwarded in
	// one invocation, in milliseconds.
	lagMedian = "lag_p50"
	lagP99    = "lag_p99"

	// oldestWaiting is the age of the oldest report that could not be forwarded, in
	// seconds: stretched messages are invisible to ApproximateAgeOfOldestMessage.
	oldestWaiting = "oldest_waiting"
)
