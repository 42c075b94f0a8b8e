package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"

	"coap-for-aws-iot/src/sdk"
)

// Open returns a Put for the log stream of that name in group, in region, with what else
// the SDK finds in the environment: credentials, endpoints. It makes no call.
//
// Each event costs one PutLogEvents; a stream that is missing is created when that says
// so. The group is not: whoever made the role that may write to it made it too.
func Open(ctx context.Context, region, group, stream string) (Put, error) {
	// CloudWatch closes idle connections after a minute or so: what is kept for less is
	// not found broken.
	connections := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = 1
		t.IdleConnTimeout = 30 * time.Second
	})
	cfg, err := sdk.Load(ctx, config.WithRegion(region), config.WithHTTPClient(connections))
	if err != nil {
		return nil, err
	}
	client := cloudwatchlogs.NewFromConfig(cfg, func(o *cloudwatchlogs.Options) { o.Retryer = aws.NopRetryer{} })
	return func(ctx context.Context, events []Event) (rejected int, err error) {
		rejected, err = putEvents(ctx, client, group, stream, events)
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); !missing {
			return rejected, err
		}
		_, err = client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream})
		if _, exists := errors.AsType[*types.ResourceAlreadyExistsException](err); err != nil && !exists {
			return 0, fmt.Errorf("create log stream %s in %s: %w", stream, group, err)
		}
		return putEvents(ctx, client, group, stream, events)
	}, nil
}

func putEvents(ctx context.Context, client *cloudwatchlogs.Client, group, stream string, events []Event) (rejected int, err error) {
	in := &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: &group, LogStreamName: &stream,
		LogEvents: make([]types.InputLogEvent, len(events)),
	}
	for i := range events {
		in.LogEvents[i] = types.InputLogEvent{Timestamp: &events[i].Time, Message: &events[i].Line}
	}
	out, err := client.PutLogEvents(ctx, in)
	if api, ok := errors.AsType[smithy.APIError](err); ok && slices.Contains(contentFaults, api.ErrorCode()) {
		err = fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err != nil {
		return 0, fmt.Errorf("put log events to %s: %w", group, err)
	}
	if r := out.RejectedLogEventsInfo; r != nil {
		// Of events in the order of time, the first ones may be too old, or older than the
		// group keeps, and the last ones too new.
		rejected = int(max(aws.ToInt32(r.TooOldLogEventEndIndex), aws.ToInt32(r.ExpiredLogEventEndIndex)))
		if r.TooNewLogEventStartIndex != nil {
			rejected += len(events) - int(*r.TooNewLogEventStartIndex)
		}
	}
	return rejected, nil
}

// contentFaults are the errors with which CloudWatch refuses a call for what it holds.
var contentFaults = []string{"InvalidParameterException", "SerializationException"}
