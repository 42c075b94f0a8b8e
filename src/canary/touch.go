package canary

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// touchTimeout bounds one call of SQS.
const touchTimeout = 5 * time.Second

// touch reads attributes of the queues and returns of how many it could not. A queue that
// nobody asks for six hours stops to report to CloudWatch, and may be 15 minutes late
// when it begins again: an alarm on its dead-letter queue would sleep (SQS Developer
// Guide, "Available CloudWatch metrics for Amazon SQS").
func (c *Canary) touch(ctx context.Context) (untouched int) {
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	var failed atomic.Int64
	var calls sync.WaitGroup
	for _, url := range c.config.TouchQueues {
		calls.Go(func() {
			_, err := c.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
				QueueUrl:       &url,
				AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages},
			})
			if err != nil {
				failed.Add(1)
				c.log.Warn("read attributes of a queue", "queue", url, "error", err.Error())
			}
		})
	}
	calls.Wait()
	return int(failed.Load())
}
