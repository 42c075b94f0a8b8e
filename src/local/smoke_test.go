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

const smokeProgram = `
import boto3, json
sqs, iot, data = boto3.client("sqs"), boto3.client("iot"), boto3.client("iot-data")
url = sqs.create_queue(QueueName="q")["QueueUrl"]
sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": "m%d \u20ac" % i,
    "MessageAttributes": {"n": {"DataType": "Number", "StringValue": str(i)}}} for i in range(3)])
got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])["Messages"]
assert sorted(m["Body"] for m in got) == ["m%d \u20ac" % i for i in range(3)], got
assert got[0]["MD5OfMessageAttributes"], got
for m in got:
    sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
try:
    sqs.get_queue_url(QueueName="none")
    raise SystemExit("no error")
except sqs.exceptions.QueueDoesNotExist as e:
    assert e.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue", e.response
iot.create_thing_type(thingTypeName="th")
iot.create_thing(thingName="a:1", thingTypeName="th")
assert iot.describe_thing(thingName="a:1")["thingTypeName"] == "th"
data.update_thing_shadow(thingName="a:1", payload=json.dumps({"state": {"reported": {"t": 1}}}))
assert json.load(data.get_thing_shadow(thingName="a:1")["payload"])["state"]["reported"] == {"t": 1}
try:
    data.update_thing_shadow(thingName="a:1", payload=json.dumps({"state": {}, "version": 9}))
    raise SystemExit("no error")
except data.exceptions.ConflictException:
    pass
`

func TestSmokeBoto3(t *testing.T) {
	t.Parallel()
	python := tool(t, "python3", "-c", "import boto3")
	s := New(Options{})
	defer s.Close()
	server := httptest.NewServer(s)
	defer server.Close()
	cmd := exec.Command(python, "-c", smokeProgram)
	cmd.Env = awsEnv(t, server.URL)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
