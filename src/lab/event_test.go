package lab

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// The event has the fields of the example in AWS Lambda Developer Guide, "Using Lambda
// with Amazon SQS", and the message attributes of the SQS event that events.SQSEvent reads.
func TestEvent(t *testing.T) {
	source := Queue{Name: "my-queue", Region: "us-east-2"}
	var b batch
	for _, m := range []types.Message{
		{
			MessageId:     aws.String("059f36b4-87a3-44ab-83d2-661975830a7d"),
			ReceiptHandle: aws.String("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a..."),
			Body:          aws.String("Test <&> é."),
			MD5OfBody:     aws.String("e4e68fb7bd0e697a0ae8f1bb342846b3"),
			Attributes: map[string]string{
				"ApproximateReceiveCount":          "1",
				"SentTimestamp":                    "1545082649183",
				"SenderId":                         "AIDAIENQZJOLO23YVJ4VO",
				"ApproximateFirstReceiveTimestamp": "1545082649185",
			},
		},
		{
			MessageId:              aws.String("2e1424d4"),
			ReceiptHandle:          aws.String("AQEB"),
			Body:                   aws.String("2"),
			MD5OfBody:              aws.String("c81e"),
			MD5OfMessageAttributes: aws.String("a1b2"),
			MessageAttributes: map[string]types.MessageAttributeValue{
				"FirstSentTimestamp": {DataType: aws.String("Number"), StringValue: aws.String("7")},
				"raw":                {DataType: aws.String("Binary"), BinaryValue: []byte{1, 2}},
			},
		},
	} {
		b.add(m, encodeRecord(source, m))
	}
	const want = `{"Records":[` +
		`{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d","receiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...","body":"Test <&> é.",` +
		`"attributes":{"ApproximateFirstReceiveTimestamp":"1545082649185","ApproximateReceiveCount":"1","SenderId":"AIDAIENQZJOLO23YVJ4VO","SentTimestamp":"1545082649183"},` +
		`"messageAttributes":{},"md5OfBody":"e4e68fb7bd0e697a0ae8f1bb342846b3","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-2:000000000000:my-queue","awsRegion":"us-east-2"},` +
		`{"messageId":"2e1424d4","receiptHandle":"AQEB","body":"2","attributes":{},"messageAttributes":{` +
		`"FirstSentTimestamp":{"stringValue":"7","stringListValues":[],"binaryListValues":[],"dataType":"Number"},` +
		`"raw":{"binaryValue":"AQI=","stringListValues":[],"binaryListValues":[],"dataType":"Binary"}},` +
		`"md5OfMessageAttributes":"a1b2","md5OfBody":"c81e","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-2:000000000000:my-queue","awsRegion":"us-east-2"}]}`
	event := b.event()
	if string(event) != want {
		t.Errorf("got  %s\nwant %s", event, want)
	}
	if len(event) != b.size {
		t.Errorf("%d bytes, counted as %d", len(event), b.size)
	}
}
