package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDist builds everything twice, in two folders of other names and depths and with a
// compile cache each, so it runs with DIST=1 only.
func TestDist(t *testing.T) {
	if os.Getenv("DIST") == "" {
		t.Skip("takes minutes: test/run dist runs it")
	}
	root := t.TempDir()
	first, second := filepath.Join(root, "a"), filepath.Join(root, "another", "deeper", "folder")
	build(t, first, os.Getenv("GOCACHE"))
	build(t, second, filepath.Join(root, "cache"))

	for _, a := range artifacts {
		one, two := read(t, first, a.path), read(t, second, a.path)
		if !bytes.Equal(one, two) {
			t.Errorf("%s: %d and %d bytes, which differ", a.path, len(one), len(two))
		}
	}
	if one, two := read(t, first, "SHA256SUMS"), read(t, second, "SHA256SUMS"); !bytes.Equal(one, two) {
		t.Errorf("SHA256SUMS differ:\n%s\n%s", one, two)
	}
	check := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = filepath.Join(first, "dist")
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, a := range artifacts {
		if a.zipped {
			checkZip(t, filepath.Join(first, "dist", a.path))
		}
	}
	for _, folder := range []string{first, second} {
		if b := read(t, folder, "linux-amd64/ingestor"); bytes.Contains(b, []byte(folder)) {
			t.Errorf("the ingestor tells that it was built in %s", folder)
		}
	}

	t.Run("the ingestor starts, amd64", func(t *testing.T) {
		const most = 100 * time.Millisecond
		fastest := time.Hour
		starts := 0
		for ; starts < 5 || starts < 50 && fastest >= most; starts++ { // more on a busy machine
			fastest = min(fastest, startsWithin(t, filepath.Join(first, "dist/linux-amd64/ingestor")))
		}
		t.Logf("ready after %v, the fastest of %d", fastest, starts)
		if fastest >= most {
			t.Errorf("ready after %v, want less than %v", fastest, most)
		}
	})
	t.Run("the ingestor starts, arm64", func(t *testing.T) {
		const emulator = "qemu-aarch64-static"
		if _, err := exec.LookPath(emulator); err != nil {
			if os.Getenv("INFRA_REQUIRED") == "1" {
				t.Fatalf("%s is missing: apt-get install qemu-user-static", emulator)
			}
			t.Skipf("%s is missing: apt-get install qemu-user-static", emulator)
		}
		t.Logf("ready after %v, emulated", startsWithin(t, emulator, filepath.Join(first, "dist/linux-arm64/ingestor")))
	})
}

// build copies the module to a folder and builds it there as make dist does.
func build(t *testing.T, folder, cache string) {
	t.Helper()
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join("../..", name))
		if err == nil {
			err = os.MkdirAll(folder, 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(folder, "src"), os.DirFS("..")); err != nil {
		t.Fatal(err)
	}
	run := exec.Command("go", "run", "./src/dist", "-version", "v1")
	run.Dir = folder
	run.Env = append(os.Environ(), "PWD="+folder)
	if cache != "" {
		run.Env = append(run.Env, "GOCACHE="+cache)
	}
	begun := time.Now()
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("built in %v", time.Since(begun).Round(time.Second))
}

func read(t *testing.T, folder, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, "dist", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A zip for Lambda has one file, bootstrap, that all may run.
func checkZip(t *testing.T, path string) {
	t.Helper()
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var files []string
	for _, f := range r.File {
		files = append(files, fmt.Sprint(f.Name, " ", f.Mode(), " ", f.Modified.UTC().Year()))
	}
	if want := []string{"bootstrap -rwxr-xr-x 1980"}; !slices.Equal(files, want) {
		t.Errorf("%s has %q, want %q", path, files, want)
	}
}

// startsWithin starts the ingestor and returns how long it took until it told the service
// manager that it is ready.
func startsWithin(t *testing.T, command ...string) time.Duration {
	t.Helper()
	at := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	daemon := exec.Command(command[0], command[1:]...)
	daemon.Env = []string{
		"NOTIFY_SOCKET=" + at, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"COAP_NAME=use1-a", "COAP_QUEUE_URL=http://127.0.0.1:1/us-east-1/000000000000/q",
		"COAP_FALLBACK_QUEUE_URL=http://127.0.0.1:1/eu-west-1/000000000000/q",
		"COAP_LISTEN=127.0.0.1:0", "COAP_ADMIN=127.0.0.1:0", "COAP_LOG_GROUP=/coap/ingestor",
	}
	var said strings.Builder
	daemon.Stdout, daemon.Stderr = &said, &said
	begun := time.Now()
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	manager.SetReadDeadline(begun.Add(time.Minute))
	n, err := manager.Read(buf)
	took := time.Since(begun)
	daemon.Process.Signal(syscall.SIGTERM)
	if ended := daemon.Wait(); err != nil || string(buf[:n]) != "READY=1" || ended != nil {
		t.Fatalf("told %q, %v; ended: %v\n%s", buf[:n], err, ended, &said)
	}
	return took
}

// What is too large for where it goes is not built.
func TestTooLarge(t *testing.T) {
	if os.Getenv("DIST") == "" {
		t.Skip("builds: test/run dist runs it")
	}
	before := artifacts
	defer func() { artifacts = before }()
	artifacts = []artifact{{path: "linux-amd64/ingestor", source: "./src/ingestor/daemon", arch: "amd64", maxSize: mega}}
	t.Chdir("../..")
	b := builder{dir: t.TempDir(), goTool: "go"}
	if err := b.build(); err == nil || !strings.Contains(err.Error(), "want less than 1") {
		t.Errorf("got %v", err)
	}
}
