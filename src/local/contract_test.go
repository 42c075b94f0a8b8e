package local

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A rule is something that AWS documents, checked through the SDK. docs/local-aws.md has
// AWS's sentence for each. The same rules are put to another imitation of AWS in
// contract_moto_test.go.
type rule struct {
	name  string
	check func(p *probe)
}

// rules are all of them, by subject.
var rules = slices.Concat(queueRules, sendRules, receiveRules, deadLetterRules, moveRules, thingRules, thingTypeRules, shadowRules, publishRules)

// A probe is what a rule has to work with.
type probe struct {
	testing.TB
	clients                      // in us-east-1
	eu        clients            // in eu-west-1
	unique    string             // a prefix that no other rule uses
	register  func(thing string) // called before a shadow of the thing is touched, if it must be registered
	patience  time.Duration
	impatient func(d time.Duration) // what to do about a longer sleep
}

// sleep waits. For our own service that is no time at all: it runs in a bubble.
func (p *probe) sleep(d time.Duration) {
	if p.impatient != nil && d > p.patience {
		p.impatient(d)
	}
	time.Sleep(d)
}

// name makes a name of a queue, thing or type its own.
func (p *probe) name(s string) *string { return aws.String(p.unique + s) }

// queue makes a queue and returns its URL. Attributes come as name, value, name, value.
func (p *probe) queue(name string, attributes ...string) *string {
	p.Helper()
	return makeQueue(p, p.clients, *p.name(name), pairs(attributes))
}

func (p *probe) arn(name string) string {
	out := p.attributes(makeQueue(p, p.clients, *p.name(name), nil), "QueueArn")
	return out["QueueArn"]
}

func pairs(list []string) map[string]string {
	m := make(map[string]string)
	for i := 0; i < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

func TestContract(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range rules {
		if seen[r.name] {
			t.Errorf("two rules are called %s", r.name)
		}
		seen[r.name] = true
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{})
				defer s.Close()
				r.check(&probe{
					TB:      t,
					clients: inProcess(s),
					eu:      newClients("http://local.test", "eu-west-1", s.Transport()),
					unique:  uniqueName(r.name),
				})
			})
		})
	}
}

func uniqueName(rule string) string {
	if len(rule) > 40 {
		rule = rule[:40]
	}
	return strings.ReplaceAll(rule, " ", "-") + "-"
}

// refused checks a list of calls that must fail with one error.
func (p *probe) refused(code string, status int, calls map[string]error) {
	p.Helper()
	for what, err := range calls {
		wantError(p, what, err, code, status)
	}
}

// equal checks a value.
func equalTo[T comparable](p *probe, what string, got, want T) {
	p.Helper()
	if got != want {
		p.Errorf("%s: %v, want %v", what, got, want)
	}
}

// fine fails on an error, and drops what came with it.
func (p *probe) fine(_ any, err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func errorOf(_ any, err error) error { return err }

func itoa(n int64) string { return fmt.Sprint(n) }
