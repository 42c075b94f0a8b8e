package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"coap-for-aws-iot/src/lab"
	"coap-for-aws-iot/src/sdk"
)

// defaultEndpoint is where a lab has its AWS unless it is told otherwise.
const defaultEndpoint = "http://127.0.0.1:4566"

// cloud are the flags of a command that asks AWS.
type cloud struct {
	Endpoint string `placeholder:"URL" xor:"cloud" help:"URL of the AWS to ask. Default: AWS_ENDPOINT_URL, else the lab's, ${endpoint}."`
	AWS      bool   `name:"aws" xor:"cloud" help:"Ask the real AWS, as the AWS command line would."`
	Region   string `placeholder:"REGION" help:"Region of AWS IoT. Default: ${region}; with --aws the one of your configuration."`
}

// config returns the SDK's configuration. Whoever does not ask for the real AWS never
// meets it: an endpoint on this machine gets made-up credentials and nothing is read from
// files.
func (c cloud) config(ctx context.Context) (aws.Config, error) {
	endpoint := c.Endpoint
	if endpoint == "" && !c.AWS {
		if endpoint = os.Getenv("AWS_ENDPOINT_URL"); endpoint == "" {
			endpoint = defaultEndpoint
		}
	}
	region := c.Region
	if region == "" && !c.AWS {
		region = lab.Primary
	}
	if endpoint != "" {
		at, err := url.Parse(endpoint)
		if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
			return aws.Config{}, usagef("endpoint %q: want a URL such as %s", endpoint, defaultEndpoint)
		}
		if local(at.Hostname()) {
			return aws.Config{
				Region: region, BaseEndpoint: &endpoint,
				Credentials: credentials.NewStaticCredentialsProvider("lab", "lab", ""),
				HTTPClient:  sdk.Keep(http.DefaultClient),
			}, nil
		}
	}
	// What the SDK warns of on its way to credentials is said below, if there are none.
	options := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	if endpoint != "" {
		options = append(options, config.WithBaseEndpoint(endpoint))
	}
	cfg, err := sdk.Load(ctx, options...)
	if err != nil {
		return aws.Config{}, err
	}
	if cfg.Region == "" {
		return aws.Config{}, fmt.Errorf("no region: give --region, such as %s", lab.Primary)
	}
	switch _, err := cfg.Credentials.Retrieve(ctx); {
	case err != nil && strings.Contains(err.Error(), "no EC2 IMDS role found"): // the last that is tried
		return aws.Config{}, errors.New("no AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run aws configure")
	case err != nil:
		return aws.Config{}, fmt.Errorf("get AWS credentials: %w", err)
	}
	return cfg, nil
}

// local reports whether a host is this machine.
func local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// refused reports whether an error says that nobody listens.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// strange reports whether an error is of an answer that no AWS gives: the SDK cannot read
// it, or finds no error code in it.
func strange(err error) bool {
	_, unread := errors.AsType[*smithy.DeserializationError](err)
	_, noJSON := errors.AsType[*json.SyntaxError](err)
	api, ok := errors.AsType[smithy.APIError](err)
	return unread || noJSON || ok && api.ErrorCode() == "UnknownError"
}
