package infra

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"coap-for-aws-iot/test/stand"
)

// TestRollout runs live/rollout with a terraform and an aws that write down what they are
// asked: one instance after the other, and none after one that is not answered.
func TestRollout(t *testing.T) {
	for _, c := range []struct {
		name, canary string // what CloudWatch has of each of the last minutes
		arguments    []string
		replaced     string
		ends         bool
	}{
		{"both", "1.0 1.0 1.0", []string{"us-east-1"}, "a b", true},
		{"one", "1.0 1.0 1.0", []string{"us-east-1", "b"}, "b", true},
		{"deaf", "1.0 1.0 0.0", []string{"us-east-1"}, "a", false},
		{"too soon", "1.0 1.0", []string{"us-east-1"}, "a", false},
		{"unknown letter", "1.0 1.0 1.0", []string{"us-east-1", "z"}, "", false},
		{"unknown root", "1.0 1.0 1.0", []string{"us-east-9"}, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			asked := filepath.Join(folder, "asked")
			program := func(name, text string) {
				if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/bash\n"+text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			program("terraform", `case "$*" in
*"output -json instances") echo '{"use1-a":"i-1","use1-b":"i-2"}' ;;
*"apply -replace="*) echo "$*" | sed 's/.*ingestor\["\(.\)"\].*/\1/' >>`+asked+` ;;
*) echo "terraform $*?" >&2; exit 1 ;;
esac
`)
			program("aws", "echo "+c.canary+"\n")
			cmd := exec.Command(filepath.Join(stand.Root(t), "live", "rollout"), c.arguments...)
			cmd.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "ROLLOUT_MINUTES=0")
			out, err := cmd.CombinedOutput()
			if (err == nil) != c.ends {
				t.Errorf("it ended with %v:\n%s", err, out)
			}
			text, _ := os.ReadFile(asked) // none, if nothing was replaced
			if got := strings.Join(strings.Fields(string(text)), " "); got != c.replaced {
				t.Errorf("replaced %q, want %q:\n%s", got, c.replaced, out)
			}
		})
	}
}
