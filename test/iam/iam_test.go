package iam

import (
	"strings"
	"testing"
)

const queueARN = "arn:aws:sqs:us-east-1:123456789012:coap-reports"

// processor is a policy in the forms that Terraform writes: single values and lists.
const processor = `{
	"Version": "2012-10-17",
	"Statement": [
		{"Sid": "Reports", "Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:ReceiveMessage"], "Resource": "` + queueARN + `"},
		{"Sid": "Things", "Effect": "Allow", "Action": "iot:CreateThing", "Resource": "arn:aws:iot:us-east-1:123456789012:thing/*"},
		{"Sid": "Endpoint", "Effect": "Allow", "Action": "iot:DescribeEndpoint", "Resource": "*"},
		{"Sid": "Metrics", "Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
		 "Condition": {"StringEquals": {"cloudwatch:namespace": "CoAP"}}}
	]
}`

// tls denies what goes without TLS, as a queue's own policy does.
const tls = `{
	"Version": "2012-10-17",
	"Statement": {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "` + queueARN + `",
		"Condition": {"Bool": {"aws:SecureTransport": false}}}
}`

func parse(t *testing.T, document string) Policy {
	t.Helper()
	p, err := Parse("test", document)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAllowed(t *testing.T) {
	policies := []Policy{parse(t, processor), parse(t, tls)}
	secure := map[string]string{"aws:SecureTransport": "true"}
	for _, c := range []struct {
		call Call
		want bool
	}{
		{Call{"sqs:SendMessage", queueARN, secure}, true},
		{Call{"SQS:sendmessage", queueARN, nil}, true},
		{Call{"sqs:SendMessage", queueARN, map[string]string{"aws:SecureTransport": "false"}}, false},
		{Call{"sqs:SendMessage", queueARN + "-dlq", secure}, false},
		{Call{"sqs:SendMessage", strings.ToUpper(queueARN), secure}, false},
		{Call{"sqs:DeleteMessage", queueARN, secure}, false},
		{Call{"iot:CreateThing", "arn:aws:iot:us-east-1:123456789012:thing/a:1", nil}, true},
		{Call{"iot:CreateThing", "arn:aws:iot:eu-west-1:123456789012:thing/a", nil}, false},
		{Call{"iot:DescribeEndpoint", "*", nil}, true},
		{Call{"cloudwatch:PutMetricData", "*", map[string]string{"cloudwatch:namespace": "CoAP"}}, true},
		{Call{"cloudwatch:PutMetricData", "*", map[string]string{"cloudwatch:namespace": "Other"}}, false},
		{Call{"cloudwatch:PutMetricData", "*", nil}, false},
	} {
		if got := Allowed(policies, c.call); got != c.want {
			t.Errorf("%v, %v: allowed %v, want %v", c.call, c.call.Context, got, c.want)
		}
	}
}

func TestTrusts(t *testing.T) {
	p := parse(t, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
		"Principal": {"Service": "lambda.amazonaws.com"}, "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}]}`)
	ours := map[string]string{"aws:SourceAccount": "123456789012"}
	if !Trusts(p, "lambda.amazonaws.com", ours) {
		t.Error("Lambda is not trusted")
	}
	if Trusts(p, "ec2.amazonaws.com", ours) || Trusts(p, "lambda.amazonaws.com", nil) {
		t.Error("another service is trusted, or another account")
	}
}

func TestUnneeded(t *testing.T) {
	p := []Policy{parse(t, processor)}
	calls := []Call{
		{Action: "sqs:SendMessage", Resource: queueARN},
		{Action: "iot:CreateThing", Resource: "arn:aws:iot:us-east-1:123456789012:thing/a"},
		{Action: "iot:DescribeEndpoint", Resource: "*"},
	}
	errs := Unneeded(p, calls)
	if len(errs) != 2 || !strings.Contains(errs[0].Error(), "sqs:ReceiveMessage") || !strings.Contains(errs[1].Error(), "Metrics") {
		t.Errorf("unneeded: %v, want sqs:ReceiveMessage and the statement Metrics", errs)
	}
	for i := range p[0].Statements[:3] {
		if len(Denied([]Policy{p[0].Without(i)}, calls)) == 0 {
			t.Errorf("all calls are allowed without statement %d", i)
		}
	}
}

func TestWildcards(t *testing.T) {
	for _, c := range []struct {
		action, resource string
		want             bool
	}{
		{"sqs:SendMessage", queueARN, false},
		{"sqs:*", queueARN, true},
		{"sqs:SendMessage", "*", true},
		{"sqs:SendMessage", "arn:aws:sqs:*:123456789012:coap-reports", true},
		{"sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:coap-*", true},
		{"iot:DescribeEndpoint", "*", false},
		{"iot:GetThingShadow", "arn:aws:iot:us-east-1:123456789012:thing/*", false},
		{"iot:GetThingShadow", "arn:aws:iot:us-east-1:123456789012:thing/canary-use1-*", false},
		{"iot:GetThingShadow", "arn:aws:iot:*:123456789012:thing/*", true},
		{"iot:GetThingShadow", "arn:aws:iot:us-east-1:123456789012:*", true},
		{"logs:PutLogEvents", "arn:aws:logs:us-east-1:123456789012:log-group:/coap/ingestor:*", false},
		{"logs:PutLogEvents", "arn:aws:logs:us-east-1:123456789012:log-group:*", true},
		{"logs:PutLogEvents", "arn:aws:logs:us-east-1:123456789012:log-group:/coap/*:*", true},
	} {
		p := Policy{Name: "test", Statements: []Statement{{Actions: []string{c.action}, Resources: []string{c.resource}}}}
		if got := len(Wildcards([]Policy{p})) > 0; got != c.want {
			t.Errorf("%s on %s: a wildcard %v, want %v", c.action, c.resource, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, document := range []string{
		``,
		`{}`,
		`{"Version": "2012-10-17", "Statement": []}`,
		`{"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "a:b", "Resource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "a:b"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Action": "a:b", "Resource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "::/0"}}}]}`,
	} {
		if _, err := Parse("test", document); err == nil {
			t.Errorf("accepted %s", document)
		}
	}
}
