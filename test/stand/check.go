package stand

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const installTerraform = "install Terraform 1.11 or later, see https://developer.hashicorp.com/terraform/install"

// fetchLimit bounds the download of the provider, some 150 MB.
const fetchLimit = 5 * time.Minute

// Check returns an error of one line if what all suites of the Terraform need is missing:
// Terraform, the AWS provider, moto.
func Check(ctx context.Context) error {
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		return errors.New("terraform is missing: " + installTerraform)
	}
	dir, err := root()
	if err != nil {
		return err
	}
	if Mirror() == "" {
		if err := fetchProvider(ctx, terraform, filepath.Join(dir, "modules", "function", "versions.tf")); err != nil {
			return err
		}
	}
	_, err = findMoto(ctx, dir)
	return err
}

// fetchProvider sees whether terraform init gets the provider over the network.
func fetchProvider(ctx context.Context, terraform, versions string) error {
	text, err := os.ReadFile(versions)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "provider")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := os.WriteFile(filepath.Join(folder, "versions.tf"), text, 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, terraform, "init", "-backend=false")
	cmd.Dir = folder
	cmd.Env = Environment()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the AWS provider is missing: terraform init cannot fetch it (%w), and no local mirror holds it, see docs/testing.md", err)
	}
	return nil
}
