package local

import (
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// maxPublished is how many messages a region keeps for reading back, the newest. With
// payloads of at most 128 KiB that is 128 MiB in the worst case, and 1 MiB as devices publish.
const maxPublished = 1024

// Limits of a topic (AWS IoT Core endpoints and quotas, message broker).
const (
	maxTopicBytes   = 256
	maxTopicSlashes = 7
	maxPayload      = 128 << 10
)

// A Published is a message that Publish took. AWS keeps none; this service keeps the last
// 1024 of a region, so that tests can read them back.
type Published struct {
	Topic   string    `json:"topic"`
	Rule    string    `json:"rule,omitempty"` // Basic Ingest: the rule that it goes to; Topic is then what the rule sees
	Payload []byte    `json:"payload"`
	QoS     int       `json:"qos"`
	Time    time.Time `json:"time"`
}

// topics are the messages that were published in one region.
type topics struct {
	mu   sync.Mutex // guards the following
	last []Published
}

// publish takes a message of HTTP's Publish (AWS IoT developer guide, "HTTPS").
func (s *Service) publish(c *call) (any, *apiError) {
	m := Published{Topic: c.path["topic"], Payload: c.body, Time: c.now}
	if rest, ok := strings.CutPrefix(m.Topic, "$aws/rules/"); ok {
		// Its first three levels count toward neither limit ("Reducing messaging costs
		// with Basic Ingest").
		m.Rule, m.Topic, _ = strings.Cut(rest, "/")
		if m.Rule == "" {
			return nil, invalidRequest("Invalid topic")
		}
	} else if strings.HasPrefix(m.Topic, "$") {
		return nil, invalidRequest("Invalid topic: publishing to the reserved topic %s is not supported here.", m.Topic)
	}
	if len(m.Topic) > maxTopicBytes || strings.Count(m.Topic, "/") > maxTopicSlashes ||
		strings.ContainsAny(m.Topic, "+#\x00") || !utf8.ValidString(m.Topic) {
		return nil, invalidRequest("Invalid topic")
	}
	switch c.query("qos") {
	case "", "0":
	case "1":
		m.QoS = 1
	default:
		return nil, invalidRequest("Invalid qos")
	}
	if c.query("retain") == "true" {
		return nil, invalidRequest("Retained messages are not supported here.")
	}
	if len(m.Payload) > maxPayload {
		return nil, fail(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "The payload exceeds the maximum size allowed")
	}
	c.region.topics.keep(m)
	return nil, nil
}

func (t *topics) keep(m Published) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) == maxPublished {
		copy(t.last, t.last[1:])
		t.last = t.last[:maxPublished-1]
	}
	t.last = append(t.last, m)
}

// Published returns what was published in a region, the oldest first; at most the last 1024.
func (s *Service) Published(region string) []Published {
	t := &s.region(region).topics
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Published{}, t.last...)
}

// ForgetPublished drops what Published would return.
func (s *Service) ForgetPublished(region string) {
	t := &s.region(region).topics
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = nil
}
