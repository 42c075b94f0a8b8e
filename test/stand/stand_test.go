package stand

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestMirrorIsWhereTerraformLooks(t *testing.T) {
	home, data := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_DATA_HOME", data)
	want := filepath.Join(data, "terraform", "plugins")
	folder := filepath.Join(want, "registry.terraform.io", "hashicorp", "aws", "5.100.0", runtime.GOOS+"_"+runtime.GOARCH)
	if got := Mirror(); got == want {
		t.Fatalf("%s is a mirror, and does not exist", got)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := Mirror(); got != want {
		t.Errorf("the mirror is %q, want %q", got, want)
	}
}

func TestCheckSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := Check(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "terraform is missing: install") || strings.Contains(err.Error(), "\n") {
		t.Errorf("without terraform: %v, want one line that says what to install", err)
	}
}

func TestFindMotoSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := findMoto(context.Background(), t.TempDir())
	if err == nil || !strings.HasPrefix(err.Error(), "moto "+motoVersion+" is missing") || strings.Contains(err.Error(), "\n") {
		t.Errorf("without python: %v, want one line", err)
	}
}

func TestTreeLeavesWorkingFilesOut(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"main.tf", ".terraform/modules.json", "terraform.tfstate", "terraform.tfstate.backup", ".terraform.lock.hcl", "terraform.tfvars", "terraform.tfvars.example"} {
		write(t, filepath.Join(folder, name), "x")
	}
	entries, err := sources{os.DirFS(folder)}.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if want := []string{"main.tf", "terraform.tfvars.example"}; !slices.Equal(got, want) {
		t.Errorf("copied %v, want %v", got, want)
	}
}

func TestADeadRegionAnswersNothing(t *testing.T) {
	moto := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer moto.Close()
	r := NewRegions(t, &Moto{URL: moto.URL})
	r.Down("eu-west-1")
	ask := func(region, service string) error {
		in, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		in.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/"+region+"/"+service+"/aws4_request, Signature=x")
		response, err := http.DefaultClient.Do(in)
		if err == nil {
			response.Body.Close()
		}
		return err
	}
	if err := ask("us-east-1", "sqs"); err != nil {
		t.Errorf("a region that is up: %v", err)
	}
	if ask("eu-west-1", "sqs") == nil {
		t.Error("a region that is down answered")
	}
	if err := ask("eu-west-1", "iam"); err != nil {
		t.Errorf("IAM is of no region: %v", err)
	}
	if got := r.Asked(); len(got) != 1 || !strings.HasPrefix(got[0], "eu-west-1 sqs, ") {
		t.Errorf("asked of dead regions: %v, want SQS of eu-west-1", got)
	}
	r.Down()
	if err := ask("eu-west-1", "sqs"); err != nil {
		t.Errorf("a region that is back: %v", err)
	}
}
