package processor

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
	"coap-for-aws-iot/src/metric"
)

func (w *world) published() string {
	var lines []string
	for _, m := range w.aws.Published("us-east-1") {
		lines = append(lines, m.Topic+" "+string(m.Payload))
	}
	w.aws.ForgetPublished("us-east-1")
	return strings.Join(lines, "\n")
}

// Each reading is published in order, also those that the shadow does not keep; what
// cannot be read is not.
func TestPublish(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.cfg.Publish = "coap/{type}/{id}"
		w.restart()
		numbered := by("x", says(bubbleTime+2, `{"t":2}`))
		numbered.Seq, numbered.Numbered = math.MaxUint64-16, true
		w.send(numbered, by("x", says(bubbleTime+1, `{"t":1}`)), by("x", says(bubbleTime+3, `{"t":`)))
		w.run()
		const want = `coap/th/x {"at":946600000001,"id":"x","reported":{"t":1},"type":"th"}
coap/th/x {"at":946600000002,"id":"x","reported":{"t":2},"s":"ffffffffffffffef","type":"th"}`
		if got := w.published(); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		w.expect("x", `{"t":2}`)
	})
}

func TestNoPublish(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.send(by("x", says(bubbleTime, `{"t":1}`)))
		w.run()
		if got := w.published(); got != "" {
			t.Errorf("published %s", got)
		}
	})
}

// While AWS IoT does not take messages nothing is applied that no rule has seen, and
// nothing is given up. Afterwards all is published and applied.
func TestPublishOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.cfg.Publish = "$aws/rules/spikes/{type}/{id}"
		w.restart()
		end := w.fault(local.Fault{Operation: "Publish", Kind: local.Error})
		w.send(by("x", says(bubbleTime, `{"t":1}`)))
		for range 6 * 60 {
			w.run()
			time.Sleep(time.Minute)
		}
		w.expectDead("")
		if counts := w.counts(); counts[metric.Applied] != 0 || counts[metric.OldestWaiting] == 0 {
			t.Errorf("counts %v", counts)
		}
		end()
		time.Sleep(20 * time.Minute)
		w.run()
		w.expect("x", `{"t":1}`)
		if got := w.published(); !strings.HasPrefix(got, "th/x {") { // Basic Ingest: the rule sees the topic without its name
			t.Errorf("published %s", got)
		}
	})
}

// One thing has more to say than can be published in an invocation: what is out is applied,
// the rest is sent again, and each invocation gets further. Nothing is given up.
func TestPublishSlowly(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.cfg.Publish = "coap/{type}/{id}"
		w.restart()
		w.fault(local.Fault{Operation: "Publish", Kind: local.Slow, Median: local.Delay(time.Second)})
		const n = 100
		var reports []envelope.Report
		for i := range n {
			reports = append(reports, by("x", says(bubbleTime+int64(i), fmt.Sprintf(`{"f%d":1,"t":%d}`, i%5, i))))
		}
		w.send(reports...)
		for range 30 {
			w.run()
			time.Sleep(time.Minute)
		}
		w.expect("x", `{"f0":1,"f1":1,"f2":1,"f3":1,"f4":1,"t":99}`)
		w.expectDead("")
		if left := w.receive(w.cfg.QueueURL); len(left) > 0 {
			t.Errorf("%d messages left", len(left))
		}
		if got := strings.Count(w.published(), "\n") + 1; got != n {
			t.Errorf("published %d times, want each of %d once", got, n)
		}
	})
}

// A topic that is too long with this name is the report's own trouble.
func TestPublishRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.cfg.Publish = "a/{type}/{type}/{id}"
		w.restart()
		long := strings.Repeat("x", 128)
		bad := by(long, says(bubbleTime, `{"t":1}`))
		bad.Type = strings.Repeat("t", 128)
		w.send(bad, by("x", says(bubbleTime, `{"t":1}`)))
		w.run()
		w.expect("x", `{"t":1}`)
		w.expectDead("refused: Invalid topic")
	})
}

func TestValidTopic(t *testing.T) {
	for template, want := range map[string]bool{
		"coap/{type}/{id}":               true,
		"coap":                           true,
		"$aws/rules/spikes/{type}/{id}":  true,
		"$aws/rules/spikes":              false, // of nothing
		"$aws/things/{id}/shadow/update": false,
		"/coap":                          false,
		"coap/+/{id}":                    false,
		"coap/#":                         false,
		"coap/{name}":                    false,
		"co ap":                          false,
		"1/2/3/4/5/6/7/8":                true,
		"1/2/3/4/5/6/7/8/9":              false,
	} {
		if validTopic(template) != want {
			t.Errorf("%s: want %v", template, want)
		}
	}
}
