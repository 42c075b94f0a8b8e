package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"coap-for-aws-iot/src/lab"
)

// The children of a lab in a test are the test's own binary.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == lab.ChildCommand {
		lab.Child(os.Args[2])
	}
	time.Local = time.UTC // what is printed for a person is the same everywhere
	os.Exit(m.Run())
}

// command runs coapctl within this process and returns its exit code and what it wrote.
func command(t *testing.T, environment []string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	code = run(args, environment, streams{strings.NewReader(stdin), &out, &err})
	return code, out.String(), err.String()
}

// Whatever is wrong with a call is one line that says what to do.
func TestFaultyCalls(t *testing.T) {
	for _, tt := range []struct {
		args        string
		environment string
		code        int
		want        string
	}{
		{"", "", 2, `expected one of "lab", "send", "things", "version": see coapctl --help`},
		{"frob", "", 2, `unexpected argument frob: see coapctl --help`},
		{"lab --frob", "", 2, `unknown flag --frob: see coapctl lab --help`},
		{"lab extra", "", 2, `unexpected argument extra: see coapctl lab --help`},
		{"send th/a1", "", 2, `expected "<payload>": see coapctl send --help`},
		{"send --count x th/a1 {}", "", 2, `--count: expected a valid 64 bit int but got "x": see coapctl send --help`},
		{"send --count 2 th/a1 {}", "", 2, `--count is for a stream: give --every too`},
		{"send --count=-1 --every 1s th/a1 {}", "", 2, `--count -1: want 1 or more`},
		{"send --every 0s th/a1 1", "", 2, `--every 0s: want 1s or more`},
		{"send --every 1500ms th/a1 {}", "", 2, `--every 1.5s: want whole seconds, a year at most`},
		{"send --hard-limit=-4h th/a1 {}", "", 2, `--hard-limit -4h: want whole seconds, a year at most`},
		{"send --window 900ms th/a1 {}", "", 2, `--window 900ms: want 1s or more, less than 45s`},
		{"send --window 45s th/a1 {}", "", 2, `--window 45s: want 1s or more, less than 45s`},
		{"send th {}", "", 2, `th: want type/id, such as th/a1`},
		{"send th/a/1 {}", "", 2, `device th/a/1: type and id are each 1 to 128 of a-z A-Z 0-9 : _ -`},
		{"send --format json th/a1 {", "", 2, `the payload is not JSON: quote it as in '{"t":21.5}', or choose another --format`},
		{"send --endpoint ingestor.example.com th/a1 {}", "", 2, `--endpoint "ingestor.example.com": want an IP address and a port, such as 127.0.0.1:5683`},
		{"send --endpoint 0.0.0.0 th/a1 1", "", 2, `--endpoint "0.0.0.0": want the address of one ingestor, such as 127.0.0.1:5683`},
		{"send --endpoint coap://[::]:5684 th/a1 1", "", 2, `--endpoint "coap://[::]:5684": want the address of one ingestor, such as 127.0.0.1:5683`},
		{"send --endpoint 224.0.1.187 th/a1 1", "", 2, `--endpoint "224.0.1.187": want the address of one ingestor, such as 127.0.0.1:5683`},
		{"send --endpoint 255.255.255.255 th/a1 1", "", 2, `--endpoint "255.255.255.255": want the address of one ingestor, such as 127.0.0.1:5683`},
		{"send --endpoint [ff02::fd] th/a1 1", "", 2, `--endpoint "[ff02::fd]": want the address of one ingestor, such as 127.0.0.1:5683`},
		{"send th/a1 {t:21.5}", "", 2, `the payload begins like JSON and is none, so it would become a dead letter: quote it for the shell, as in '{"t":21.5}'; --format text sends it as it is`},
		{"send --endpoint 127.0.0.1 --endpoint coap://127.0.0.1:5683/ th/a1 {}", "", 2, `endpoint 127.0.0.1:5683 comes twice`},
		{"send --endpoint 1.1.1.1 --endpoint 1.1.1.2 --endpoint 1.1.1.3 --endpoint 1.1.1.4 --endpoint 1.1.1.5 th/a1 {}", "", 2, `a device has 1 to 4 endpoints, not 5`},
		{"send th/a1 " + strings.Repeat("x", 1025), "", 2, `the payload has 1025 bytes: a report is one datagram of at most 1152 bytes, its payload at most 1024`},
		{"things --aws --endpoint http://127.0.0.1:1", "", 2, `--endpoint and --aws can't be used together: see coapctl things --help`},
		{"things a.b", "", 2, `"a.b": a thing's name is 1 to 128 of a-z A-Z 0-9 : _ -`},
		{"things --endpoint 127.0.0.1", "", 2, `endpoint "127.0.0.1": want a URL such as http://127.0.0.1:4566`},
		{"things --endpoint http://127.0.0.1:1", "", 1, `nobody listens at http://127.0.0.1:1: start coapctl lab, or give --endpoint, or --aws for the real AWS`},
		{"lab --coap localhost", "", 2, `--coap "localhost": want an IP address and a port, such as 127.0.0.1:5683`},
		{"lab --aws x", "", 2, `--aws "x": want an IP address and a port, such as 127.0.0.1:4566`},
		{"lab --http 1.2.3.4:x", "", 2, `--http "1.2.3.4:x": want an IP address and a port, such as 127.0.0.1:8080`},
		{"lab --data main.go", "", 1, `keep data in main.go: that is no folder: name one, or one that is not there yet`},
		{"version", "COAP_LISTEN=:5683 PATH=/bin COAP_A=", 2, `COAP_A, COAP_LISTEN: not a variable of coapctl, which has flags only: unset it`},
	} {
		code, out, err := command(t, strings.Fields(tt.environment), "", strings.Fields(tt.args)...)
		if code != tt.code || out != "" || err != "coapctl: "+tt.want+"\n" {
			t.Errorf("%s: exit code %d\ngot  %s%swant coapctl: %s", tt.args, code, out, err, tt.want)
		}
	}
}

func TestHelp(t *testing.T) {
	for args, want := range map[string][]string{
		"--help":        {"lab ", "send ", "things ", "version "},
		"lab --help":    {"--coap", "--aws", "--http", "127.0.0.1:4566", "127.0.0.1:8080", "ready"},
		"send --help":   {"--endpoint", "--every", "--count", "--hard-limit", "--window", "--state", "--format", "--urgent", "--json", "127.0.0.1 to 127.0.0.4", "(1s)", "exit code", "s=1f4"},
		"things --help": {"--json", "--endpoint", "--aws", "--region", "http://127.0.0.1:4566", "us-east-1"},
	} {
		code, out, err := command(t, nil, "", strings.Fields(args)...)
		if code != 0 || err != "" {
			t.Errorf("%s: exit code %d, %s", args, code, err)
		}
		for _, text := range want {
			if !strings.Contains(out, text) {
				t.Errorf("%s does not mention %q:\n%s", args, text, out)
			}
		}
		if strings.Contains(out, "child") || strings.Contains(out, "${") {
			t.Errorf("%s shows what is not for users:\n%s", args, out)
		}
	}
	if code, out, _ := command(t, nil, "", "version"); code != 0 || !strings.HasPrefix(out, "coapctl ") {
		t.Errorf("version: %d %s", code, out)
	}
}
