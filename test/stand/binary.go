package stand

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build builds a program of this project for this machine and returns its path. pkg is
// its folder below the root; tags may be empty.
func Build(t testing.TB, pkg, tags string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-tags", tags, "-o", binary, "./"+pkg)
	cmd.Dir = Root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return binary
}
