package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// succeeded returns the messages that a function's response says are done. An error means
// that the response is not one, and that the whole batch counts as failed (AWS Lambda
// Developer Guide, "Handling errors for an SQS event source in Lambda", success and
// failure conditions of ReportBatchItemFailures).
func succeeded(messages []types.Message, response []byte) ([]types.Message, error) {
	var r struct {
		Failures []struct {
			ID *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if len(bytes.TrimSpace(response)) > 0 { // nothing and null mean that all is done
		if err := json.Unmarshal(response, &r); err != nil {
			return nil, fmt.Errorf("the response is not of the form of ReportBatchItemFailures: %w", err)
		}
	}
	failed := make(map[string]bool, len(r.Failures))
	for _, f := range r.Failures {
		if aws.ToString(f.ID) == "" {
			return nil, errors.New("the response lists an item without an identifier")
		}
		failed[*f.ID] = false
	}
	var done []types.Message
	for _, m := range messages {
		if _, ok := failed[aws.ToString(m.MessageId)]; ok {
			failed[aws.ToString(m.MessageId)] = true
			continue
		}
		done = append(done, m)
	}
	for id, known := range failed {
		if !known {
			return nil, fmt.Errorf("the response lists %q, which is no message of the batch", id)
		}
	}
	return done, nil
}
