package lab

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func testPlan() Plan {
	four, err := endpoints(nil, func(netip.Addr) bool { return true })
	if err != nil {
		panic(err)
	}
	return NewPlan(four, defaultAWS, defaultHTTP, defaultFunctionTimeout, 6*defaultFunctionTimeout)
}

// The plan is the picture: firmware order, each ingestor to its own region's queue and
// with the other's to fall back on, the
// replicator from the secondary to the primary, the processor at the primary.
func TestPlan(t *testing.T) {
	p := testPlan()
	var got []string
	for _, in := range p.Ingestors {
		got = append(got, strings.Join([]string{in.Name, in.Region, in.CoAP.String(), in.Admin.String(), in.Queue, in.Fallback}, " "))
	}
	for _, f := range p.Functions {
		got = append(got, strings.Join([]string{f.Name, f.Region, f.Queue.ARN(), f.ARN()}, " "))
	}
	for _, q := range p.Queues {
		attributes, err := json.Marshal(q.attributes())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, q.URL+" "+string(attributes))
	}
	want := []string{
		"use1-a us-east-1 127.0.0.1:5683 127.0.0.1:9683 http://127.0.0.1:4566/us-east-1/000000000000/coap-reports http://127.0.0.1:4566/eu-west-1/000000000000/coap-reports",
		"euw1-a eu-west-1 127.0.0.2:5683 127.0.0.2:9683 http://127.0.0.1:4566/eu-west-1/000000000000/coap-reports http://127.0.0.1:4566/us-east-1/000000000000/coap-reports",
		"use1-b us-east-1 127.0.0.3:5683 127.0.0.3:9683 http://127.0.0.1:4566/us-east-1/000000000000/coap-reports http://127.0.0.1:4566/eu-west-1/000000000000/coap-reports",
		"euw1-b eu-west-1 127.0.0.4:5683 127.0.0.4:9683 http://127.0.0.1:4566/eu-west-1/000000000000/coap-reports http://127.0.0.1:4566/us-east-1/000000000000/coap-reports",
		"replicator eu-west-1 arn:aws:sqs:eu-west-1:000000000000:coap-reports arn:aws:lambda:eu-west-1:000000000000:function:replicator",
		"processor us-east-1 arn:aws:sqs:us-east-1:000000000000:coap-reports arn:aws:lambda:us-east-1:000000000000:function:processor",
		`http://127.0.0.1:4566/us-east-1/000000000000/coap-reports {"MessageRetentionPeriod":"1036800","RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:coap-reports-dlq\",\"maxReceiveCount\":1000}","VisibilityTimeout":"60"}`,
		`http://127.0.0.1:4566/us-east-1/000000000000/coap-reports-dlq {"MessageRetentionPeriod":"1209600","VisibilityTimeout":"30"}`,
		`http://127.0.0.1:4566/eu-west-1/000000000000/coap-reports {"MessageRetentionPeriod":"1036800","RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-west-1:000000000000:coap-reports-dlq\",\"maxReceiveCount\":1000}","VisibilityTimeout":"60"}`,
		`http://127.0.0.1:4566/eu-west-1/000000000000/coap-reports-dlq {"MessageRetentionPeriod":"1209600","VisibilityTimeout":"30"}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Lambda's own rules and advice for an event source, which a wrong figure in the plan
// would break in the cloud (AWS Lambda Developer Guide, "Creating and configuring an
// Amazon SQS event source mapping").
func TestPlanKeepsLambdasRules(t *testing.T) {
	for _, f := range testPlan().Functions {
		if f.BatchSize > 10 && f.Window < time.Second {
			t.Errorf("%s: a batch of %d needs a window", f.Name, f.BatchSize)
		}
		if f.BatchSize < 1 || f.BatchSize > 10_000 || f.Window > 300*time.Second || f.Concurrency < 2 {
			t.Errorf("%s: out of bounds: %+v", f.Name, f)
		}
		if f.Queue.Visibility < 6*f.Timeout+f.Window {
			t.Errorf("%s: messages come back after %v, an invocation takes %v", f.Name, f.Queue.Visibility, f.Timeout)
		}
	}
}

// Nothing of the user's AWS account or of another configuration reaches a child.
func TestChildEnviron(t *testing.T) {
	for _, name := range []string{
		"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_REGION", "AWS_ENDPOINT_URL",
		"AWS_ENDPOINT_URL_SQS", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_ROLE_ARN",
		"COAP_LINGER", "COAP_TYPO", "HTTP_PROXY", "http_proxy", "NOTIFY_SOCKET", "WATCHDOG_USEC",
	} {
		t.Setenv(name, "of the user's")
	}
	t.Setenv("GODEBUG", "kept=1")
	p := testPlan()
	environs := map[string][]string{"aws": p.awsEnviron()}
	for _, in := range p.Ingestors {
		environs[in.Name] = in.environ
	}
	for _, f := range p.Functions {
		environs[f.Name] = f.environ
	}
	for name, environ := range environs {
		seen := map[string]bool{}
		for _, pair := range environ {
			key, value, _ := strings.Cut(pair, "=")
			if value == "of the user's" {
				t.Errorf("%s gets %s", name, key)
			}
			if seen[key] {
				t.Errorf("%s gets %s twice", name, key)
			}
			seen[key] = true
		}
		for _, pair := range []string{
			"AWS_ENDPOINT_URL=http://127.0.0.1:4566", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_ACCESS_KEY_ID=lab", "GODEBUG=kept=1",
		} {
			if !slices.Contains(environ, pair) {
				t.Errorf("%s lacks %s", name, pair)
			}
		}
	}
}

// A CoAP address that devices reach does not open the admin endpoint to them.
func TestAdminIsLoopback(t *testing.T) {
	for at, want := range map[string]string{
		"127.0.0.3:5683":  "127.0.0.3:9683",
		"[::1]:5683":      "[::1]:9683",
		"192.0.2.1:5683":  "127.0.0.1:9683",
		"0.0.0.0:5683":    "127.0.0.1:9683",
		"127.0.0.1:65000": "127.0.0.1:61000",
	} {
		if got := admin(netip.MustParseAddrPort(at)); got.String() != want {
			t.Errorf("admin of %s: %s, want %s", at, got, want)
		}
	}
	p := testPlan()
	p.AWS = netip.MustParseAddrPort("0.0.0.0:4566")
	if p.Endpoint() != "http://127.0.0.1:4566" {
		t.Errorf("endpoint %s", p.Endpoint())
	}
}
