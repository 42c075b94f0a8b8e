package main

import (
	"os"
	"strings"
	"testing"

	"coap-for-aws-iot/src/lab"
)

// The children of a lab in a test are the test's own binary.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == lab.ChildCommand {
		lab.Child(os.Args[2])
	}
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
		{"send --seq x th/a1 {}", "", 2, `--seq: expected a valid 64 bit uint but got "x": see coapctl send --help`},
		{"things --aws --endpoint http://127.0.0.1:1", "", 2, `--endpoint and --aws can't be used together: see coapctl things --help`},
		{"things --endpoint 127.0.0.1", "", 1, `endpoint "127.0.0.1": want a URL such as http://127.0.0.1:4566`},
		{"things --endpoint http://127.0.0.1:1", "", 1, `nobody listens at http://127.0.0.1:1: start coapctl lab, or give --endpoint, or --aws for the real AWS`},
		{"lab --coap localhost", "", 1, `--coap "localhost": want an IP address and a port, such as 127.0.0.1:5683`},
		{"lab --aws x", "", 1, `--aws "x": want an IP address and a port, such as 127.0.0.1:4566`},
		{"lab --http 1.2.3.4:x", "", 1, `--http "1.2.3.4:x": want an IP address and a port, such as 127.0.0.1:8080`},
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
		"send --help":   {"--to", "--non", "--format", "--seq", "--timeout", "--json", "127.0.0.1:5683", "exit code"},
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
