package stand

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// motoVersion is what test/moto/launch.py patches.
const motoVersion = "5.2.1"

// Limits of moto's life.
const (
	motoStart   = 60 * time.Second
	motoInstall = 5 * time.Minute
)

// A Moto is a server of moto's that runs.
type Moto struct {
	URL string
}

// StartMoto starts moto with this project's additions, empty, on a free port. It ends with
// the test. Where moto is not installed it is, into .venv.
func StartMoto(t testing.TB) *Moto {
	t.Helper()
	python, err := findMoto(t.Context(), Root(t))
	if err != nil {
		Missing(t, "%v", err)
	}
	port := freePort(t)
	var said bytes.Buffer
	cmd := exec.Command(python, filepath.Join(Root(t), "test", "moto", "launch.py"), "-H", "127.0.0.1", "-p", port)
	cmd.Env = append(os.Environ(), "MOTO_IAM_LOAD_MANAGED_POLICIES=true", "PYTHONUNBUFFERED=1")
	cmd.Stdout, cmd.Stderr = &said, &said
	if _, err = cmd.StdinPipe(); err != nil { // open as long as this process lives, and moto with it
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatalf("start moto: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill() // it may have ended
		<-ended
	})
	m := &Moto{URL: "http://127.0.0.1:" + port}
	ctx, cancel := context.WithTimeout(t.Context(), motoStart)
	defer cancel()
	for !m.answers(ctx) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("start moto: it ended, %v, and said %s", err, said.String())
		case <-ctx.Done():
			t.Fatalf("start moto: it does not answer after %v", motoStart)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return m
}

func (m *Moto) answers(ctx context.Context) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL+"/moto-api/", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// findMoto returns a Python that has moto's server in the version that is wanted. Where
// there is none it installs it into .venv.
func findMoto(ctx context.Context, root string) (python string, err error) {
	venv := filepath.Join(root, ".venv")
	own := filepath.Join(venv, "bin", "python3")
	for _, python := range []string{"python3", own} {
		if hasMoto(python) {
			return python, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, motoInstall)
	defer cancel()
	for _, command := range [][]string{
		{"python3", "-m", "venv", venv},
		{own, "-m", "pip", "install", "--quiet", "moto[server]==" + motoVersion},
	} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("moto %s is missing, and cannot be installed into .venv: %s", motoVersion, lastLine(out, err))
		}
	}
	return own, nil
}

func hasMoto(python string) bool {
	ask := fmt.Sprintf("import flask, importlib.metadata as m; assert m.version('moto') == %q", motoVersion)
	return exec.Command(python, "-c", ask).Run() == nil
}

// lastLine is the one line of a failed command that says most.
func lastLine(out []byte, err error) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if last := lines[len(lines)-1]; len(last) > 0 {
		return string(last)
	}
	return err.Error()
}

func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
