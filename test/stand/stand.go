// Package stand is what the suites of Terraform stand on: the tools that they find or
// miss, a copy of the tree in which to run, and moto as AWS.
//
//	stand.go    what must be there, and what happens where it is not
//	check.go    the same, said once for all tests
//	mirror.go   where the provider comes from
//	tree.go     a copy of modules and roots
//	binary.go   the programs of this project
//	moto.go     moto's server
//	region.go   a proxy before it, in which a region can be down
package stand

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Need returns the path of a tool. Where it is missing the test is skipped with the reason,
// or fails with it if INFRA_REQUIRED is 1.
func Need(t testing.TB, tool, install string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		Missing(t, "%s is missing: %s", tool, install)
	}
	return path
}

// Missing ends a test that cannot run for want of something.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("INFRA_REQUIRED") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Terraform returns the path of terraform.
func Terraform(t testing.TB) string {
	t.Helper()
	return Need(t, "terraform", installTerraform)
}

// Root returns the root of the repository.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module coap-for-aws-iot\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside the repository of coap-for-aws-iot")
		}
		dir = parent
	}
}

// Modules lists the folders of modules, sorted, relative to the root of the repository.
func Modules(t testing.TB) []string { return folders(t, "modules") }

// Live lists those of root modules.
func Live(t testing.TB) []string { return folders(t, "live") }

// folders lists the folders below one that hold Terraform, relative to the root.
func folders(t testing.TB, below string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(Root(t), below, "*", "versions.tf"))
	if err == nil && len(found) == 0 {
		err = errors.New("none holds a versions.tf")
	}
	if err != nil {
		t.Fatal(fmt.Errorf("list the folders of %s: %w", below, err))
	}
	for i, path := range found {
		found[i] = below + "/" + filepath.Base(filepath.Dir(path))
	}
	return found
}
