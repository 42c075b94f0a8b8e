package cloud

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// A Daemon is a process of ours that serves until it is told to stop.
type Daemon struct {
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process has ended
	output *buffer
}

// StartDaemon starts a binary, with environ and PATH as its whole environment. It ends with
// the test.
func StartDaemon(t *testing.T, binary string, environ []string) (*Daemon, error) {
	t.Helper()
	d := &Daemon{cmd: exec.Command(binary), ended: make(chan struct{}), output: &buffer{}}
	d.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environ...)
	d.cmd.Stdout, d.cmd.Stderr = d.output, d.output
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	go func() {
		d.cmd.Wait() // that it ended is what matters; why is in its output
		close(d.ended)
	}()
	t.Cleanup(func() {
		d.cmd.Process.Kill() // it may have ended
		<-d.ended
	})
	return d, nil
}

// Output is what the daemon has logged so far.
func (d *Daemon) Output() string { return d.output.String() }
