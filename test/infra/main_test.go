// Package infra holds the suites of the Terraform: each tier is a test function of its own,
// docs/testing.md has them in order.
package infra

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/gruntwork-io/terratest/modules/logger"
)

// atEnd runs when all tests have, the last first.
var atEnd []func()

func TestMain(m *testing.M) {
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
