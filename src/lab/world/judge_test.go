package world

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/lab/oracle"
)

var poisonMark = regexp.MustCompile(`poison-[a-z0-9]+-[0-9]+-`)

func markOf(text string) string { return poisonMark.FindString(text) }

// letters are the texts of all reports in the dead-letter queues, and the reasons that
// stand beside them. A poison has to be there for its own reason.
func (w *world) letters() (texts []string) {
	for _, region := range []string{primary, secondary} {
		client := sqs.NewFromConfig(w.operator(region))
		url := w.dlqURL(region)
		for {
			out, err := client.ReceiveMessage(w.t.Context(), &sqs.ReceiveMessageInput{
				QueueUrl: &url, MaxNumberOfMessages: 10, VisibilityTimeout: 43200, MessageAttributeNames: []string{"All"},
			})
			if err != nil {
				w.t.Fatal(err)
			}
			if len(out.Messages) == 0 {
				break
			}
			for _, m := range out.Messages {
				reason := aws.ToString(m.MessageAttributes[envelope.AttributeReason].StringValue)
				word, _, _ := strings.Cut(reason, ":")
				w.count("letter: " + word)
				b, err := envelope.Open(*m.Body)
				if err != nil {
					w.checkReason(*m.Body, word)
					texts = append(texts, *m.Body)
					continue
				}
				for line := range b.Lines() {
					text := string(line)
					if r, err := line.Report(); err == nil {
						text = string(r.Payload)
					}
					w.checkReason(text, word)
					texts = append(texts, text+" ("+reason+")")
				}
			}
		}
	}
	return texts
}

func (w *world) checkReason(text, reason string) {
	mark := markOf(text)
	w.mu.Lock()
	want, ok := w.reasons[mark]
	w.mu.Unlock()
	if ok && reason != want {
		w.faulty("%s is in a dead-letter queue as %s, not as %s", mark, reason, want)
	}
}

// waiting is how many messages the two queues hold, in any state.
func (w *world) waiting() (n int) {
	for _, region := range []string{primary, secondary} {
		url := w.queueURL(region)
		out, err := sqs.NewFromConfig(w.operator(region)).GetQueueAttributes(w.t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
			var k int
			fmt.Sscan(out.Attributes[name], &k)
			n += k
		}
	}
	return n
}

// someWait reports whether messages are known to wait in a region's queue. A fault may keep
// that from being known.
func (w *world) someWait(region string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var out struct{ Attributes map[string]string }
	const name = "ApproximateNumberOfMessages"
	err := direct{w, region}.call(ctx, "GetQueueAttributes", map[string]any{"QueueUrl": w.queueURL(region), "AttributeNames": []string{name}}, &out)
	return err == nil && out.Attributes[name] != "0"
}

// shadows reads what AWS IoT holds in the end.
func (w *world) shadows() map[string]oracle.Shadow {
	ctx := w.t.Context()
	cfg := w.operator(primary)
	registry, data := iot.NewFromConfig(cfg), iotdataplane.NewFromConfig(cfg)
	shadows := map[string]oracle.Shadow{}
	for pages := iot.NewListThingsPaginator(registry, &iot.ListThingsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, thing := range page.Things {
			if *thing.ThingName == registered || *thing.ThingName == heartbeat {
				continue
			}
			out, err := data.GetThingShadow(ctx, &iotdataplane.GetThingShadowInput{ThingName: thing.ThingName})
			if err != nil {
				if !hexed(*thing.ThingName) {
					w.faulty("%s: a thing without a shadow: %v", *thing.ThingName, err)
				}
				continue
			}
			var document struct {
				State struct {
					Reported map[string]any `json:"reported"`
					Desired  map[string]any `json:"desired"`
				} `json:"state"`
			}
			if err := json.Unmarshal(out.Payload, &document); err != nil {
				w.t.Fatal(err)
			}
			delete(document.State.Reported, "_coap")
			w.checkStranger(*thing.ThingName, document.State.Desired, document.State.Reported)
			shadows[*thing.ThingName] = oracle.Shadow{ThingType: aws.ToString(thing.ThingTypeName), Reported: document.State.Reported}
		}
	}
	return shadows
}

// checkTypes compares the registry's thing types with those that devices have said.
func (w *world) checkTypes() {
	out, err := iot.NewFromConfig(w.operator(primary)).ListThingTypes(w.t.Context(), &iot.ListThingTypesInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, t := range out.ThingTypes {
		if !slices.Contains(allowedTypes, *t.ThingTypeName) {
			w.faulty("there is a thing type %s that no device said", *t.ThingTypeName)
		}
	}
}
