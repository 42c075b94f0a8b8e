// Command dist builds what is deployed: for linux/amd64 and linux/arm64 the ingestor and
// coapctl, for AWS Lambda (arm64) a zip for each function, and SHA256SUMS. The same
// source and the same Go give the same bytes, in any folder and on any machine, so that a
// deployment changes only what has changed.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	b := builder{}
	flag.StringVar(&b.dir, "out", "dist", "the `folder` to write to")
	flag.StringVar(&b.goTool, "go", "go", "the Go `command`")
	flag.StringVar(&b.version, "version", "unknown", "what coapctl says of its version")
	flag.Parse()
	if err := b.build(); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

// An artifact is one file that is deployed.
type artifact struct {
	path    string // below the folder
	source  string // package of the program
	arch    string
	zipped  bool  // the program is alone in a zip, as bootstrap
	maxSize int64 // that it must be smaller than; 0: any
}

const mega = 1_000_000

// The ingestor is fetched and checked by an instance of 512 MiB while it boots; a small
// zip makes the first call of a function short.
var artifacts = []artifact{
	{path: "canary.zip", source: "./src/canary/lambda", arch: "arm64", zipped: true, maxSize: 10 * mega},
	{path: "linux-amd64/coapctl", source: "./src/coapctl", arch: "amd64"},
	{path: "linux-amd64/ingestor", source: "./src/ingestor/daemon", arch: "amd64", maxSize: 20 * mega},
	{path: "linux-arm64/coapctl", source: "./src/coapctl", arch: "arm64"},
	{path: "linux-arm64/ingestor", source: "./src/ingestor/daemon", arch: "arm64", maxSize: 20 * mega},
	{path: "processor.zip", source: "./src/processor/lambda", arch: "arm64", zipped: true, maxSize: 10 * mega},
	{path: "replicator.zip", source: "./src/replicator/lambda", arch: "arm64", zipped: true, maxSize: 10 * mega},
}

// A builder builds the artifacts of the module in the working directory.
type builder struct {
	dir, goTool, version string
}

func (b *builder) build() error {
	temporary, err := os.MkdirTemp("", "dist-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	var sums strings.Builder
	for _, a := range artifacts {
		target := filepath.Join(b.dir, a.path)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		program := target
		if a.zipped {
			program = filepath.Join(temporary, "bootstrap")
		}
		if err := b.compile(a, program); err != nil {
			return fmt.Errorf("build %s: %w", a.path, err)
		}
		if a.zipped {
			if err := writeZip(target, program); err != nil {
				return fmt.Errorf("write %s: %w", a.path, err)
			}
		}
		sum, size, err := sumOf(target)
		if err != nil {
			return err
		}
		if a.maxSize > 0 && size >= a.maxSize {
			return fmt.Errorf("%s has %.1f MB, want less than %d: see what it links with go tool nm -size -sort size", a.path, float64(size)/mega, a.maxSize/mega)
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, a.path)
		fmt.Printf("%s %6.1f MB  %s\n", sum[:12], float64(size)/mega, target)
	}
	return os.WriteFile(filepath.Join(b.dir, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// compile builds a program in which nothing tells when, where and from which commit: a
// commit that changes only a page of the documentation changes no program but coapctl,
// which tells its version.
func (b *builder) compile(a artifact, program string) error {
	link := "-s -w -buildid="
	if a.source == "./src/coapctl" {
		link += " -X main.stamped=" + b.version
	}
	build := exec.Command(b.goTool, "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", link, "-o", program, a.source)
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+a.arch, "CGO_ENABLED=0",
		"GOFLAGS=", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off")
	build.Stderr = os.Stderr
	return build.Run()
}
