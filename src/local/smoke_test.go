package local

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// tool returns the path of a program that a test needs. Without it the test is skipped;
// where INFRA_REQUIRED=1 says that all tools are there, it fails.
func tool(t testing.TB, name string, probe ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil && len(probe) > 0 {
		err = exec.Command(path, probe...).Run()
	}
	if err == nil {
		return path
	}
	if os.Getenv("INFRA_REQUIRED") == "1" {
		t.Fatalf("%s %s: %v", name, strings.Join(probe, " "), err)
	}
	t.Skipf("needs %s %s: %v", name, strings.Join(probe, " "), err)
	return ""
}

// awsEnv is the environment of a tool that talks to the service at url. Nothing of the
// user's own AWS set-up gets into it.
func awsEnv(t testing.TB, url string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + t.TempDir(),
		"AWS_ACCESS_KEY_ID=x",
		"AWS_SECRET_ACCESS_KEY=x",
		"AWS_DEFAULT_REGION=us-east-1",
		"AWS_ENDPOINT_URL=" + url,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_MAX_ATTEMPTS=1",
		"PYENV_ROOT=" + os.Getenv("PYENV_ROOT"),
		"PYENV_VERSION=" + os.Getenv("PYENV_VERSION"),
	}
}

// TestSmokeCommandLine runs what the README shows, as a user does.
func TestSmokeCommandLine(t *testing.T) {
	t.Parallel()
	command := tool(t, "aws", "--version")
	s := New(Options{})
	defer s.Close()
	server := httptest.NewServer(s)
	defer server.Close()
	url := server.URL + "/us-east-1/000000000000/q"
	global := []string{"--endpoint-url", server.URL}
	if version, _ := exec.Command(command, "--version").CombinedOutput(); strings.HasPrefix(string(version), "aws-cli/2") {
		global = append(global, "--cli-binary-format", "raw-in-base64-out")
	}
	for _, step := range []struct{ args, want string }{
		{"sqs create-queue --queue-name q", url},
		{"sqs send-message --queue-url " + url + " --message-body hello", "5d41402abc4b2a76b9719d911017c592"},
		{"sqs receive-message --queue-url " + url + " --wait-time-seconds 1 --attribute-names All", `"Body": "hello"`},
		{"iot create-thing-type --thing-type-name th", ":thingtype/th"},
		{"iot create-thing --thing-name a:1 --thing-type-name th", ":thing/a:1"},
		{"iot describe-thing --thing-name a:1", `"thingTypeName": "th"`},
		{`iot-data update-thing-shadow --thing-name a:1 --payload {"state":{"reported":{"t":21.5}}} /dev/stdout`, `"version":1`},
		{"--region us-east-1 iot-data get-thing-shadow --thing-name a:1 /dev/stdout", `"t":21.5`},
	} {
		cmd := exec.Command(command, append(global, strings.Fields(step.args)...)...)
		cmd.Env = awsEnv(t, server.URL)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), step.want) {
			t.Errorf("aws %s: %v, without %q:\n%s", step.args, err, step.want, out)
		}
	}
}

// TestSmokePrograms calls every operation through boto3, and through the code of the aws
// command line, which takes half a second to start for each if it is run as a command.
func TestSmokePrograms(t *testing.T) {
	for program, imports := range map[string]string{"boto.py": "boto3", "cli.py": "awscli.clidriver"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile("testdata/" + program)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range operationNames() {
				if !strings.Contains(string(text), spelled(name, "-")) && !strings.Contains(string(text), spelled(name, "_")) {
					t.Errorf("%s does not call %s", program, name)
				}
			}
			python := tool(t, "python3", "-c", "import "+imports)
			s := New(Options{})
			defer s.Close()
			server := httptest.NewServer(s)
			defer server.Close()
			cmd := exec.Command(python, "-c", string(text), server.URL)
			cmd.Env = awsEnv(t, server.URL)
			cmd.Dir = t.TempDir()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// operationNames are all that is implemented, as AWS names them.
func operationNames() (names []string) {
	for name := range sqsOperations {
		names = append(names, name)
	}
	for _, t := range iotRoutes {
		names = append(names, t.operation)
	}
	return names
}

// spelled writes CreateThing as create-thing.
func spelled(name, between string) string {
	var b strings.Builder
	for i, c := range name {
		if i > 0 && c < 'a' {
			b.WriteString(between)
		}
		b.WriteString(strings.ToLower(string(c)))
	}
	return b.String()
}
