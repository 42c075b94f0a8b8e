// Package function is the main function of a Lambda function: it reads the environment,
// reports all faults of it at once, and hands the handler to Lambda's runtime.
package function

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"coap-for-aws-iot/src/environ"
	"coap-for-aws-iot/src/sdk"
)

// Main runs the function called name. read takes its configuration from the environment,
// build makes of it and of the SDK's configuration the handler, in one of the forms that
// lambda.Start takes.
//
// It does not return: a configuration that cannot work is one line on stderr and exit
// status 1. A variable that nobody knows is a warning, because Lambda changes a
// function's configuration before its code.
func Main[C any](name string, read func(*environ.Environ) C, build func(C, aws.Config) any) {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	handler, err := open(log, read, build)
	if err != nil {
		log.Error("start "+name, "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(handler)
}

func open[C any](log *slog.Logger, read func(*environ.Environ) C, build func(C, aws.Config) any) (handler any, err error) {
	env := environ.New(os.Environ())
	cfg := read(env)
	for _, name := range env.Unknown() {
		log.Warn("ignore a variable that this program does not know", "name", name)
	}
	if err := env.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	aws, err := sdk.Load(ctx)
	if err != nil {
		return nil, err
	}
	return build(cfg, aws), nil
}
