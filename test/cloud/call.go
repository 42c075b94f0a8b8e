package cloud

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"coap-for-aws-iot/test/iam"
)

// A scope is what a request was signed for.
type scope struct{ region, service string }

// scopeOf reads Signature Version 4's "Credential=KEY/DATE/REGION/SERVICE/aws4_request".
func scopeOf(r *http.Request) (scope, error) {
	_, rest, found := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	credential, _, _ := strings.Cut(rest, ",")
	part := strings.Split(credential, "/")
	if !found || len(part) != 5 {
		return scope{}, fmt.Errorf("%s %s%s is not signed", r.Method, r.Host, r.URL.Path)
	}
	return scope{region: part[2], service: part[3]}, nil
}

// A request is what a process asked for.
type request struct {
	scope
	operation string // as the service calls it
	call      iam.Call
}

// identify returns the call that a request is, as IAM names it (Service Authorization
// Reference), or an error for one that AWS would not understand at that host.
func identify(r *http.Request, body []byte) (request, error) {
	in, err := identifyService(r, body)
	if err != nil {
		return in, fmt.Errorf("%s %s%s: %w", r.Method, r.Host, r.URL.Path, err)
	}
	in.call.Context = map[string]string{"aws:SecureTransport": "true"}
	return in, nil
}

func identifyService(r *http.Request, body []byte) (in request, err error) {
	if in.scope, err = scopeOf(r); err != nil {
		return in, err
	}
	name, rest, _ := strings.Cut(r.Host, ".")
	switch {
	case r.Host == "sqs."+in.region+".amazonaws.com" && in.service == "sqs":
		return in, in.identifyQueue(r, body)
	case r.Host == "logs."+in.region+".amazonaws.com" && in.service == "logs":
		return in, in.identifyLog(r, body)
	case r.Host == "iot."+in.region+".amazonaws.com" && in.service == "iot":
		return in, in.identifyRegistry(r)
	case strings.HasSuffix(name, "-ats") && rest == "iot."+in.region+".amazonaws.com" && in.service == "iotdata":
		return in, in.identifyData(r)
	}
	return in, fmt.Errorf("signed for %s in %s, which is not served there", in.service, in.region)
}

func (in *request) identifyQueue(r *http.Request, body []byte) error {
	in.operation = strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	var parameters struct{ QueueUrl string }
	if err := json.Unmarshal(body, &parameters); err != nil {
		return err
	}
	at, err := url.Parse(parameters.QueueUrl)
	if err != nil {
		return err
	}
	account, queue, _ := strings.Cut(strings.TrimPrefix(at.Path, "/"), "/")
	if at.Host != r.Host {
		return fmt.Errorf("the queue %s is asked for at %s", parameters.QueueUrl, r.Host)
	}
	// A batch needs the permission of its single form.
	in.call = iam.Call{
		Action:   "sqs:" + strings.TrimSuffix(in.operation, "Batch"),
		Resource: "arn:aws:sqs:" + in.region + ":" + account + ":" + queue,
	}
	return nil
}

func (in *request) identifyLog(r *http.Request, body []byte) error {
	in.operation = strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "Logs_20140328.")
	var parameters logParameters
	if err := json.Unmarshal(body, &parameters); err != nil {
		return err
	}
	in.call = iam.Call{
		Action:   "logs:" + in.operation,
		Resource: "arn:aws:logs:" + in.region + ":" + Account + ":log-group:" + parameters.LogGroupName + ":log-stream:" + parameters.LogStreamName,
	}
	return nil
}

// identifyRegistry knows the operations of AWS IoT's control plane by method and path.
func (in *request) identifyRegistry(r *http.Request) error {
	kind, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	resource := "arn:aws:iot:" + in.region + ":" + Account + ":"
	switch r.Method + " " + kind {
	case "GET endpoint":
		in.operation, resource = "DescribeEndpoint", "*"
	case "POST things":
		in.operation, resource = "CreateThing", resource+"thing/"+name
	case "GET things":
		in.operation, resource = "DescribeThing", resource+"thing/"+name
	case "POST thing-types":
		in.operation, resource = "CreateThingType", resource+"thingtype/"+name
	case "GET thing-types":
		in.operation, resource = "DescribeThingType", resource+"thingtype/"+name
	default:
		return fmt.Errorf("a call that this does not know: give it a row here")
	}
	in.call = iam.Call{Action: "iot:" + in.operation, Resource: resource}
	return nil
}

// identifyData knows those of the data plane.
func (in *request) identifyData(r *http.Request) error {
	part := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 2)
	resource := "arn:aws:iot:" + in.region + ":" + Account + ":"
	if len(part) != 2 {
		return fmt.Errorf("a call that this does not know: give it a row here")
	}
	thing, isShadow := strings.CutSuffix(part[1], "/shadow")
	switch {
	case part[0] == "things" && isShadow && r.Method == http.MethodGet:
		in.operation, resource = "GetThingShadow", resource+"thing/"+thing
	case part[0] == "things" && isShadow && r.Method == http.MethodPost:
		in.operation, resource = "UpdateThingShadow", resource+"thing/"+thing
	case part[0] == "topics" && r.Method == http.MethodPost:
		in.operation, resource = "Publish", resource+"topic/"+part[1]
	default:
		return fmt.Errorf("a call that this does not know: give it a row here")
	}
	in.call = iam.Call{Action: "iot:" + in.operation, Resource: resource}
	return nil
}
