package processor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"coap-for-aws-iot/src/environ"
)

// Main runs the processor as a Lambda function, configured by the environment. It
// does not return: a configuration that cannot work is one line on stderr and exit
// status 1.
func Main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	handler, err := fromEnvironment(log)
	if err != nil {
		log.Error("start processor", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(handler.Handle)
}

func fromEnvironment(log *slog.Logger) (*Processor, error) {
	env := environ.New(os.Environ())
	cfg := FromEnviron(env)
	for _, name := range env.Unknown() {
		log.Warn("ignore a variable that this program does not know", "name", name)
	}
	if err := env.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	return New(cfg, aws), nil
}
