// Package sdk loads the configuration of the AWS SDK, with an HTTP client that keeps its
// connections.
package sdk

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
)

// idleMost is how many idle connections are kept for each host: as many as are ever in use
// at a time. The default of 10 would close what a burst has opened.
const idleMost = 128

// Load returns what the SDK finds in the environment and in its files: credentials, region,
// endpoints. An option may replace the HTTP client; AWS_CA_BUNDLE holds for it, too, if it
// is one of the SDK's BuildableClients. Load makes no call.
func Load(ctx context.Context, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = idleMost
		t.IdleConnTimeout = 5 * time.Minute
	})
	defaults := []func(*config.LoadOptions) error{config.WithHTTPClient(client)}
	cfg, err := config.LoadDefaultConfig(ctx, append(defaults, options...)...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load the AWS configuration: %w", err)
	}
	cfg.HTTPClient = Keep(cfg.HTTPClient)
	return cfg, nil
}

// Keep returns a client that sends its requests through client, and does not lose the
// connection if an answer is fast.
//
// The SDK closes a request's body as soon as there is an answer, although net/http may not
// have seen its end yet. What it gives to net/http has a method WriteTo which returns io.EOF
// from then on (smithy-go, transport/http/internal/io/safe.go); net/http takes that for a
// failure and closes the connection, often while the answer is being read. Read returns
// io.EOF, too, and there it means what it should.
func Keep(client aws.HTTPClient) aws.HTTPClient { return keeper{client} }

type keeper struct{ client aws.HTTPClient }

func (k keeper) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return k.client.Do(r)
}
