package cloud

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

const queueURL = "https://sqs.us-east-1.amazonaws.com/" + Account + "/coap-reports"

// configOf is the SDK's configuration of a process that goes through tap.
func configOf(t *testing.T, c *Cloud, tap *Tap, region string) aws.Config {
	t.Helper()
	proxy, err := url.Parse(tap.outer.URL)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(c.certificate.file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return aws.Config{
		Region:           region,
		Credentials:      credentials.NewStaticCredentialsProvider("x", "x", ""),
		HTTPClient:       &http.Client{Transport: transport},
		RetryMaxAttempts: 1,
	}
}

func TestTapWritesCallsDown(t *testing.T) {
	c := New(t)
	if err := c.MakeQueue(t.Context(), "us-east-1", "coap-reports"); err != nil {
		t.Fatal(err)
	}
	tap := c.Tap(t)
	cfg := configOf(t, c, tap, "us-east-1")
	for range 2 {
		if _, err := sqs.NewFromConfig(cfg).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(queueURL), MessageBody: aws.String("x")}); err != nil {
			t.Fatal(err)
		}
	}
	registry := iot.NewFromConfig(cfg)
	if _, err := registry.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: aws.String("a:1")}); err != nil {
		t.Fatal(err)
	}
	endpoint, err := registry.DescribeEndpoint(t.Context(), &iot.DescribeEndpointInput{EndpointType: aws.String("iot:Data-ATS")})
	if err != nil {
		t.Fatal(err)
	}
	shadows := iotdataplane.NewFromConfig(cfg, func(o *iotdataplane.Options) {
		o.BaseEndpoint = aws.String("https://" + *endpoint.EndpointAddress)
	})
	if _, err := shadows.UpdateThingShadow(t.Context(), &iotdataplane.UpdateThingShadowInput{ThingName: aws.String("a:1"), Payload: []byte(`{"state":{"reported":{"t":1}}}`)}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, call := range tap.Calls() {
		got = append(got, call.String())
	}
	want := []string{
		"sqs:SendMessage on arn:aws:sqs:us-east-1:123456789012:coap-reports",
		"iot:CreateThing on arn:aws:iot:us-east-1:123456789012:thing/a:1",
		"iot:DescribeEndpoint on *",
		"iot:UpdateThingShadow on arn:aws:iot:us-east-1:123456789012:thing/a:1",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || len(tap.Faults()) > 0 {
		t.Errorf("calls:\n%s\nwant:\n%s\nfaults: %v", strings.Join(got, "\n"), strings.Join(want, "\n"), tap.Faults())
	}
}

// A client of another region would find its own region's queue, so AWS's answer is none.
func TestTapKnowsTheRegion(t *testing.T) {
	c := New(t)
	tap := c.Tap(t)
	cfg := configOf(t, c, tap, "eu-west-1")
	if _, err := sqs.NewFromConfig(cfg).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(queueURL), MessageBody: aws.String("x")}); err == nil {
		t.Error("a queue of us-east-1 was found in eu-west-1")
	}
	if len(tap.Faults()) != 1 || len(tap.Calls()) != 0 {
		t.Errorf("calls %v, faults %v, want one fault", tap.Calls(), tap.Faults())
	}
}
