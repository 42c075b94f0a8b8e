package stand

import (
	"archive/zip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Tree copies modules and roots into a folder of the test's own and returns it: Terraform
// writes beside what it reads. The roots keep their state there, and the artifacts are
// stand-ins of a few bytes.
func Tree(t testing.TB) string {
	t.Helper()
	root, tree := Root(t), t.TempDir()
	for _, name := range []string{"modules", "live"} {
		if err := os.CopyFS(filepath.Join(tree, name), sources{os.DirFS(filepath.Join(root, name))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, live := range Live(t) {
		write(t, filepath.Join(tree, live, "backend_override.tf"), "terraform {\n  backend \"local\" {}\n}\n")
	}
	for _, name := range []string{"processor.zip", "replicator.zip", "canary.zip"} {
		writeZip(t, filepath.Join(tree, "dist", name))
	}
	for _, name := range []string{"linux-arm64/ingestor", "linux-amd64/ingestor"} {
		write(t, filepath.Join(tree, "dist", name), "a stand-in for the ingestor\n")
	}
	return tree
}

// sources hides what Terraform has written beside the sources.
type sources struct{ fs.FS }

// ReadDir leaves out working folders, lock files and states.
func (s sources) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.FS, name)
	kept := entries[:0]
	for _, e := range entries {
		switch {
		case e.Name() == ".terraform", e.Name() == ".terraform.lock.hcl":
		case strings.Contains(e.Name(), ".tfstate"), strings.HasSuffix(e.Name(), ".tfvars"):
		default:
			kept = append(kept, e)
		}
	}
	return kept, err
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeZip writes an archive that has a bootstrap.
func writeZip(t testing.TB, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	archive := zip.NewWriter(file)
	w, err := archive.Create("bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("#!/bin/sh\n")); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
}
