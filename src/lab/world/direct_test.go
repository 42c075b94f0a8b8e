package world

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// direct is how Lambda's pollers call a queue. They are AWS's own and no users of the SDK,
// whose cost, for half of all calls, buys nothing here.
type direct struct {
	world  *world
	region string
}

// ReceiveMessage is a poller's; only what a poller sets is passed on.
func (d direct) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	var out struct{ Messages []types.Message }
	err := d.call(ctx, "ReceiveMessage", map[string]any{
		"QueueUrl": in.QueueUrl, "MaxNumberOfMessages": in.MaxNumberOfMessages, "WaitTimeSeconds": in.WaitTimeSeconds,
		"MessageSystemAttributeNames": in.MessageSystemAttributeNames, "MessageAttributeNames": in.MessageAttributeNames,
	}, &out)
	return &sqs.ReceiveMessageOutput{Messages: out.Messages}, err
}

// DeleteMessageBatch is a poller's.
func (d direct) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	var out sqs.DeleteMessageBatchOutput
	err := d.call(ctx, "DeleteMessageBatch", map[string]any{"QueueUrl": in.QueueUrl, "Entries": in.Entries}, &out)
	return &out, err
}

func (d direct) call(ctx context.Context, operation string, in map[string]any, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://aws.invalid/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("X-Amz-Target", "AmazonSQS."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20000101/"+d.region+"/sqs/aws4_request")
	response, err := d.world.aws.RoundTrip(r)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", operation, response.Status, answer)
	}
	return json.Unmarshal(answer, out)
}
