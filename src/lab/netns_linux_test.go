package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A namespace is a network of its own on this machine. What is started or opened within
// it stays there: a socket, a process and its children.
type namespace struct {
	t    *testing.T
	name string
	file *os.File
}

// needNetns skips the test, or fails it where NETNS_REQUIRED is set, unless this process
// may make namespaces and filter packets in them.
func needNetns(t *testing.T) {
	t.Helper()
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root: run the tests as root")
	}
	for program, pkg := range map[string]string{"ip": "iproute2", "nft": "nftables"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program+": apt-get install "+pkg)
		}
	}
	if missing == nil {
		name := fmt.Sprintf("coap-lab-%d-probe", os.Getpid())
		if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
			missing = append(missing, fmt.Sprintf("permission to make a network namespace: %v: %s", err, out))
		} else if exec.Command("ip", "netns", "delete", name).Run() == nil {
			return
		}
	}
	if os.Getenv("NETNS_REQUIRED") == "1" {
		t.Fatalf("missing: %s", strings.Join(missing, "; "))
	}
	t.Skipf("missing: %s", strings.Join(missing, "; "))
}

// newNamespaces makes namespaces and runs build, which may use their names with ip. Then
// the names are taken away: the kernel keeps a namespace as long as something is in it, so
// none outlives the test, however that ends.
func newNamespaces(t *testing.T, n int, build func(spaces []*namespace)) []*namespace {
	t.Helper()
	var spaces []*namespace
	defer func() {
		for _, s := range spaces {
			if out, err := exec.Command("ip", "netns", "delete", s.name).CombinedOutput(); err != nil {
				t.Errorf("delete namespace %s: %v\n%s", s.name, err, out)
			}
		}
	}()
	for i := range n {
		s := &namespace{t: t, name: fmt.Sprintf("coap-lab-%d-%d", os.Getpid(), i)}
		if out, err := exec.Command("ip", "netns", "add", s.name).CombinedOutput(); err != nil {
			t.Fatalf("add namespace %s: %v\n%s", s.name, err, out)
		}
		spaces = append(spaces, s)
		var err error
		if s.file, err = os.Open(filepath.Join("/run/netns", s.name)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.file.Close() })
		s.run("ip", "link", "set", "lo", "up")
	}
	build(spaces)
	return spaces
}

// within runs f in the namespace, on a thread that ends with it. f may not leave the work
// to another goroutine.
func (s *namespace) within(f func() error) error {
	done := make(chan error, 1)
	go func() {
		finished := false
		defer func() {
			if !finished { // by t.FailNow
				done <- errors.New("given up")
			}
		}()
		runtime.LockOSThread() // and never unlocked: nobody else gets a thread that is elsewhere
		err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		finished = true
		done <- err
	}()
	return <-done
}

// run runs a command in the namespace, which must succeed.
func (s *namespace) run(name string, args ...string) {
	s.t.Helper()
	var out []byte
	err := s.within(func() (err error) {
		out, err = exec.Command(name, args...).CombinedOutput()
		return err
	})
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// link joins two namespaces by a wire. Each end has a device that is named after the
// other end, and an address.
func link(a, b *namespace, atA, atB, addrA, addrB string) {
	a.t.Helper()
	a.run("ip", "link", "add", atA, "type", "veth", "peer", "name", atB, "netns", b.name)
	a.run("ip", "addr", "add", addrA, "dev", atA)
	b.run("ip", "addr", "add", addrB, "dev", atB)
	a.run("ip", "link", "set", atA, "up")
	b.run("ip", "link", "set", atB, "up")
}

// lose makes the namespace drop so many of a hundred datagrams of UDP that reach it through
// dev.
func (s *namespace) lose(dev string, percent int) {
	s.t.Helper()
	s.run("nft", fmt.Sprintf(`table inet loss-%[1]s { chain in { type filter hook input priority 0; iifname "%[1]s" meta l4proto udp numgen random mod 100 < %[2]d drop; }; }`, dev, percent))
}

// cut makes the namespace drop all that reaches it through dev, until heal.
func (s *namespace) cut(dev string) {
	s.t.Helper()
	s.run("nft", fmt.Sprintf(`table inet cut-%[1]s { chain in { type filter hook input priority 0; iifname "%[1]s" drop; }; }`, dev))
}

func (s *namespace) heal(dev string) {
	s.t.Helper()
	s.run("nft", "delete", "table", "inet", "cut-"+dev)
}
