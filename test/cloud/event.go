package cloud

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// QueueURL is the URL of a queue in the real AWS.
func QueueURL(region, name string) string {
	return "https://sqs." + region + ".amazonaws.com/" + Account + "/" + name
}

// Receive takes at most ten messages from a queue, as Lambda's poller would, and waits for
// the first one until ctx is done.
func (c *Cloud) Receive(ctx context.Context, region, name string) ([]types.Message, error) {
	url := QueueURL(region, name)
	for {
		out, err := c.SQS(region).ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
			MessageAttributeNames:       []string{"All"},
		})
		if err != nil {
			return nil, fmt.Errorf("receive from %s in %s: %w", name, region, err)
		}
		if len(out.Messages) > 0 {
			return out.Messages, nil
		}
	}
}

// Event is what Lambda makes of messages (AWS Lambda Developer Guide, "Using Lambda with
// Amazon SQS").
func Event(region, name string, messages []types.Message) ([]byte, error) {
	var event events.SQSEvent
	for _, m := range messages {
		attributes := map[string]events.SQSMessageAttribute{}
		for key, a := range m.MessageAttributes {
			attributes[key] = events.SQSMessageAttribute{StringValue: a.StringValue, DataType: *a.DataType}
		}
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body,
			Attributes: m.Attributes, MessageAttributes: attributes,
			EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:" + region + ":" + Account + ":" + name, AWSRegion: region,
		})
	}
	return json.Marshal(event)
}
