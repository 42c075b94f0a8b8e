package device

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
)

// TestTwinExample runs c/example.c, a check-in at a time, against four addresses that answer
// as an ingestor does.
func TestTwinExample(t *testing.T) {
	program := compile(t, "example", "example.c", "dp.c")
	servers := listenFour(t)
	file := filepath.Join(t.TempDir(), "kept")
	for _, step := range []struct {
		answers [N]coap.Response // to give; RST where there is none
		printed []string
		seen    []string
	}{
		{
			answers: [N]coap.Response{0: {Code: codes.Changed}},
			printed: []string{"CON s=0 to 0", "delivered, sleep "},
			seen:    []string{`0: POST th/a1 50 0 {"t":21.5}`},
		},
		{
			answers: [N]coap.Response{1: {Code: codes.ServiceUnavailable, MaxAge: 600}, 2: {Code: codes.Changed}},
			printed: []string{"CON s=1 to 1", "CON s=1 to 2", "delivered, sleep "},
			seen:    []string{`1: POST th/a1 50 1 {"t":21.5}`, `2: POST th/a1 50 1 {"t":21.5}`},
		},
		{
			answers: [N]coap.Response{3: {Code: codes.BadRequest}},
			printed: []string{"CON s=2 to 2", "CON s=2 to 3", "rejected, sleep "},
			seen:    []string{`2: POST th/a1 50 2 {"t":21.5}`, `3: POST th/a1 50 2 {"t":21.5}`},
		},
		{
			answers: [N]coap.Response{0: {Code: codes.Changed}},
			printed: []string{"CON s=3 to 3", "CON s=3 to 0", "delivered, sleep "},
			seen:    []string{`3: POST th/a1 50 3 {"t":21.5}`, `0: POST th/a1 50 3 {"t":21.5}`},
		},
		{
			answers: [N]coap.Response{0: {Code: codes.TooManyRequests, MaxAge: 7200}},
			printed: []string{"CON s=4 to 0", "busy, sleep 7200 s"},
			seen:    []string{`0: POST th/a1 50 4 {"t":21.5}`},
		},
		{
			printed: []string{"held, sleep "},
		},
	} {
		servers.expect(step.answers)
		args := append([]string{file, "th", "a1", `{"t":21.5}`, servers.port}, servers.addresses...)
		out, err := exec.Command(program, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		printed := strings.Split(strings.TrimSpace(string(out)), "\n")
		if !slices.EqualFunc(printed, step.printed, strings.HasPrefix) {
			t.Fatalf("printed\n%s\nnot\n%s", out, strings.Join(step.printed, "\n"))
		}
		if seen := servers.seen(); !slices.Equal(seen, step.seen) {
			t.Fatalf("the addresses saw %q, not %q", seen, step.seen)
		}
	}
}

// fourServers answer on four addresses of this machine, on the same port.
type fourServers struct {
	port      string
	addresses []string

	mu       sync.Mutex // guards the following
	answers  [N]coap.Response
	received []string
}

func listenFour(t *testing.T) *fourServers {
	t.Helper()
	s := &fourServers{port: "0"}
	var done sync.WaitGroup
	for i := range N {
		address := fmt.Sprintf("127.0.0.%d", i+1)
		conn, err := net.ListenPacket("udp4", net.JoinHostPort(address, s.port))
		if err != nil {
			t.Skipf("this machine has no %s: %v", address, err)
		}
		_, s.port, _ = net.SplitHostPort(conn.LocalAddr().String())
		s.addresses = append(s.addresses, address)
		done.Add(1)
		go func() {
			defer done.Done()
			s.serve(conn, i)
		}()
		t.Cleanup(func() { // last first: all are closed, then all have ended
			conn.Close()
			if i == 0 {
				done.Wait()
			}
		})
	}
	return s
}

func (s *fourServers) expect(answers [N]coap.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers, s.received = answers, nil
}

func (s *fourServers) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received
}

func (s *fourServers) serve(conn net.PacketConn, i int) {
	b := make([]byte, coap.MaxDatagram+1)
	for {
		n, from, err := conn.ReadFrom(b)
		if err != nil {
			return
		}
		var r coap.Request
		if v := coap.Classify(b[:n], &r); v.Action != coap.Handle {
			continue // and the test sees that nothing was seen
		}
		seq, _, _ := r.Seq()
		path := string(slices.Concat(r.Path()[0], []byte("/"), r.Path()[1]))
		s.mu.Lock()
		answer := s.answers[i]
		s.received = append(s.received, fmt.Sprintf("%d: %s %s %d %x %s", i, r.Method, path, r.ContentFormat, seq, r.Payload))
		s.mu.Unlock()
		reply := coap.AppendReset(nil, r.MessageID)
		if answer.Code != 0 {
			reply = r.Append(nil, 0, answer)
		}
		conn.WriteTo(reply, from)
	}
}
