package infra

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/gruntwork-io/terratest/modules/terraform"

	"coap-for-aws-iot/test/cloud"
	"coap-for-aws-iot/test/stand"
)

// options run Terraform in a folder of a tree. endpoint is what plays AWS; "" for commands
// that ask nobody. Nothing is retried: a retry hides failures.
func options(t testing.TB, tree, folder, endpoint string) *terraform.Options {
	t.Helper()
	o := &terraform.Options{
		TerraformBinary: stand.Terraform(t),
		TerraformDir:    filepath.Join(tree, folder),
		PluginDir:       stand.Mirror(),
		EnvVars:         stand.Environ(),
		NoColor:         true,
		Logger:          logger.Discard, // an error has its own text
	}
	if endpoint != "" {
		o.EnvVars["AWS_ENDPOINT_URL"] = endpoint
	}
	if strings.HasPrefix(folder, "live/") {
		o.Vars = map[string]any{"account_id": cloud.Account}
	}
	return o
}

func TestValidate(t *testing.T) {
	t.Parallel()
	stand.Terraform(t)
	tree := stand.Tree(t)
	for _, folder := range append(stand.Modules(t), stand.Live(t)...) {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			o := options(t, tree, folder, "")
			o.Vars = nil // validate takes none
			terraform.InitAndValidateContext(t, t.Context(), o)
		})
	}
}

// TestModules runs each module's own tests, which need no cloud: its validations,
// preconditions, names and numbers.
func TestModules(t *testing.T) {
	t.Parallel()
	stand.Terraform(t)
	tree := stand.Tree(t)
	for _, folder := range stand.Modules(t) {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			tests, err := filepath.Glob(filepath.Join(tree, folder, "tests", "*.tftest.hcl"))
			if err != nil || len(tests) == 0 {
				t.Fatalf("there is no tests/*.tftest.hcl: %v", err)
			}
			o := options(t, tree, folder, "")
			terraform.InitContext(t, t.Context(), o)
			terraform.RunTerraformCommandContext(t, t.Context(), o, "test")
		})
	}
}
