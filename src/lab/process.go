package lab

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// A running is a child that has been started. Tests have their own.
type running interface {
	// done is closed when the child has ended and all its output has been handed on.
	done() <-chan struct{}
	// stop asks the child to end, kills it if it does not within limit, and returns
	// when it has ended.
	stop(limit time.Duration)
	// kill ends the child at once, as kill -9 does. It does not wait.
	kill()
	// fate says how the child ended; it is called after done.
	fate() string
}

// A process is a child process: of this program's own binary, but for tests.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{} // closed after Wait
	once  sync.Once     // closes stdin
}

// startProcess starts a child in role with environ as its whole environment. say is called
// with each line that it writes, without the line feed, one at a time.
func startProcess(role string, environ []string, say func(line []byte)) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's binary: %w", err)
	}
	return startCommand(exec.Command(self, ChildCommand, role), role, environ, say)
}

// startCommand starts cmd, which has a program and its arguments; name is for errors.
func startCommand(cmd *exec.Cmd, name string, environ []string, say func(line []byte)) (*process, error) {
	cmd.Env = environ
	cmd.SysProcAttr = ownGroup()
	// One writer for both, so that exec runs one goroutine and lines do not mix.
	lines := &lineWriter{say: say}
	cmd.Stdout, cmd.Stderr = lines, lines
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{cmd: cmd, stdin: stdin, ended: make(chan struct{})}
	go func() {
		cmd.Wait() // how it ended is in ProcessState
		lines.flush()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) done() <-chan struct{} { return p.ended }

func (p *process) stop(limit time.Duration) {
	p.once.Do(func() { p.stdin.Close() })
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.kill()
		<-p.ended
	}
}

func (p *process) kill() { p.cmd.Process.Kill() } // an error means that it has ended

func (p *process) fate() string { return p.cmd.ProcessState.String() }

// maxLine bounds a line of a child's log, as CloudWatch Logs does an event.
const maxLine = 256 << 10

// A lineWriter cuts what is written into lines. What exceeds maxLine is a line of its own.
type lineWriter struct {
	say  func([]byte)
	rest []byte
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		switch {
		case found:
			w.say(line)
			w.rest = rest
		case len(w.rest) > maxLine:
			w.flush()
		default:
			w.rest = append([]byte(nil), w.rest...) // let go of what has been said
			return len(b), nil
		}
	}
}

// flush says what is left without a line feed.
func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.say(w.rest)
		w.rest = nil
	}
}
