//go:build unix

package local

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// The test binary serves a data directory when it is started with these.
const (
	childData   = "LOCAL_TEST_DATA"
	childNoSync = "LOCAL_TEST_NOSYNC"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childData); dir != "" {
		fmt.Fprintln(os.Stderr, serveChild(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func serveChild(dir string) error {
	s, err := Open(Options{Data: dir, noSync: os.Getenv(childNoSync) != ""})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { // ends with the test, whatever becomes of it
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	fmt.Println("http://" + listener.Addr().String())
	return http.Serve(listener, s)
}

// startChild starts this binary as a server of dir, under the command before if it is not
// empty, and returns its clients. kill ends it as hard as there is.
func startChild(t *testing.T, dir string, env string, before ...string) (c clients, kill func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := append(before, self)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), childData+"="+dir, env)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := cmd.StdinPipe(); err != nil { // open until this process ends
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	var once sync.Once
	kill = func() {
		once.Do(func() {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // all of its group: a tracer leaves its tracee behind
			cmd.Wait()
			transport.CloseIdleConnections()
		})
	}
	t.Cleanup(kill)
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server said nothing: %v", err)
	}
	return newClients(strings.TrimSpace(url), "us-east-1", transport), kill
}

// TestKill kills the process in the middle of its work, five times, and finds all that it
// answered for.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var known acknowledged
	for round := range 5 {
		c, kill := startChild(t, dir, "X=")
		if round == 0 {
			known = acknowledged{url: *makeQueue(t, c, "q", nil), sent: map[string]bool{}, versions: map[string]int64{}}
		}
		known.url = "http://x/us-east-1/000000000000/q"
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() { known.work(t, c, round, i) })
		}
		time.Sleep(300 * time.Millisecond)
		kill()
		wg.Wait()
		known.check(t, dir)
	}
	t.Logf("%d messages and %d versions were acknowledged", len(known.sent), known.updates)
	if len(known.sent) < 20 || known.updates < 20 {
		t.Error("too few to say anything")
	}
}

// acknowledged is what a service answered for.
type acknowledged struct {
	url string

	mu       sync.Mutex       // guards the following
	sent     map[string]bool  // bodies; false: deleted again
	unsure   map[string]bool  // bodies whose deletion was not answered
	versions map[string]int64 // of shadows
	updates  int
}

// work sends, deletes and updates until the server is gone.
func (k *acknowledged) work(t *testing.T, c clients, round, worker int) {
	thing := fmt.Sprint("thing-", worker)
	for i := 0; ; i++ {
		entries := batchOf("")[:3]
		for n := range entries {
			entries[n].MessageBody = aws.String(fmt.Sprint(round, " ", worker, " ", i, " ", n))
		}
		if _, err := c.sqs.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &k.url, Entries: entries}); err != nil {
			return
		}
		k.mu.Lock()
		for _, e := range entries {
			k.sent[*e.MessageBody] = true
		}
		k.mu.Unlock()
		doc, err := updateShadow(t, c, thing, fmt.Sprintf(`{"state":{"reported":{"i":%d}}}`, i))
		if err != nil {
			return
		}
		k.mu.Lock()
		k.versions[thing] = int64(doc["version"].(float64))
		k.updates++
		k.mu.Unlock()
		if i%2 == 0 {
			continue
		}
		got, err := c.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &k.url})
		if err != nil {
			return
		}
		for _, m := range got.Messages {
			k.mu.Lock()
			if k.unsure == nil {
				k.unsure = make(map[string]bool)
			}
			k.unsure[*m.Body] = true
			k.mu.Unlock()
			if _, err := c.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &k.url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				return
			}
			k.mu.Lock()
			delete(k.unsure, *m.Body)
			k.sent[*m.Body] = false
			k.mu.Unlock()
		}
	}
}

// check compares with what is in the data directory now.
func (k *acknowledged) check(t *testing.T, dir string) {
	t.Helper()
	s, err := Open(Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	has := make(map[string]bool)
	for _, m := range s.region("us-east-1").queues.get("q").messages {
		has[m.body] = true
	}
	for body, there := range k.sent {
		if has[body] != there && !k.unsure[body] {
			t.Errorf("message %q: %v, and the answer said %v", body, has[body], there)
		}
	}
	for thing, version := range k.versions {
		sh := s.region("us-east-1").shadows.of(thing).of[shadowKey{thing: thing}]
		if sh == nil || sh.version < version {
			t.Errorf("shadow of %s: %+v, and the answer said version %d", thing, sh, version)
		}
	}
}

// TestSyncBeforeAnswer traces system calls: each answer that promises something leaves
// after all that was written to the file has been synced. Without syncing, every one is found.
func TestSyncBeforeAnswer(t *testing.T) {
	t.Parallel()
	strace := tool(t, "strace", "-o", "/dev/null", "true")
	for name, env := range map[string]string{"with sync": "X=", "without sync": childNoSync + "=1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := filepath.Join(t.TempDir(), "trace")
			c, kill := startChild(t, t.TempDir(), env,
				strace, "-f", "-o", log, "-s", "24", "-e", "trace=read,write,pwrite64,fdatasync,fsync")
			promises := callsThatPromise(t, c)
			kill()
			trace, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			answers, unsynced := unsyncedAnswers(string(trace))
			if answers < promises {
				t.Fatalf("%d answers in the trace, want %d:\n%s", answers, promises, trace)
			}
			if name == "with sync" && unsynced > 0 {
				t.Errorf("%d of %d answers left before a sync:\n%s", unsynced, answers, trace)
			}
			if name != "with sync" && unsynced < promises {
				t.Errorf("only %d of %d answers were seen to leave before a sync", unsynced, promises)
			}
		})
	}
}

// callsThatPromise makes calls one after the other, each of which must be durable when it
// is answered, and returns how many.
func callsThatPromise(t *testing.T, c clients) (n int) {
	do := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	ctx := t.Context()
	url := makeQueue(t, c, "q", map[string]string{"VisibilityTimeout": "0"})
	n++
	do(c.sqs.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: batchOf("m")}))
	do(c.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String(strings.Repeat("x", 60<<10))}))
	do(updateShadow(t, c, "a", `{"state":{"reported":{"t":1}}}`))
	do(updateShadow(t, c, "a", `{"state":{"reported":{"t":2}}}`))
	do(c.iot.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: aws.String("th")}))
	do(c.iot.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("a")}))
	got, err := c.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 2})
	if err != nil || len(got.Messages) != 2 {
		t.Fatal(got, err)
	}
	do(c.sqs.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: aws.String("x"), ReceiptHandle: got.Messages[0].ReceiptHandle}}}))
	do(c.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: got.Messages[1].ReceiptHandle}))
	return n
}

var (
	traceRead  = regexp.MustCompile(`read\(\d+, "(POST|PUT|DELETE) |read resumed>"(POST|PUT|DELETE) `)
	traceWrite = regexp.MustCompile(`(pwrite64\(|pwrite64 resumed)`)
	traceSync  = regexp.MustCompile(`(fdatasync|fsync)(\(\d+\)| resumed.*\)) += 0`)
	traceReply = regexp.MustCompile(`write\(\d+, "HTTP/1.1 200`)
)

// unsyncedAnswers counts the answers of 200, of calls that came one after the other, and
// those that left with something written to the file and not synced, or without any sync.
// An answer to a call that wrote nothing (a receive) is not counted.
func unsyncedAnswers(trace string) (answers, unsynced int) {
	wrote, synced := false, false
	for line := range strings.Lines(trace) {
		switch {
		case traceRead.MatchString(line):
			wrote, synced = false, false
		case traceReply.MatchString(line):
			if wrote {
				answers++
				if !synced {
					unsynced++
				}
			}
		case traceSync.MatchString(line):
			synced = true
		case traceWrite.MatchString(line):
			wrote, synced = true, false
		}
	}
	return answers, unsynced
}
