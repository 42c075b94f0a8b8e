package infra

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"coap-for-aws-iot/test/stand"
)

// exposed is the most that systemd-analyze security may say of the ingestor's unit, in
// tenths: 0 is none, 100 is a service that nothing holds.
const exposed = "20"

// A bootFile is one that cloud-init writes.
type bootFile struct {
	Path        string
	Permissions string
	Content     string
}

// bootFiles reads user data as cloud-init does.
func bootFiles(t *testing.T, userData string) map[string]bootFile {
	t.Helper()
	var in struct {
		WriteFiles []bootFile `yaml:"write_files"`
		RunCmd     [][]string `yaml:"runcmd"`
	}
	if !strings.HasPrefix(userData, "#cloud-config\n") {
		t.Fatalf("user data does not begin with #cloud-config: %.60q", userData)
	}
	if err := yaml.Unmarshal([]byte(userData), &in); err != nil {
		t.Fatal(err)
	}
	files := map[string]bootFile{}
	for _, f := range in.WriteFiles {
		files[f.Path] = f
	}
	for _, command := range in.RunCmd {
		if _, ok := files[command[0]]; !ok {
			t.Errorf("the command %q is none of the files that are written", command[0])
		}
	}
	return files
}

// environmentFile reads a file as systemd's EnvironmentFile= does, of the plain lines that
// Terraform writes.
func environmentFile(t *testing.T, f bootFile) (environ []string) {
	t.Helper()
	line := regexp.MustCompile(`^[A-Z0-9_]+=[^"'\\ ]+$`)
	for text := range strings.Lines(f.Content) {
		text = strings.TrimSuffix(text, "\n")
		if !line.MatchString(text) {
			t.Errorf("%s: the line %q has another meaning in a shell than in systemd, or none", f.Path, text)
		}
		environ = append(environ, text)
	}
	return environ
}

// TestUserData takes each instance's user data from the API, as cloud-init will find it,
// and gives it to who will read it.
func TestUserData(t *testing.T) {
	s := applied(t)
	for _, region := range []string{primary, secondary} {
		api := s.api(region)
		for i, id := range slices.Sorted(maps.Keys(api.instances(t))) {
			text := api.userData(t, id)
			t.Run(region+" "+id, func(t *testing.T) {
				files := bootFiles(t, text)
				checkSize(t, text)
				checkSchema(t, text)
				checkScripts(t, files)
				checkUnits(t, files)
				if i == 0 { // the region's instances have the same one
					checkInstall(t, s, files)
				}
			})
		}
	}
}

// secrets are words that do not belong into what every process of an instance can read.
var secrets = regexp.MustCompile(`(?i)AKIA[0-9A-Z]{16}|secret|password|private key|session_token`)

func checkSize(t *testing.T, userData string) {
	t.Helper()
	if len(userData) > 16<<10 {
		t.Errorf("user data has %d bytes, more than EC2's 16 KiB", len(userData))
	}
	if found := secrets.FindString(userData); found != "" {
		t.Errorf("user data speaks of %q", found)
	}
}

func checkSchema(t *testing.T, userData string) {
	t.Helper()
	cloudInit := stand.Need(t, "cloud-init", "apt-get install cloud-init")
	file := filepath.Join(t.TempDir(), "user-data")
	if err := os.WriteFile(file, []byte(userData), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cloudInit, "schema", "--config-file", file).CombinedOutput(); err != nil {
		t.Errorf("cloud-init schema: %v\n%s", err, out)
	}
}

func checkScripts(t *testing.T, files map[string]bootFile) {
	t.Helper()
	bash := stand.Need(t, "bash", "apt-get install bash")
	scripts := 0
	for path, f := range files {
		if !strings.HasPrefix(f.Content, "#!/bin/bash\n") {
			continue
		}
		scripts++
		if f.Permissions != "0755" {
			t.Errorf("%s is a script with permissions %s", path, f.Permissions)
		}
		cmd := exec.Command(bash, "-n")
		cmd.Stdin = strings.NewReader(f.Content)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
	if scripts == 0 {
		t.Error("there is no script")
	}
}

// checkUnits gives the units to systemd, inside a root that holds what they name.
func checkUnits(t *testing.T, files map[string]bootFile) {
	t.Helper()
	analyze := stand.Need(t, "systemd-analyze", "apt-get install systemd")
	root := t.TempDir()
	put := func(path, text string, mode os.FileMode) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sysinit", "basic", "shutdown", "network-online", "multi-user"} {
		put("/etc/systemd/system/"+name+".target", "[Unit]\nDescription=a stand-in\n", 0o644)
	}
	put("/usr/local/bin/coap-ingestor", "#!/bin/sh\n", 0o755)
	var units []string
	for path, f := range files {
		mode := os.FileMode(0o644)
		if f.Permissions == "0755" {
			mode = 0o755
		}
		put(path, f.Content, mode)
		if dir, name := filepath.Split(path); dir == "/etc/systemd/system/" {
			units = append(units, name)
		}
	}
	if !slices.Contains(units, "coap-ingestor.service") {
		t.Fatalf("the units are %v, and none is coap-ingestor.service", units)
	}
	out, err := exec.Command(analyze, append([]string{"verify", "--man=no", "--root=" + root}, units...)...).CombinedOutput()
	if err != nil || len(out) > 0 { // what is unknown is ignored with a line, and counts as no error
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err = exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold="+exposed, "--root="+root, "coap-ingestor.service").CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: the unit is more exposed than %s: %v\n%s", exposed, err, out)
	}
}

// checkInstall runs the installer, in a folder, with moto as S3: it fetches what Terraform
// has put there, and believes the hash alone.
func checkInstall(t *testing.T, s *stack, files map[string]bootFile) {
	t.Helper()
	stand.Need(t, "aws", "pip install awscli")
	script, ok := files["/usr/local/sbin/coap-install"]
	if !ok {
		t.Fatal("there is no installer")
	}
	folder := t.TempDir()
	text := strings.Replace(script.Content, "/usr/local/bin/", folder+"/", 1)
	install := filepath.Join(folder, "install")
	if err := os.WriteFile(install, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(limit string, change func(environ []string) []string) ([]byte, error) {
		cmd := exec.Command("timeout", limit, install) // it tries again and again
		cmd.Env = append(stand.Environment(), "AWS_ENDPOINT_URL="+s.regions.URL)
		cmd.Env = append(cmd.Env, change(environmentFile(t, files["/etc/coap/artifact.env"]))...)
		return cmd.CombinedOutput()
	}
	if out, err := run("8", func(environ []string) []string {
		return append(environ, "ARTIFACT_SHA256="+strings.Repeat("0", 64))
	}); err == nil {
		t.Errorf("the installer took a binary with another hash:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(folder, "coap-ingestor")); err == nil {
		t.Error("a binary with another hash is installed")
	}
	if out, err := run("60", func(environ []string) []string { return environ }); err != nil {
		t.Errorf("the installer: %v\n%s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(folder, "coap-ingestor"))
	want, wantErr := os.ReadFile(filepath.Join(s.tree, "dist", "linux-arm64", "ingestor"))
	if err != nil || wantErr != nil || string(got) != string(want) {
		t.Error(fmt.Errorf("installed %q, want %q (%v, %v)", got, want, err, wantErr))
	}
}
