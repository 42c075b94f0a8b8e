package client

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func openFile(t *testing.T, name string) *File {
	t.Helper()
	f, err := OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, filepath.Join(dir, "device"))
	if b, err := f.Load(); b != nil || err != nil {
		t.Errorf("%x, %v", b, err)
	}
	for _, want := range []string{"one", "two"} {
		if err := f.Save([]byte(want)); err != nil {
			t.Fatal(err)
		}
		if b, err := f.Load(); string(b) != want || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	}
	other := filepath.Join(dir, "other")
	if err := os.Link(f.name, other); err != nil {
		t.Fatal(err)
	}
	if err := f.Save([]byte("three")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(other); string(b) != "two" || err != nil {
		t.Errorf("the old file was written over: %q, %v", b, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%v is left, %v: want the file, its lock and the link", entries, err)
	}
	if _, err := OpenFile(filepath.Join(dir, "none", "device")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a folder that is not there: %v", err)
	}
}

// TestFileIsRegular: a Save renames a file to the name, which would replace a device such
// as /dev/null on the whole machine.
func TestFileIsRegular(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{dir, socket} {
		if f, err := OpenFile(name); err == nil || errors.Is(err, ErrInUse) {
			t.Errorf("opened %s: %v, %v", name, f, err)
		}
		if _, err := os.Stat(name + ".lock"); err == nil {
			t.Errorf("left a lock beside %s", name)
		}
	}
}

// TestFileInUse: one at a time, whether the other has saved or not.
func TestFileInUse(t *testing.T) {
	name := filepath.Join(t.TempDir(), "device")
	f := openFile(t, name)
	for range 2 {
		if _, err := OpenFile(name); !errors.Is(err, ErrInUse) {
			t.Errorf("opened twice: %v", err)
		}
		if err := f.Save([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	openFile(t, name)
}

// fileVariable names the file that this test binary is to open and keep, as another process.
const fileVariable = "TEST_OPEN_FILE"

// TestFileOfAProcessThatWasKilled: what it held is free at once.
func TestFileOfAProcessThatWasKilled(t *testing.T) {
	if name := os.Getenv(fileVariable); name != "" {
		openFile(t, name)
		fmt.Println("open")
		select {}
	}
	name := filepath.Join(t.TempDir(), "device")
	other := exec.Command(os.Args[0], "-test.run=^TestFileOfAProcessThatWasKilled$")
	other.Env = append(os.Environ(), fileVariable+"="+name)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "open\n" {
		t.Errorf("the other process says %q, %v", line, err)
	}
	if _, err := OpenFile(name); !errors.Is(err, ErrInUse) {
		t.Errorf("while the other process has it: %v", err)
	}
	other.Process.Kill()
	other.Wait()
	openFile(t, name)
}
