package local

import (
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// clients are the real SDK's clients of each service in one region.
type clients struct {
	sqs  *sqs.Client
	iot  *iot.Client
	data *iotdataplane.Client
}

func newClients(endpoint, region string, transport http.RoundTripper) clients {
	cfg := aws.Config{
		Region:           region,
		BaseEndpoint:     aws.String(endpoint),
		Credentials:      credentials.NewStaticCredentialsProvider("x", "x", ""),
		HTTPClient:       &http.Client{Transport: transport},
		RetryMaxAttempts: 1,
	}
	return clients{sqs.NewFromConfig(cfg), iot.NewFromConfig(cfg), iotdataplane.NewFromConfig(cfg)}
}

// inProcess returns clients of s in us-east-1 that need no socket.
func inProcess(s *Service) clients {
	return newClients("http://local.test", "us-east-1", s.Transport())
}

// start returns a service in memory on the given clock, which ends with the test.
func start(t testing.TB, o Options) (*Service, clients) {
	t.Helper()
	s := New(o)
	t.Cleanup(func() { s.Close() })
	return s, inProcess(s)
}

// errorCode returns AWS's code and HTTP status of an error.
func errorCode(err error) (string, int) {
	code, status := "", 0
	var api smithy.APIError
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	return code, status
}

// wantError checks an error's code and status.
func wantError(t testing.TB, what string, err error, code string, status int) {
	t.Helper()
	gotCode, gotStatus := errorCode(err)
	if gotCode != code || gotStatus != status {
		t.Errorf("%s: error %s (%d), want %s (%d): %v", what, gotCode, gotStatus, code, status, err)
	}
}
