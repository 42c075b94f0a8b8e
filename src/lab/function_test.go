package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// said collects lines that children write.
type said struct {
	mu    sync.Mutex // guards the following
	lines []string
}

func (s *said) line(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, string(line))
}

func (s *said) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(strings.Join(s.lines, "\n"), text)
}

// testLambda returns the test function, run by real processes under the real runtime of
// aws-lambda-go.
func testLambda(t *testing.T, concurrency int, timeout time.Duration, environ ...string) (*lambda, *said) {
	t.Helper()
	spec := Function{Name: "tested", Region: "eu-west-1", Concurrency: concurrency, Timeout: timeout}
	log := &said{}
	l := newLambda(spec, func(_ int, api string) (running, error) {
		return startProcess(roleTest, append(os.Environ(), append(environ,
			"AWS_LAMBDA_RUNTIME_API="+api, "AWS_LAMBDA_FUNCTION_NAME="+spec.Name)...), log.line)
	})
	t.Cleanup(l.close)
	return l, log
}

func invoke(l *lambda, do string, n int) (reply, error) {
	event, err := json.Marshal(order{do, n})
	if err != nil {
		return reply{}, err
	}
	response, err := l.invoke(context.Background(), event)
	if err != nil {
		return reply{}, err
	}
	var r reply
	return r, json.Unmarshal(response, &r)
}

// A container is used again, and sees what Lambda shows to a function.
func TestContainerIsReused(t *testing.T) {
	l, log := testLambda(t, 2, 20*time.Second)
	first, err := invoke(l, "print", 0)
	if err != nil {
		t.Fatal(err)
	}
	second, err := invoke(l, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if first.PID != second.PID || first.ID == second.ID || first.ID == "" {
		t.Errorf("one after the other: %+v, %+v", first, second)
	}
	if first.ARN != "arn:aws:lambda:eu-west-1:000000000000:function:tested" || first.Function != "tested" {
		t.Errorf("the function sees %+v", first)
	}
	if first.LeftMS < 15_000 || first.LeftMS > 20_000 {
		t.Errorf("%d ms left of 20 s", first.LeftMS)
	}
	l.close()
	if !log.has("printed by the function") || !log.has("no line feed") {
		t.Errorf("log %q", log.lines)
	}
	if _, err := invoke(l, "", 0); !errors.Is(err, errClosed) {
		t.Errorf("after close: %v", err)
	}
}

// One invocation at a time in a container, and as many containers as the concurrency.
func TestContainersAreBounded(t *testing.T) {
	l, _ := testLambda(t, 2, 20*time.Second)
	pids := make([]int, 6)
	var calls sync.WaitGroup
	for i := range pids {
		calls.Go(func() {
			r, err := invoke(l, "sleep", 100)
			if err != nil {
				t.Error(err)
			}
			pids[i] = r.PID
		})
	}
	calls.Wait()
	used := map[int]int{}
	for _, pid := range pids {
		used[pid]++
	}
	if len(used) != 2 {
		t.Errorf("invocations by process: %v, want two processes", used)
	}
	if stats, n := l.snapshot(); stats != (Invocations{Started: 6}) || n != 2 {
		t.Errorf("counted %+v in %d containers", stats, n)
	}
}

// Whatever a function does wrong is an error of that invocation only.
func TestFaultsOfFunctions(t *testing.T) {
	l, log := testLambda(t, 1, 500*time.Millisecond)
	for _, tt := range []struct {
		do      string
		n       int
		want    string
		survive bool // the container
	}{
		{"error", 0, "errorString: as ordered", true},
		{"pad", 6 << 20, "Function.ResponseSizeTooLarge", false}, // the runtime exits on a 413
		{"panic", 0, "as ordered", false},
		{"exit", 0, "the container's process ended: exit status 3", false},
		{"sleep", 30_000, "timed out after 500ms", false},
	} {
		before, err := invoke(l, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := invoke(l, tt.do, tt.n); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.do, err, tt.want)
		}
		after, err := invoke(l, "", 0)
		if err != nil {
			t.Errorf("after %s: %v", tt.do, err)
		}
		if (before.PID == after.PID) != tt.survive {
			t.Errorf("after %s: process %d, was %d", tt.do, after.PID, before.PID)
		}
	}
	if stats, _ := l.snapshot(); stats != (Invocations{Started: 15, Failed: 5, TimedOut: 1}) {
		t.Errorf("counted %+v", stats)
	}
	if !log.has("as ordered") {
		t.Error("the log of a panic is missing")
	}
}

// A container that died idle costs no invocation: nobody had handed it anything.
func TestIdleDeath(t *testing.T) {
	l, _ := testLambda(t, 1, 20*time.Second)
	var last reply
	for i, die := range []func(){
		func() { l.kill(0) },
		func() { l.kill(1) },
		func() { time.Sleep(100 * time.Millisecond) }, // of its own, see below
	} {
		do := ""
		if i == 2 {
			do = "last"
		}
		r, err := invoke(l, do, 0)
		if err != nil || r.PID == last.PID {
			t.Fatalf("%v, process %d after %d", err, r.PID, last.PID)
		}
		last = r
		die()
	}
	if _, err := invoke(l, "", 0); err != nil {
		t.Error(err)
	}
	if stats, n := l.snapshot(); stats.Failed != 0 || n != 1 {
		t.Errorf("counted %+v in %d containers", stats, n)
	}
	if l.kill(7) != 0 {
		t.Error("killed a container that there is not")
	}
}

// A container that dies with an event in its hands fails that invocation.
func TestDeathAtWork(t *testing.T) {
	l, _ := testLambda(t, 1, 20*time.Second)
	if _, err := invoke(l, "", 0); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, err := invoke(l, "sleep", 30_000)
		failed <- err
	}()
	for { // until it is at work
		l.mu.Lock()
		busy := len(l.idle) == 0
		l.mu.Unlock()
		if busy {
			break
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	l.kill(0)
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("%v, want an error that says that the process was killed", err)
	}
}

// A container that cannot start is an error of the invocation that wanted it.
func TestInitFaults(t *testing.T) {
	l, log := testLambda(t, 1, time.Second, initVariable+"=exit")
	if _, err := invoke(l, "", 0); err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("%v, want the exit status", err)
	}
	if !log.has("cannot start") {
		t.Errorf("log %q", log.lines)
	}
	l, _ = testLambda(t, 1, time.Second, initVariable+"=hang")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := l.invoke(ctx, []byte("{}")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the end of the caller's patience", err)
	}
	if _, n := l.snapshot(); n != 0 {
		t.Errorf("%d containers are left", n)
	}
}

// A child ends with the process that holds its stdin, whatever it does.
func TestChildEndsWithItsParent(t *testing.T) {
	for _, do := range []string{"", "hang", "deaf"} {
		p, err := startProcess(roleTest, append(os.Environ(), initVariable+"="+do, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1"), func([]byte) {})
		if err != nil {
			t.Fatal(err)
		}
		p.stdin.Close() // as the kernel does for a lab that was killed
		select {
		case <-p.done():
		case <-time.After(2 * drainLimit):
			p.kill()
			t.Errorf("%q: still there", do)
		}
	}
}

func TestLines(t *testing.T) {
	var got []string
	w := &lineWriter{say: func(line []byte) { got = append(got, fmt.Sprintf("%.4s%d", line, len(line))) }}
	for _, part := range []string{"ab", "c\n\nde", "f\ng", strings.Repeat("h", maxLine), "i\n", "rest"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	w.flush()
	w.flush()
	want := []string{"abc3", "0", "def3", fmt.Sprint("ghhh", maxLine+1), "i1", "rest4"}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("lines %q, want %q", got, want)
	}
}

// A container that dies before it asks for its next event has not had it: another one
// gets it.
func TestDeathBeforeNext(t *testing.T) {
	var children []*fakeChild
	apis := make(chan string, 2)
	l := newLambda(Function{Name: "f", Concurrency: 1, Timeout: 20 * time.Second}, func(_ int, api string) (running, error) {
		children = append(children, newFakeChild("f"))
		apis <- api
		return children[len(children)-1], nil
	})
	defer l.close()
	// serve has a container answer one event, and ask for no other.
	serve := func() {
		r := fakeRuntime{t, "http://" + <-apis}
		id, _ := r.next()
		r.expect("invocation/"+id+"/response", `{}`, nil, 202, accepted)
	}
	go serve()
	if _, err := l.invoke(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(50 * time.Millisecond) // the event waits for the first container
		children[0].end("died")
		serve()
	}()
	if _, err := l.invoke(context.Background(), nil); err != nil || len(children) != 2 {
		t.Errorf("%v, after %d containers", err, len(children))
	}
	if stats, _ := l.snapshot(); stats != (Invocations{Started: 2}) {
		t.Errorf("counted %+v", stats)
	}
}
