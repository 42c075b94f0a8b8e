package lab

import (
	"net/netip"
	"os"
	"time"
)

// The regions of the lab: the processor is in the first, the replicator in the second.
const (
	Primary   = "us-east-1"
	Secondary = "eu-west-1"
)

// account owns all that is in the lab's AWS.
const account = "000000000000"

// A Plan is all that a lab is going to be, as data: the page shows it before and while
// it runs.
type Plan struct {
	AWS       netip.AddrPort `json:"aws"`  // the wire protocols, both regions
	HTTP      netip.AddrPort `json:"http"` // the page
	Data      string         `json:"data"` // where queues and shadows are kept; empty: in memory
	Ingestors []Ingestor     `json:"ingestors"`
	Queues    []Queue        `json:"queues"`
	Functions []Function     `json:"functions"`
}

// An Ingestor is one endpoint that firmware holds.
type Ingestor struct {
	Name   string         `json:"name"`
	Region string         `json:"region"`
	CoAP   netip.AddrPort `json:"coap"`  // UDP
	Admin  netip.AddrPort `json:"admin"` // TCP, on loopback
	Queue  string         `json:"queue"` // URL
	// Fallback is the URL of the other region's queue.
	Fallback string `json:"fallback"`

	environ []string
}

// A Queue is one SQS queue.
type Queue struct {
	Name       string        `json:"name"`
	Region     string        `json:"region"`
	URL        string        `json:"url"`
	Visibility time.Duration `json:"visibility"`
	Retention  time.Duration `json:"retention"`
	// DLQ names the queue of the same region that takes what was received MaxReceives
	// times; empty for a queue that is one itself.
	DLQ         string `json:"dlq,omitempty"`
	MaxReceives int    `json:"maxReceives,omitempty"`
}

// ARN is the queue's Amazon Resource Name.
func (q Queue) ARN() string { return arn(q.Region, q.Name) }

func arn(region, queue string) string { return "arn:aws:sqs:" + region + ":" + account + ":" + queue }

// A Function is a Lambda function and the event source mapping that calls it.
type Function struct {
	Name        string        `json:"name"`
	Region      string        `json:"region"`
	Queue       Queue         `json:"queue"`       // its event source
	BatchSize   int           `json:"batchSize"`   // messages an invocation, at most
	Window      time.Duration `json:"window"`      // to gather a batch; 0: each receive is a batch
	Concurrency int           `json:"concurrency"` // containers, at most
	Timeout     time.Duration `json:"timeout"`     // of one invocation

	environ []string
}

// The cloud's figures: what waits must outlive an outage, and expire in a queue only after
// it has been in the DLQ (a message there keeps its first enqueue time).
const (
	reportsQueue   = "coap-reports"
	dlqQueue       = "coap-reports-dlq"
	maxReceives    = 1000
	retention      = 12 * 24 * time.Hour
	dlqRetention   = 14 * 24 * time.Hour
	batchSize      = 10
	maxConcurrency = 2
)

// NewPlan returns the plan for endpoints at coap, AWS at awsAt and the page at httpAt,
// with functions that may run for timeout, and messages that come back after visibility
// if they are not settled.
func NewPlan(coap [4]netip.AddrPort, awsAt, httpAt netip.AddrPort, timeout, visibility time.Duration) Plan {
	p := Plan{AWS: awsAt, HTTP: httpAt}
	queue := map[string]Queue{}
	dlq := map[string]Queue{}
	for _, region := range []string{Primary, Secondary} {
		queue[region] = Queue{
			Name: reportsQueue, Region: region, URL: p.queueURL(region, reportsQueue),
			Visibility: visibility, Retention: retention, DLQ: dlqQueue, MaxReceives: maxReceives,
		}
		dlq[region] = Queue{
			Name: dlqQueue, Region: region, URL: p.queueURL(region, dlqQueue),
			Visibility: 30 * time.Second, Retention: dlqRetention,
		}
		p.Queues = append(p.Queues, queue[region], dlq[region])
	}
	for i, name := range []string{"use1-a", "euw1-a", "use1-b", "euw1-b"} {
		region, other := Primary, Secondary
		if i%2 == 1 {
			region, other = other, region
		}
		in := Ingestor{Name: name, Region: region, CoAP: coap[i], Admin: admin(coap[i]), Queue: queue[region].URL, Fallback: queue[other].URL}
		in.environ = p.childEnviron(region,
			"COAP_NAME="+name,
			"COAP_LISTEN="+in.CoAP.String(),
			"COAP_ADMIN="+in.Admin.String(),
			"COAP_QUEUE_URL="+in.Queue,
			"COAP_FALLBACK_QUEUE_URL="+in.Fallback,
		)
		p.Ingestors = append(p.Ingestors, in)
	}
	p.Functions = []Function{
		p.function("replicator", queue[Secondary], timeout,
			"COAP_QUEUE_URL="+queue[Secondary].URL,
			"COAP_PRIMARY_QUEUE_URL="+queue[Primary].URL,
			"COAP_PRIMARY_REGION="+Primary,
		),
		p.function("processor", queue[Primary], timeout,
			"COAP_QUEUE_URL="+queue[Primary].URL,
			"COAP_DLQ_URL="+dlq[Primary].URL,
		),
	}
	return p
}

// function returns a function in the region of its queue, with what Lambda itself sets
// in its environment (AWS Lambda Developer Guide, "Defined runtime environment
// variables"); AWS_LAMBDA_RUNTIME_API is each container's own.
func (p Plan) function(name string, source Queue, timeout time.Duration, environ ...string) Function {
	environ = append(environ,
		"AWS_DEFAULT_REGION="+source.Region,
		"AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_LAMBDA_FUNCTION_NAME="+name,
		"AWS_LAMBDA_FUNCTION_VERSION=1",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/"+name,
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"_HANDLER=bootstrap",
	)
	return Function{
		Name: name, Region: source.Region, Queue: source,
		BatchSize: batchSize, Concurrency: maxConcurrency, Timeout: timeout,
		environ: p.childEnviron(source.Region, environ...),
	}
}

// ARN is the function's Amazon Resource Name.
func (f Function) ARN() string {
	return "arn:aws:lambda:" + f.Region + ":" + account + ":function:" + f.Name
}

// Endpoint is the URL of the lab's AWS, for AWS_ENDPOINT_URL.
func (p Plan) Endpoint() string { return "http://" + reachable(p.AWS).String() }

func (p Plan) queueURL(region, name string) string {
	return p.Endpoint() + "/" + region + "/" + account + "/" + name
}

// inherited are the only variables that a child takes from the lab's own environment:
// never credentials, never a profile, never a COAP_ variable of the user's.
var inherited = []string{
	"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT",
	"GODEBUG", "GOTRACEBACK", "GORACE", "GOCOVERDIR",
}

// childEnviron is the whole environment of a child in region: own, and what makes the AWS
// SDK talk to the lab's AWS and to nothing else.
func (p Plan) childEnviron(region string, own ...string) []string {
	var environ []string
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			environ = append(environ, name+"="+value)
		}
	}
	environ = append(environ,
		"AWS_REGION="+region,
		"AWS_ENDPOINT_URL="+p.Endpoint(),
		"AWS_ACCESS_KEY_ID=lab",
		"AWS_SECRET_ACCESS_KEY=lab",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
	)
	return append(environ, own...)
}

// awsEnviron is the environment of the local AWS.
func (p Plan) awsEnviron() []string {
	return p.childEnviron(Primary, listenVariable+"="+p.AWS.String(), dataVariable+"="+p.Data)
}

// admin returns where an ingestor at coap has its admin endpoint: the same address if it
// is loopback, for it has no authentication, and a port 4000 up, or down at the end of the
// range.
func admin(coap netip.AddrPort) netip.AddrPort {
	port := coap.Port() + adminOffset
	if coap.Port() > 65535-adminOffset {
		port = coap.Port() - adminOffset
	}
	addr := coap.Addr()
	if !addr.IsLoopback() {
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(addr, port)
}

const adminOffset = 4000

// reachable returns an address at which this machine reaches a listener on at.
func reachable(at netip.AddrPort) netip.AddrPort {
	if at.Addr().IsUnspecified() {
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if at.Addr().Is6() {
			loopback = netip.IPv6Loopback()
		}
		return netip.AddrPortFrom(loopback, at.Port())
	}
	return at
}
