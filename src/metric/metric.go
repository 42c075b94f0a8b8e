// Package metric holds the names of the product's metrics, one meaning each, and
// writes them where they are read: daemons show them to Prometheus, Lambdas log
// them in CloudWatch's embedded metric format.
package metric

import (
	"encoding/json"
	"io"
	"time"
)

// The life of a report. These words are the counters, the log values, the columns
// of the lab's page and the metrics in CloudWatch.
const (
	Received  = "received"  // messages that an ingestor's socket delivered
	Accepted  = "accepted"  // reports taken from messages, on their way to a queue
	Stored    = "stored"    // reports that a queue has confirmed
	Acked     = "acked"     // stored reports whose 2.04 has left, or was declined (No-Response)
	Forwarded = "forwarded" // reports that the replicator has put into the primary queue
	Applied   = "applied"   // reports whose effect is in a shadow
)

// Life lists the counters of a report's life in their order.
var Life = []string{Received, Accepted, Stored, Acked, Forwarded, Applied}

// Namespace is the CloudWatch namespace of all metrics.
const Namespace = "CoAP"

// Counter returns the name under which Prometheus sees a counter.
func Counter(name string) string { return "coap_" + name + "_total" }

// Gauge returns the name under which Prometheus sees a gauge.
func Gauge(name string) string { return "coap_" + name }

// A Value is one metric of a Log line.
type Value struct {
	Name string
	Unit string // as CloudWatch spells it: Count, Milliseconds, Seconds, Bytes
	N    float64
}

// A Dimension is by what CloudWatch tells metrics of one name apart: one of the Dimension names
// and its value.
type Dimension struct{ Name, Value string }

// Service is the dimension of a Lambda function's metrics.
func Service(name string) Dimension { return Dimension{DimensionService, name} }

// Log writes the values as one line of JSON in the embedded metric format, with their
// only dimension (CloudWatch User Guide, "Specification: Embedded metric format"). It
// writes in one call, so that lines of several goroutines do not mix.
func Log(w io.Writer, now time.Time, of Dimension, values ...Value) error {
	type definition struct{ Name, Unit string }
	line := map[string]any{of.Name: of.Value}
	definitions := make([]definition, len(values))
	for i, v := range values {
		definitions[i] = definition{v.Name, v.Unit}
		line[v.Name] = v.N
	}
	line["_aws"] = map[string]any{
		"Timestamp": now.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace":  Namespace,
			"Dimensions": [][]string{{of.Name}},
			"Metrics":    definitions,
		}},
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// ParseLog returns the dimension and the values of a line that Log has written, or false
// for any other line.
func ParseLog(line []byte) (of Dimension, values map[string]float64, ok bool) {
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil {
		return Dimension{}, nil, false
	}
	if _, ok := fields["_aws"]; !ok {
		return Dimension{}, nil, false
	}
	values = map[string]float64{}
	for name, field := range fields {
		switch v := field.(type) {
		case float64:
			values[name] = v
		case string:
			of = Dimension{name, v}
		}
	}
	return of, values, true
}
