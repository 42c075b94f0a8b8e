package infra

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"coap-for-aws-iot/test/stand"
)

func TestFormat(t *testing.T) {
	terraform := stand.Terraform(t)
	for _, folder := range []string{"modules", "live"} {
		cmd := exec.Command(terraform, "fmt", "-check", "-recursive", "-diff", folder)
		cmd.Dir = stand.Root(t)
		cmd.Env = stand.Environment()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("terraform fmt -recursive %s would change:\n%s", folder, out)
		}
	}
}

// TestSource holds the rules that Terraform itself does not check: everything is described
// and typed, nothing is called this, nothing is switched by count, nothing makes a secret.
func TestSource(t *testing.T) {
	root := stand.Root(t)
	for _, folder := range slices.Concat(stand.Modules(t), stand.Live(t)) {
		files, err := filepath.Glob(filepath.Join(root, folder, "*.tf"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range faults(t, folder+"/"+filepath.Base(file), text) {
				t.Error(fault)
			}
		}
	}
}

// Each rule is seen to be broken.
func TestSourceRules(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{`variable "a" { type = string }`, "has no description"},
		{`variable "a" { description = "A." }`, "has no type"},
		{`variable "A" {
			description = "A."
			type = string
		}`, "is not snake_case"},
		{`output "a" { value = 1 }`, "has no description"},
		{`resource "aws_sqs_queue" "this" {}`, "is called this"},
		{`resource "aws_sqs_queue" "reports" { count = 1 }`, "is switched by count"},
		{`module "region" { count = 1 }`, "is switched by count"},
		{`resource "aws_iam_access_key" "key" {}`, "is a secret in the state"},
		{`resource "aws_sqs_queue" "dead_letters" {}`, ""},
	} {
		got := strings.Join(faults(t, "test.tf", []byte(c.source)), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.source, got, c.want)
		}
	}
}

// TestProcessorDefaults: a root hands all options of the processor on, so its own default
// takes the module's place. A bound that the module has must not get lost on the way.
func TestProcessorDefaults(t *testing.T) {
	compared := 0
	module := variables(t, "modules/processor")
	for _, live := range stand.Live(t) {
		processor := variables(t, live)["processor"]
		if processor == nil {
			continue // the secondary has none
		}
		_, defaults, diagnostics := typeexpr.TypeConstraintWithDefaults(processor.Attributes["type"].Expr)
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		for name, got := range defaults.DefaultValues {
			want, diagnostics := module[name].Attributes["default"].Expr.Value(nil)
			if diagnostics.HasErrors() {
				t.Fatal(diagnostics)
			}
			if !want.Type().IsPrimitiveType() {
				continue // an empty list by any type
			}
			compared++
			if !got.RawEquals(want) {
				t.Errorf("%s: processor.%s is %#v by default, the module's is %#v", live, name, got, want)
			}
		}
	}
	if compared != 4 {
		t.Errorf("compared %d defaults, want 2 of each of 2 roots", compared)
	}
}

// variables are the variables of a folder's variables.tf.
func variables(t *testing.T, folder string) map[string]*hclsyntax.Body {
	t.Helper()
	name := filepath.Join(stand.Root(t), folder, "variables.tf")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, diagnostics := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	all := map[string]*hclsyntax.Body{}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		if block.Type == "variable" {
			all[block.Labels[0]] = block.Body
		}
	}
	return all
}

var (
	snakeCase = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	// secret are the resources whose state is a secret, or that only make sense with one.
	secret = regexp.MustCompile(`^(aws_iam_access_key|aws_key_pair|aws_iam_user_login_profile|random_password|tls_private_key|aws_secretsmanager_secret_version)$`)
)

// faults lists what breaks the rules in a file.
func faults(t *testing.T, name string, text []byte) (all []string) {
	t.Helper()
	file, diagnostics := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		say := func(what string) {
			all = append(all, block.TypeRange.String()+": "+block.Type+" "+strings.Join(block.Labels, ".")+" "+what)
		}
		has := func(attribute string) bool { return block.Body.Attributes[attribute] != nil }
		switch block.Type {
		case "variable", "output":
			if !has("description") {
				say("has no description")
			}
			if block.Type == "variable" && !has("type") {
				say("has no type")
			}
		case "resource", "data", "module":
			if has("count") {
				say("is switched by count: use for_each with stable keys")
			}
			if block.Labels[len(block.Labels)-1] == "this" {
				say("is called this: say what it is")
			}
			if secret.MatchString(block.Labels[0]) {
				say("is a secret in the state")
			}
		}
		if n := len(block.Labels); n > 0 && !snakeCase.MatchString(block.Labels[n-1]) {
			say("is not snake_case")
		}
	}
	return all
}
