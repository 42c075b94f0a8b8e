package processor

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
)

// maxTopicLevels is how many parts a topic has at most, Basic Ingest's own three aside
// (AWS General Reference, AWS IoT Core, "Message broker limits").
const maxTopicLevels = 8

// validTopic reports whether a topic template can be published to: no wildcards, no
// placeholders but {type} and {id}, no reserved topics but those of Basic Ingest.
func validTopic(template string) bool {
	rest, basic := strings.CutPrefix(template, "$aws/rules/")
	levels := strings.Split(rest, "/")
	if basic && len(levels) < 2 || len(levels) > maxTopicLevels || levels[0] == "" {
		return false
	}
	filled := topicOf(rest, "t", "i")
	for i := range len(filled) {
		if c := filled[i]; c <= ' ' || c > '~' || strings.IndexByte("+#{}$", c) >= 0 {
			return false
		}
	}
	return true
}

// topicOf fills in a topic template.
func topicOf(template, kind, thing string) string {
	return strings.NewReplacer("{type}", kind, "{id}", thing).Replace(template)
}

// publishAll publishes reports, if that is configured, in their order and before they are
// merged: so a rule sees each reading, and not only those that the shadow keeps. Whatever
// stops a report from being applied later, it is published again when it comes again: once
// or more. It returns the reports that are out, and settles the others: once late has come,
// at half of the time, nothing is published any more, so that what is out is applied too,
// however much one thing has to say, and each invocation gets further. What is left is sent
// again.
func (p *Processor) publishAll(ctx context.Context, late <-chan time.Time, thing string, reports []*report) []*report {
	if p.config.Publish == "" {
		return reports
	}
	var out []*report
	for i, r := range reports {
		select {
		case <-late:
			settleAll(ctx, reports[i:], errUnpublished)
			return out
		default:
		}
		err := p.iot.publish(ctx, topicOf(p.config.Publish, r.kind, thing), r.published())
		if why := refusal(err); why != "" {
			r.settle(poisoned, why)
			continue
		}
		if err != nil {
			settleAll(ctx, reports[i:], err)
			return out
		}
		out = append(out, r)
	}
	return out
}

// errUnpublished is why a report is sent again that nothing is wrong with.
var errUnpublished = errors.New("publish: the time was over before its turn")

// published is what is published of a report. docs/order.md describes it. The device's
// number is text: most who read JSON read numbers as floats, of 53 bits.
func (r *report) published() []byte {
	message := map[string]any{"type": r.kind, "id": r.thing, "at": r.key.time, "reported": r.values}
	if r.key.numbered {
		message["s"] = strconv.FormatUint(r.key.seq, 16)
	}
	return appendJSON(nil, message)
}

// publish publishes a message, QoS 1: AWS IoT has it when this returns nil.
func (i *iotClient) publish(ctx context.Context, topic string, payload []byte) error {
	return i.publishes.do(ctx, func(ctx context.Context) error {
		client, err := i.data.Client(ctx)
		if err != nil {
			return err
		}
		_, err = client.Publish(ctx, &iotdataplane.PublishInput{Topic: &topic, Payload: payload, Qos: 1})
		return err
	})
}
