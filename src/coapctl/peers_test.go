package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/udp"

	"coap-for-aws-iot/src/metric"
)

// The peer tests run the built coapctl, as a user does, and speak to it with clients
// that are none of ours. Its addresses are not the lab's own, so that a lab that runs
// already is left alone.
var (
	peerEndpoints = []string{"127.0.9.1", "127.0.9.2", "127.0.9.3", "127.0.9.4"}
	peerAWS       = "http://127.0.9.1:4566"
	peerPage      = "http://127.0.9.1:8080"
)

// need skips the test, or fails it where PEERS_REQUIRED is set, unless a program is
// there.
func need(t *testing.T, program, install string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("PEERS_REQUIRED") == "1" {
		t.Fatalf("%s is missing: %s", program, install)
	}
	t.Skipf("%s is missing: %s", program, install)
}

// startLab builds coapctl, runs its lab for the length of the test, and returns the
// program and what it printed up to the line that begins with ready.
func startLab(t *testing.T) (program, printed string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "coapctl")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	lab := exec.Command(program, "lab", "--coap", strings.Join(peerEndpoints, ","),
		"--aws", strings.TrimPrefix(peerAWS, "http://"), "--http", strings.TrimPrefix(peerPage, "http://"))
	stdout, err := lab.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	lab.Stderr = &log
	if err := lab.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		lab.Process.Signal(syscall.SIGTERM)
		if err := lab.Wait(); err != nil {
			t.Errorf("the lab ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the lab's log:\n%s", log.String())
		}
	})
	begun := time.Now()
	var lines strings.Builder
	for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
		lines.WriteString(scanner.Text() + "\n")
		if strings.HasPrefix(scanner.Text(), "ready") {
			if d := time.Since(begun); d > 5*time.Second {
				t.Errorf("ready after %v, want 5 s", d)
			}
			go func() {
				for scanner.Scan() { // so that the lab never blocks on its output
				}
			}()
			return program, lines.String()
		}
	}
	t.Fatalf("the lab is not ready; it printed\n%s", lines.String())
	return "", ""
}

// awsCommand is the AWS command line, pointed at the lab.
func awsCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "aws", append([]string{"--region", "us-east-1", "--endpoint-url", peerAWS}, args...)...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null")
	return cmd
}

// shadow waits until a thing's shadow reports want under a key, and fails after limit.
func shadow(t *testing.T, thing, key string, want any, limit time.Duration) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		out, err := signedGet(t, "/things/"+thing+"/shadow")
		if err != nil {
			last = err.Error()
			continue
		}
		last = string(out)
		var document struct {
			State struct{ Reported map[string]any }
		}
		if err := json.Unmarshal(out, &document); err == nil && fmt.Sprint(document.State.Reported[key]) == fmt.Sprint(want) {
			return
		}
	}
	t.Errorf("%s: the shadow does not report %s = %v within %v: %s", thing, key, want, limit, last)
}

// signedGet reads from the lab's AWS IoT; its signature names the region and is not
// checked.
func signedGet(t *testing.T, path string) ([]byte, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", peerAWS+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iotdata/aws4_request, SignedHeaders=host, Signature=x")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		return nil, err
	}
	if response.StatusCode != 200 {
		return nil, fmt.Errorf("%s: %s", response.Status, body.String())
	}
	return body.Bytes(), nil
}

// A peer posts a payload and fails unless it is answered 2.04.
type peer struct {
	name string
	post func(ctx context.Context, endpoint, path string, confirmable bool, format int, payload []byte) error
}

func libcoap(ctx context.Context, endpoint, path string, confirmable bool, format int, payload []byte) error {
	args := []string{"-m", "post", "-t", fmt.Sprint(format), "-f", "-", "-B", "5", "-v", "6"}
	if !confirmable {
		args = append(args, "-N")
	}
	cmd := exec.CommandContext(ctx, "coap-client-notls", append(args, "coap://"+endpoint+path)...)
	cmd.Stdin = bytes.NewReader(payload)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("2.04")) {
		return fmt.Errorf("%v: %s", err, out)
	}
	if confirmable && !bytes.Contains(out, []byte("t:ACK c:2.04")) && !bytes.Contains(out, []byte("t=ACK")) {
		return fmt.Errorf("not piggybacked on the ACK: %s", out)
	}
	return nil
}

func node(ctx context.Context, endpoint, path string, confirmable bool, format int, payload []byte) error {
	kind := "non"
	if confirmable {
		kind = "con"
	}
	out, err := exec.CommandContext(ctx, "node", "../../test/peers/post.js", "coap://"+endpoint+path, fmt.Sprint(format), kind, fmt.Sprintf("hex:%x", payload)).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "2.04" {
		return fmt.Errorf("%v: %s", err, out)
	}
	return nil
}

func goCoAP(ctx context.Context, endpoint, path string, confirmable bool, format int, payload []byte) error {
	conn, err := udp.Dial(endpoint + ":5683")
	if err != nil {
		return err
	}
	defer conn.Close()
	request, err := conn.NewPostRequest(ctx, path, message.MediaType(format), bytes.NewReader(payload))
	if err != nil {
		return err
	}
	request.SetType(message.Confirmable)
	if !confirmable {
		request.SetType(message.NonConfirmable)
	}
	response, err := conn.Do(request)
	if err != nil {
		return err
	}
	if got := fmt.Sprintf("%d.%02d", response.Code()>>5, response.Code()&31); got != "2.04" {
		return fmt.Errorf("answered %s", got)
	}
	return nil
}

func TestPeers(t *testing.T) {
	if os.Getenv("PEERS") == "" {
		t.Skip("needs the lab's ports: make peers")
	}
	need(t, "coap-client-notls", "apt-get install libcoap3-bin")
	need(t, "curl", "apt-get install curl")
	need(t, "node", "install Node.js 20 or later")
	need(t, "npm", "install npm")
	need(t, "aws", "install the AWS command line")
	need(t, "python3", "install Python 3 with boto3")
	if out, err := exec.Command("npm", "ci", "--prefix", "../../test/peers", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	program, printed := startLab(t)
	for _, endpoint := range peerEndpoints {
		if !strings.Contains(printed, endpoint) {
			t.Errorf("the lab does not print %s:\n%s", endpoint, printed)
		}
	}
	t.Run("Reports", testReports)
	t.Run("AWSTools", testAWSTools)
	t.Run("README", func(t *testing.T) { testREADME(t, program) })
	t.Run("Page", testPage)
}

// CON and NON, JSON and CBOR, from each client to each address.
func testReports(t *testing.T) {
	slots := make(chan struct{}, 4) // clients at a time
	var clients sync.WaitGroup
	n := 0
	for _, p := range []peer{{"libcoap", libcoap}, {"node", node}, {"go-coap", goCoAP}} {
		for i, endpoint := range peerEndpoints {
			for _, confirmable := range []bool{true, false} {
				for _, format := range []int{50, 60} {
					n++
					value := float64(n) + 0.5
					payload := fmt.Appendf(nil, `{"t":%v,"by":"%s"}`, value, p.name)
					if format == 60 {
						var err error
						if payload, err = cbor.Marshal(map[string]any{"t": value, "by": p.name}); err != nil {
							t.Fatal(err)
						}
					}
					thing := fmt.Sprintf("%s-%d-%t-%d", p.name, i, confirmable, format)
					slots <- struct{}{}
					clients.Go(func() {
						defer func() { <-slots }()
						ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
						defer cancel()
						if err := p.post(ctx, endpoint, "/peer/"+thing, confirmable, format, payload); err != nil {
							t.Errorf("%s: %v", thing, err)
							return
						}
						shadow(t, thing, "t", value, 10*time.Second)
						shadow(t, thing, "by", p.name, time.Second)
					})
				}
			}
		}
	}
	clients.Wait()
}

// The ordinary AWS command line and boto3 find what a device said through eu-west-1
// within two seconds.
func testAWSTools(t *testing.T) {
	if err := libcoap(t.Context(), peerEndpoints[1], "/th/tools", true, 50, []byte(`{"t":21.5}`)); err != nil {
		t.Fatal(err)
	}
	shadow(t, "tools", "t", 21.5, 2*time.Second)
	out, err := awsCommand(t.Context(), "iot-data", "get-thing-shadow", "--thing-name", "tools", "/dev/stdout").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(`"t":21.5`)) {
		t.Errorf("aws iot-data get-thing-shadow: %v: %s", err, out)
	}
	out, err = awsCommand(t.Context(), "iot", "describe-thing", "--thing-name", "tools").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(`"thingTypeName": "th"`)) {
		t.Errorf("aws iot describe-thing: %v: %s", err, out)
	}
	script := `
import boto3
kw = dict(region_name="us-east-1", endpoint_url="` + peerAWS + `", aws_access_key_id="x", aws_secret_access_key="x")
print(boto3.client("iot-data", **kw).get_thing_shadow(thingName="tools")["payload"].read().decode())
print(boto3.client("iot", **kw).describe_thing(thingName="tools")["thingTypeName"])
print(sorted(boto3.client("sqs", **kw).list_queues()["QueueUrls"]))
`
	out, err = exec.Command("python3", "-c", script).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(`"t":21.5`)) || !bytes.Contains(out, []byte("\nth\n")) {
		t.Errorf("boto3: %v: %s", err, out)
	}
}

// The commands of the README that need a lab, word for word but for the addresses.
func testREADME(t *testing.T, program string) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(readme), "## Send a report")
	text, _, ok := strings.Cut(text, "## Deploy")
	if !ok {
		t.Fatal("the README has lost its sections on sending and looking")
	}
	here := strings.NewReplacer(
		"127.0.0.", "127.0.9.",
		"dist/coapctl send", program+" send --endpoint "+peerEndpoints[0],
		"dist/coapctl things", program+" things --endpoint "+peerAWS,
	)
	var transcript strings.Builder
	blocks := 0
	for rest := text; ; {
		_, block, found := strings.Cut(rest, "```sh\n")
		if !found {
			break
		}
		block, rest, _ = strings.Cut(block, "```")
		blocks++
		cmd := exec.Command("bash", "-e", "-o", "pipefail", "-c", here.Replace(block))
		cmd.Dir = "../.."
		out, err := cmd.CombinedOutput()
		transcript.Write(out)
		if err != nil {
			t.Errorf("%s%v: %s", block, err, out)
		}
		time.Sleep(2 * time.Second) // what the README promises at most, from report to shadow
	}
	if blocks < 5 {
		t.Errorf("only %d blocks of commands", blocks)
	}
	for _, want := range []string{"2.04", `23.5`, `"thingTypeName": "th"`} {
		if !strings.Contains(transcript.String(), want) {
			t.Errorf("the README's commands never print %s:\n%s", want, transcript.String())
		}
	}
}

// A browser shows the life of reports, and what an ingestor does without its queue.
func testPage(t *testing.T) {
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv("BROWSER_REQUIRED") == "1" {
			t.Fatal("chromium is missing: apt-get install chromium")
		}
		t.Skip("chromium is missing: apt-get install chromium")
	}
	say := func(endpoint string, reports int) {
		t.Helper()
		for n := range reports {
			if err := goCoAP(t.Context(), endpoint, "/peer/page", true, 50, fmt.Appendf(nil, `{"n":%d}`, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	say(peerEndpoints[1], 12)
	want := append(slices.Clone(metric.Life), "use1-a", "euw1-a", "use1-b", "euw1-b", "us-east-1", "eu-west-1", `[1-9]\d`)
	shows(t, want, "queue down", "is down")

	// A phone shows a part of the picture, and that there is more of it.
	for width, want := range map[int]bool{390: true, 1280: false} {
		if got := strings.Contains(dom(t, width), `<div class="scroll more"`); got != want {
			t.Errorf("%d pixels wide, the page goes on to the right: %v, want %v", width, got, want)
		}
	}

	// A region without its queue: the page says whose breaker is open, and where the reports are.
	controls := func(method, body string, want int) {
		request, err := http.NewRequest(method, peerAWS+"/_lab/faults", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Fatalf("%s of a fault: %s", method, response.Status)
		}
	}
	controls(http.MethodPost, `{"region":"us-east-1","service":"sqs","kind":"dead"}`, http.StatusCreated)
	defer controls(http.MethodDelete, "", http.StatusNoContent)
	say(peerEndpoints[0], 5)
	shows(t, []string{`queue down, [1-9]\d* to eu-west-1`, `use1-a\s+its queue is down`, `use1-a\s+fallback_stored\s+[1-9]`, `does not answer`})
}

// shows fails the test unless the page comes to match all of want and none of unwanted
// within half a minute: its figures are a second old, and more on a busy machine.
func shows(t *testing.T, want []string, unwanted ...string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		text := browse(t)
		wrong := ""
		for _, pattern := range want {
			if !regexp.MustCompile(pattern).MatchString(text) {
				wrong = "does not say " + pattern
			}
		}
		for _, pattern := range unwanted {
			if regexp.MustCompile(pattern).MatchString(text) {
				wrong = "says " + pattern
			}
		}
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the page %s:\n%s", wrong, text)
		}
	}
}

// browse returns what a browser shows of the lab's page.
func browse(t *testing.T) string {
	t.Helper()
	return regexp.MustCompile(`<(script|style)[^>]*>(?s:.*?)</(script|style)>|<[^>]*>`).ReplaceAllString(dom(t, 1280), " ")
}

// dom returns the lab's page as a browser has it whose window is so many pixels wide.
func dom(t *testing.T, width int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		fmt.Sprintf("--window-size=%d,1000", width), "--virtual-time-budget=5000", "--dump-dom", peerPage).Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return string(out)
}
