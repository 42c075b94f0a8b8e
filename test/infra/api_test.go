package infra

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// An api asks moto in a region as AWS is asked, without the SDK of each service, which
// would take minutes to compile.
type api struct {
	endpoint, region string
}

// do signs in name only: moto wants to know the region and the service, and believes it.
func (a api) do(t testing.TB, service, method, path string, body io.Reader, contentType string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, a.endpoint+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/"+a.region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=x")
	r.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	out, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s in %s: %s %v\n%s", service, path, a.region, response.Status, err, out)
	}
	return out
}

// query asks by the Query protocol and decodes the answer.
func (a api) query(t testing.TB, service, version, action string, parameters url.Values, out any) {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {version}}
	for name, values := range parameters {
		form[name] = values
	}
	text := a.do(t, service, http.MethodPost, "/", strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
	if err := xml.Unmarshal(text, out); err != nil {
		t.Fatalf("%s %s: %v\n%s", service, action, err, text)
	}
}

// An address is an Elastic IP.
type address struct {
	PublicIP   string `xml:"publicIp"`
	InstanceID string `xml:"instanceId"`
}

func (a api) addresses(t testing.TB) []address {
	t.Helper()
	var out struct {
		All []address `xml:"addressesSet>item"`
	}
	a.query(t, "ec2", "2016-11-15", "DescribeAddresses", nil, &out)
	return out.All
}

// byAddress is the instance that each Elastic IP is on.
func (a api) byAddress(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, address := range a.addresses(t) {
		all[address.PublicIP] = address.InstanceID
	}
	return all
}

// An instance as EC2 describes it.
type instance struct {
	ID    string `xml:"instanceId"`
	Type  string `xml:"instanceType"`
	Key   string `xml:"keyName"`
	State string `xml:"instanceState>name"`
	Zone  string `xml:"placement>availabilityZone"`
}

// instances lists those that are not terminated, by id.
func (a api) instances(t testing.TB) map[string]instance {
	t.Helper()
	var out struct {
		All []instance `xml:"reservationSet>item>instancesSet>item"`
	}
	a.query(t, "ec2", "2016-11-15", "DescribeInstances", nil, &out)
	byID := map[string]instance{}
	for _, i := range out.All {
		if i.State != "terminated" {
			byID[i.ID] = i
		}
	}
	return byID
}

// userData returns what cloud-init will find on an instance.
func (a api) userData(t testing.TB, id string) string {
	t.Helper()
	var out struct {
		Base64 string `xml:"userData>value"`
	}
	a.query(t, "ec2", "2016-11-15", "DescribeInstanceAttribute", url.Values{"InstanceId": {id}, "Attribute": {"userData"}}, &out)
	return decodeBase64(t, out.Base64)
}

// An alarm of CloudWatch's, or a composite.
type alarm struct {
	Name       string   `xml:"AlarmName"`
	Namespace  string   `xml:"Namespace"`
	Metric     string   `xml:"MetricName"`
	Actions    []string `xml:"AlarmActions>member"`
	Rule       string   `xml:"AlarmRule"`
	Dimensions []struct {
		Name  string `xml:"Name"`
		Value string `xml:"Value"`
	} `xml:"Dimensions>member"`
	Parts []struct {
		Namespace  string `xml:"MetricStat>Metric>Namespace"`
		Metric     string `xml:"MetricStat>Metric>MetricName"`
		Dimensions []struct {
			Name  string `xml:"Name"`
			Value string `xml:"Value"`
		} `xml:"MetricStat>Metric>Dimensions>member"`
	} `xml:"Metrics>member"`
}

func (a api) alarms(t testing.TB) []alarm {
	t.Helper()
	var out struct {
		Metric    []alarm `xml:"DescribeAlarmsResult>MetricAlarms>member"`
		Composite []alarm `xml:"DescribeAlarmsResult>CompositeAlarms>member"`
	}
	a.query(t, "monitoring", "2010-08-01", "DescribeAlarms", nil, &out)
	return append(out.Metric, out.Composite...)
}

// An eventSource joins a queue to a function.
type eventSource struct {
	EventSourceArn        string
	FunctionArn           string
	State                 string
	BatchSize             int
	FunctionResponseTypes []string
	ScalingConfig         struct{ MaximumConcurrency int }
}

func (a api) eventSources(t testing.TB) []eventSource {
	t.Helper()
	var out struct{ EventSourceMappings []eventSource }
	a.lambda(t, "/2015-03-31/event-source-mappings/", &out)
	return out.EventSourceMappings
}

// functions lists the names of functions.
func (a api) functions(t testing.TB) (names []string) {
	t.Helper()
	var out struct {
		Functions []struct{ FunctionName string }
	}
	a.lambda(t, "/2015-03-31/functions/", &out)
	for _, f := range out.Functions {
		names = append(names, f.FunctionName)
	}
	return names
}

func (a api) lambda(t testing.TB, path string, out any) {
	t.Helper()
	text := a.do(t, "lambda", http.MethodGet, path, nil, "application/json")
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatalf("lambda %s: %v\n%s", path, err, text)
	}
}

// roles lists the names of roles, which no region has for itself.
func (a api) roles(t testing.TB) []string {
	t.Helper()
	var out struct {
		Names []string `xml:"ListRolesResult>Roles>member>RoleName"`
	}
	a.query(t, "iam", "2010-05-08", "ListRoles", nil, &out)
	return out.Names
}

// queues is SQS's own client, which is compiled anyway.
func (a api) queues() *sqs.Client {
	return sqs.NewFromConfig(aws.Config{
		Region:       a.region,
		BaseEndpoint: &a.endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
}
