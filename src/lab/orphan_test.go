package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// roleLab is a lab in a process of its own, with the options in labVariable.
const (
	roleLab     = "lab"
	labVariable = "TEST_LAB"
)

// aloneLab says which processes its lab has, as a line of JSON, and sleeps.
func aloneLab() {
	var o Options
	if err := json.Unmarshal([]byte(os.Getenv(labVariable)), &o); err != nil {
		panic(err)
	}
	l, err := Start(context.Background(), o)
	if err != nil {
		panic(err)
	}
	if code, _, err := report(l.Addresses()[1], "/th/a1", `{"n":1}`); err != nil {
		panic(fmt.Sprint(code, err))
	}
	for { // until both functions have a container
		time.Sleep(10 * time.Millisecond)
		if l.mappings["processor"].snapshot().Messages.Deleted > 0 {
			break
		}
	}
	var pids []int
	for _, s := range l.children {
		pids = append(pids, s.child.(*process).cmd.Process.Pid)
	}
	for _, m := range l.mappings {
		for _, c := range m.lambda.containers {
			pids = append(pids, c.child.(*process).cmd.Process.Pid)
		}
	}
	text, err := json.Marshal(pids)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
	select {}
}

// A lab that is killed by kill -9 leaves no process behind.
func TestNoOrphans(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks for processes in /proc")
	}
	var o Options
	o.CoAP, o.AWS, o.HTTP = testEndpoints(t)
	options, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, ChildCommand, roleLab)
	cmd.Env = append(os.Environ(), labVariable+"="+string(options))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	cmd.Process.Kill()
	cmd.Wait()
	var pids []int
	if err != nil || json.Unmarshal(line, &pids) != nil || len(pids) != 7 {
		t.Fatalf("processes %q (%v), want five children and two containers", line, err)
	}
	deadline := time.Now().Add(2 * drainLimit)
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Errorf("process %d is left", pid)
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	if err := NewPlan([4]netip.AddrPort(o.CoAP), o.AWS, o.HTTP, 1, 1).checkAddresses(); err != nil {
		t.Error(err)
	}
}

// alive reports whether a process is there and no zombie, which has no command line.
func alive(pid int) bool {
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && len(command) > 0
}
