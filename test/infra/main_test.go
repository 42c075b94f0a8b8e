// Package infra holds the suites of the Terraform: each tier is a test function of its own,
// docs/testing.md has them in order.
package infra

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/gruntwork-io/terratest/modules/logger"

	"coap-for-aws-iot/src/lab"
	"coap-for-aws-iot/test/stand"
)

// atEnd runs when all tests have, the last first.
var atEnd []func()

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == lab.ChildCommand { // a process of the lab's, see TestRegionFailover
		lab.Child(os.Args[2])
	}
	if os.Getenv("INFRA_REQUIRED") == "1" {
		if err := stand.Check(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "infra:", err)
			os.Exit(1)
		}
	}
	logger.Default = logger.Discard // what fails says so itself, with Terraform's own words
	status := m.Run()
	for _, f := range slices.Backward(atEnd) {
		f()
	}
	os.Exit(status)
}

// lasting is a test in whose name something is made that others use too: what it would
// clean up, and its folders, stay until all tests have run.
type lasting struct{ testing.TB }

func (lasting) Cleanup(f func()) { atEnd = append(atEnd, f) }

func (lasting) Context() context.Context { return context.Background() }

func (l lasting) TempDir() string {
	dir, err := os.MkdirTemp("", "infra")
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
