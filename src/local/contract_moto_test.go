package local

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
)

// motoVersion is the release that motoDeviations describes.
const motoVersion = "5.2.1"

// motoDeviations are the rules that moto does not keep, and what it does instead. One that
// it keeps after all fails the test, so that the list stays true.
var motoDeviations = map[string]string{
	"queue-list-prefix-and-pages":         "does not page, and takes any MaxResults",
	"queue-attribute-ranges":              "takes any value; text where a number belongs is an internal error",
	"queue-attribute-unknown":             "takes any attribute",
	"queue-tag-limits":                    "checks neither keys nor values",
	"send-characters":                     "takes every character",
	"send-empty-body":                     "takes an empty body",
	"send-size":                           "counts characters instead of bytes, and no attributes",
	"send-delay":                          "takes a negative delay",
	"send-deduplication-id":               "takes the parameter of FIFO queues",
	"send-group-id":                       "takes a group id of any length",
	"send-attribute-count":                "takes any number of attributes",
	"send-attribute-names":                "checks neither periods, prefixes nor length",
	"send-attribute-values":               "takes empty values, numbers that are none, and every character",
	"send-trace-header":                   "takes system attributes of any name",
	"send-batch-each-on-its-own":          "refuses the whole batch for one entry",
	"receive-ranges":                      "takes unknown system attributes",
	"delete-last-handle":                  "deletes with an old handle",
	"delete-invalid-handle":               "answers with status 400 instead of the model's 404",
	"change-not-in-flight":                "changes a message that is visible; errors have other codes and status",
	"dlq-after-max-receives":              "does not say from which queue a message came",
	"dlq-must-exist":                      "other error codes; takes any maxReceiveCount; text that is no JSON is an internal error",
	"dlq-allow-policy":                    "keeps the policy and does not enforce it",
	"dlq-allow-policy-form":               "takes any policy",
	"dlq-sources":                         "does not page",
	"dlq-gone":                            "loses messages whose dead-letter queue was deleted",
	"move-to-source":                      "has no message move tasks",
	"move-sent-messages-need-destination": "has no message move tasks",
	"move-start-refused":                  "has no message move tasks",
	"move-one-at-a-time-and-cancel":       "has no message move tasks",
	"thing-create-same-again":             "replaces the thing by one with another id",
	"thing-create-other-configuration":    "replaces the thing",
	"thing-create-again-keeps-shadow":     "wipes the shadow",
	"thing-name":                          "takes any name",
	"thing-attribute-limits":              "checks neither number nor characters",
	"thing-update":                        "leaves the version at 1",
	"thing-expected-version":              "ignores the expected version",
	"thing-delete":                        "a thing that does not exist is an error, and its shadow goes with it",
	"thing-list":                          "takes any page size",
	"type-create-same-again":              "takes another configuration of a type that exists",
	"type-limits":                         "checks nothing",
	"type-deprecated":                     "keeps no date of deprecation",
	"type-delete":                         "deletes a type that was not deprecated",
	"type-update":                         "has no UpdateThingType",
	"shadow-of-unregistered-thing":        "wants the thing to be registered",
	"shadow-null-deletes":                 "keeps an object of which nothing is left",
	"shadow-null-section":                 "ignores a section that is null",
	"shadow-array-null":                   "takes null in an array",
	"shadow-delta-metadata":               "has no metadata for the delta",
	"shadow-answer":                       "drops the client token",
	"shadow-metadata":                     "gives every field the time of the last update",
	"shadow-version":                      "a version for a shadow that does not exist is an internal error",
	"shadow-invalid":                      "takes some, and others are internal errors",
	"shadow-encoding":                     "has another error",
	"shadow-depth":                        "takes any depth",
	"shadow-size":                         "takes any size",
	"shadow-names":                        "says that the thing does not exist",
	"shadow-named":                        "lists shadows that were deleted, and takes names of any length",
	"shadow-named-list":                   "a thing that is not registered is an error, and nothing is paged",
	"publish-topics":                      "takes any topic",
	"publish-basic-ingest":                "takes any topic",
}

// motoPatience is how long the rules may sleep for moto, which has no clock of its own.
const motoPatience = 3 * time.Second

// TestContractMoto puts every rule to moto, whose users learn from it what differs.
func TestContractMoto(t *testing.T) {
	t.Parallel()
	url := startMoto(t)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	results := make([]motoResult, len(rules))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16) // rules sleep more than they work
	for i, r := range rules {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			results[i] = tryMoto(t, r, url, transport, "")
		})
	}
	wg.Wait()
	for i, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			known, listed := motoDeviations[r.name]
			got := results[i]
			if surprise := (len(got.failures) > 0) != listed; surprise && got.waits == 0 {
				got = tryMoto(t, r, url, transport, "again-") // in peace: real seconds pass while others work
			}
			switch {
			case got.waits > 0:
				t.Skipf("takes %v", got.waits)
			case len(got.failures) > 0 && !listed:
				t.Errorf("moto does not keep this rule, and it is not in the list:\n%s", strings.Join(got.failures, "\n"))
			case len(got.failures) == 0 && listed:
				t.Errorf("moto keeps this rule, though the list says %q", known)
			}
		})
	}
	for name := range motoDeviations {
		if !hasRule(name) {
			t.Errorf("the list names %s, which is no rule", name)
		}
	}
}

func hasRule(name string) bool {
	for _, r := range rules {
		if r.name == name {
			return true
		}
	}
	return false
}

// startMoto starts moto's server on a free port and ends it with the test.
func startMoto(t *testing.T) (url string) {
	python := tool(t, "python3", "-c", fmt.Sprintf("import moto, moto.server; assert moto.__version__ == %q, moto.__version__", motoVersion))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(address)
	var output bytes.Buffer
	cmd := exec.Command(python, "-c", "import sys; from moto.server import main; main(sys.argv[1:])", "-H", "127.0.0.1", "-p", port)
	cmd.Env = awsEnv(t, "http://"+address)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for begin := time.Now(); time.Since(begin) < 30*time.Second; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return "http://" + address
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	t.Fatalf("moto did not start:\n%s", output.Bytes())
	return ""
}

// motoResult is what came of a rule: what failed, or how long it wanted to sleep.
type motoResult struct {
	failures []string
	waits    time.Duration
}

// tryMoto puts a rule to moto.
func tryMoto(t *testing.T, r rule, url string, transport http.RoundTripper, prefix string) motoResult {
	return tryRule(t, r, &probe{
		clients: newClients(url, "us-east-1", transport),
		eu:      newClients(url, "eu-west-1", transport),
		unique:  prefix + uniqueName(r.name),
	})
}

// tryRule checks a rule without failing the test.
func tryRule(t *testing.T, r rule, p *probe) (result motoResult) {
	c := &collector{TB: t}
	p.TB = c
	known := make(map[string]bool)
	p.register = func(thing string) {
		if !known[thing] {
			known[thing] = true
			p.iot.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: &thing}) // a bad name fails later
		}
	}
	p.patience = motoPatience
	p.impatient = func(d time.Duration) {
		result.waits = d
		runtime.Goexit()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				c.Errorf("panic: %v", v) // of the rule, on an answer that lacks what AWS's has
			}
		}()
		r.check(p)
	}()
	<-done
	result.failures = c.failures
	return result
}

// A collector keeps failures instead of failing the test.
type collector struct {
	testing.TB

	mu       sync.Mutex // guards the following
	failures []string
}

func (c *collector) Helper() {}

func (c *collector) Error(args ...any) { c.Errorf("%s", fmt.Sprint(args...)) }

func (c *collector) Errorf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, fmt.Sprintf(format, args...))
}

func (c *collector) Fatal(args ...any) {
	c.Error(args...)
	runtime.Goexit()
}

func (c *collector) Fatalf(format string, args ...any) {
	c.Errorf(format, args...)
	runtime.Goexit()
}
