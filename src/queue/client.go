// Package queue is both ends of an SQS queue: a [Sender] packs reports into
// bundles and sends them, a [Message] is what Lambda hands to a reader, and a
// [Queue] sends and stretches whole messages.
package queue

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"coap-for-aws-iot/src/sdk"
)

// client is the part of the SDK that this package calls; tests cut the wire here.
type client interface {
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
}

// NewClient returns an SQS client for callers that have a deadline and another
// way out: each call is tried once.
func NewClient(cfg aws.Config) *sqs.Client {
	return sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		o.Retryer = aws.NopRetryer{}
	})
}

// At returns the queue at url, with a client of its own that signs for region, whatever
// the region of cfg. A client that signs for another region than the queue's would find
// the queue of that name in its own.
func At(cfg aws.Config, region, url string) *Queue {
	cfg.Region = region
	return New(NewClient(cfg), url)
}

// Open returns the queue at url, in region, with what else the SDK finds in the
// environment: credentials, endpoints. It makes no call.
func Open(ctx context.Context, region, url string) (*Queue, error) {
	cfg, err := sdk.Load(ctx, config.WithRegion(region))
	if err != nil {
		return nil, err
	}
	return At(cfg, region, url), nil
}
