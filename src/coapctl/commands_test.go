package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"coap-for-aws-iot/src/lab"
)

// runLab starts a lab on addresses that nothing else uses.
func runLab(t *testing.T) *lab.Lab {
	t.Helper()
	one := netip.MustParseAddr("127.0.0.1")
	var err error
	for range 20 {
		port := uint16(10_000 + 10*rand.IntN(1800))
		var l *lab.Lab
		l, err = lab.Start(t.Context(), lab.Options{
			CoAP: []netip.AddrPort{netip.AddrPortFrom(one, port)},
			AWS:  netip.AddrPortFrom(one, port+8), HTTP: netip.AddrPortFrom(one, port+9),
		})
		if err == nil {
			t.Cleanup(l.Close)
			return l
		}
	}
	t.Fatal(err)
	return nil
}

// A device sends, and an operator finds the thing.
func TestSendAndThings(t *testing.T) {
	l := runLab(t)
	at := func(i int) string { return l.Addresses()[i].String() }
	things := func(args ...string) (int, string, string) {
		return command(t, nil, "", append([]string{"things", "--endpoint", l.Plan().Endpoint()}, args...)...)
	}
	if code, out, _ := things(); code != 0 || out != "no things yet: coapctl send posts a report\n" {
		t.Errorf("things of a new lab: %d %s", code, out)
	}

	code, out, err := command(t, nil, "", "send", "--endpoint", at(0), "th/a1", `{"t":21.5}`)
	if want := regexp.MustCompile(`^delivered: CON to ` + at(0) + `, 2\.04 after [0-9.]+[mµ]?s\nA queue holds the report\.\n$`); code != 0 || !want.MatchString(out) || err != "" {
		t.Errorf("send: %d %s%s", code, out, err)
	}
	state := filepath.Join(t.TempDir(), "a2")
	for n := range 2 {
		code, out, _ = command(t, nil, "", "send", "--endpoint", at(1), "--endpoint", "coap://"+at(2)+"/", "--state", state, "--format", "cbor", "--json", "/th/a2", `{"t":22}`)
		var o outcome
		if json.Unmarshal([]byte(out), &o) != nil || code != 0 || o.Outcome != "delivered" || *o.Seq != uint32(n+1) || len(o.Attempts) != 1 || o.Attempts[0].Endpoint.String() != at(n+1) || o.Attempts[0].Answer.Code != "2.04" {
			t.Errorf("send --json: %d %s", code, out)
		}
	}

	deadline := time.Now().Add(5 * time.Second)
	for strings.Count(out, "\n") != 3 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
		_, out, _ = things()
	}
	if !strings.HasPrefix(out, "NAME   TYPE   VERSION   CHANGED\na1     th     ") {
		t.Errorf("things: %s", out)
	}
	var thing lab.Thing
	code, out, _ = things("--json")
	if lines := strings.Split(out, "\n"); code != 0 || len(lines) != 3 || json.Unmarshal([]byte(lines[1]), &thing) != nil || thing.Name != "a2" || thing.Type != "th" {
		t.Errorf("things --json: %d %s", code, out)
	}
	if code, out, _ = things("a1"); code != 0 || !strings.Contains(out, "\n      \"t\": 21.5\n") {
		t.Errorf("things a1: %d %s", code, out)
	}
	if code, out, _ = things("a1", "--json"); code != 0 || !strings.Contains(out, `"t":21.5`) || strings.Count(out, "\n") != 1 {
		t.Errorf("things a1 --json: %d %s", code, out)
	}
	if code, _, err = things("a9"); code != 1 || err != "coapctl: no shadow for a9: coapctl things lists those that are there\n" {
		t.Errorf("things a9: %d %s", code, err)
	}

	if err := l.Stop(t.Context(), "aws"); err != nil {
		t.Fatal(err)
	}
	code, out, _ = command(t, nil, "", "send", "--endpoint", at(3), "th/a1", `{"t":1}`)
	if code != 1 || !strings.HasPrefix(out, "busy: CON to "+at(3)+", 5.03 after ") || !strings.Contains(out, "(Max-Age ") {
		t.Errorf("send with the queue service stopped: %d %s", code, out)
	}
}

// On this machine the likely reason for silence is that no lab runs.
func TestNobodyListens(t *testing.T) {
	deaf, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	at := deaf.LocalAddr().String()
	code, out, complaint := command(t, nil, "", "send", "--endpoint", at, "th/a1", "1")
	want := "unverified: CON to " + at + ", silence\n" +
		"Whether a queue holds the report is unknown. Send it again. If nobody listens there: coapctl lab.\n"
	if code != 1 || out != want || complaint != "" {
		t.Errorf("%d %s%s, want %s", code, out, complaint, want)
	}
}

// Addresses as people write them.
func TestParseEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:5683", "192.0.2.1:1": "192.0.2.1:1", "coap://192.0.2.1/": "192.0.2.1:5683",
		"2001:db8::1": "[2001:db8::1]:5683", "[2001:db8::1]": "[2001:db8::1]:5683", "coap://[2001:db8::1]:9": "[2001:db8::1]:9",
	} {
		if got, err := parseEndpoint(text); err != nil || got.String() != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
}

// Who does not ask for the real AWS never meets it with real credentials.
func TestCloud(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "real")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "real")
	t.Setenv("AWS_REGION", "ap-south-1")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	for _, tt := range []struct {
		flags                 cloud
		variable              string // AWS_ENDPOINT_URL
		key, endpoint, region string
	}{
		{cloud{}, "", "lab", defaultEndpoint, "us-east-1"},
		{cloud{Region: "eu-west-1"}, "", "lab", defaultEndpoint, "eu-west-1"},
		{cloud{}, "http://localhost:1", "lab", "http://localhost:1", "us-east-1"},
		{cloud{Endpoint: "http://127.0.0.9:1"}, "http://localhost:1", "lab", "http://127.0.0.9:1", "us-east-1"},
		{cloud{}, "https://vpce.example.com", "real", "https://vpce.example.com", "us-east-1"},
		{cloud{AWS: true}, "", "real", "", "ap-south-1"},
		{cloud{AWS: true, Region: "eu-west-1"}, "", "real", "", "eu-west-1"},
	} {
		t.Setenv("AWS_ENDPOINT_URL", tt.variable)
		cfg, err := tt.flags.config(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		credentials, err := cfg.Credentials.Retrieve(context.Background())
		endpoint := ""
		if cfg.BaseEndpoint != nil {
			endpoint = *cfg.BaseEndpoint
		}
		if err != nil || credentials.AccessKeyID != tt.key || endpoint != tt.endpoint || cfg.Region != tt.region {
			t.Errorf("%+v with AWS_ENDPOINT_URL=%s: %s at %s in %s, %v", tt.flags, tt.variable, credentials.AccessKeyID, endpoint, cfg.Region, err)
		}
	}
}

// What is wrong with the way to AWS is said in words, and by nobody else.
func TestNoCloud(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_REGION": "", "AWS_ENDPOINT_URL": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
	answers := func(code int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	page, missing, empty := answers(200, "<html>"), answers(404, "<html>"), answers(404, "")
	const noCredentials = "no AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run aws configure"
	noAWS := func(at string) string {
		return "what answers at " + at + " is no AWS: give the --endpoint that coapctl lab prints beside AWS, or --aws for the real AWS"
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--aws"}, "no region: give --region, such as us-east-1"},
		{[]string{"--aws", "--region", "us-east-1"}, noCredentials},
		{[]string{"--endpoint", "https://vpce.example.com"}, noCredentials},
		{[]string{"--endpoint", page}, noAWS(page)},
		{[]string{"--endpoint", page, "a1"}, noAWS(page)},
		{[]string{"--endpoint", missing}, noAWS(missing)},
		{[]string{"--endpoint", missing, "a1"}, noAWS(missing)},
		{[]string{"--endpoint", empty}, noAWS(empty)},
		{[]string{"--endpoint", empty, "a1"}, noAWS(empty)},
	} {
		code, out, err := command(t, nil, "", append([]string{"things"}, tt.args...)...)
		if code != exitFault || out != "" || err != "coapctl: "+tt.want+"\n" {
			t.Errorf("things %s: exit code %d\ngot  %s%swant coapctl: %s", tt.args, code, out, err, tt.want)
		}
	}
}

// What coapctl lab prints can be copied as it is: word for word the README's.
func TestIntroduction(t *testing.T) {
	var four [4]netip.AddrPort
	for i := range four {
		four[i] = netip.MustParseAddrPort(fmt.Sprintf("127.0.0.%d:5683", i+1))
	}
	aws, page := netip.MustParseAddrPort("127.0.0.1:4566"), netip.MustParseAddrPort("127.0.0.1:8080")
	got := introduction(lab.NewPlan(four, aws, page, time.Second, time.Second), "dist/coapctl")
	const want = `use1-a   coap://127.0.0.1:5683   us-east-1
euw1-a   coap://127.0.0.2:5683   eu-west-1
use1-b   coap://127.0.0.3:5683   us-east-1
euw1-b   coap://127.0.0.4:5683   eu-west-1
AWS      http://127.0.0.1:4566   both regions, any credentials
page     http://127.0.0.1:8080

Try, in another terminal:

coap-client-notls -v 6 -m post -t 50 -e '{"t":21.5}' coap://127.0.0.2/th/a1
AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x aws --region us-east-1 --endpoint-url http://127.0.0.1:4566 iot-data get-thing-shadow --thing-name a1 /dev/stdout | cat
dist/coapctl send th/a1 '{"t":22}' && dist/coapctl things

`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for i := range four {
		four[i] = netip.AddrPortFrom(four[0].Addr(), uint16(7000+i))
	}
	got = introduction(lab.NewPlan(four, netip.MustParseAddrPort("127.0.0.1:7004"), page, time.Second, time.Second), "coapctl")
	for _, want := range []string{"coap://127.0.0.1:7001/th/a1", "coapctl send --endpoint 127.0.0.1:7000 th/a1", "coapctl things --endpoint http://127.0.0.1:7004\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}
