// Tables writes the tables of inputs and outputs into the README of each module and each
// root, between two marks. The tables come from the Terraform itself; what stands around
// the marks is written by hand.
//
//	make tables
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}

// run brings every README below root up to date and says which have changed.
func run(root string) error {
	folders, err := folders(root)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		path := filepath.Join(folder, "README.md")
		old, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		text, err := readme(folder, string(old))
		if err != nil {
			return err
		}
		if text == string(old) {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
		fmt.Println("wrote", path)
	}
	return nil
}

// folders lists the folders of modules and roots.
func folders(root string) ([]string, error) {
	var all []string
	for _, below := range []string{"modules", "live"} {
		found, err := filepath.Glob(filepath.Join(root, below, "*", "versions.tf"))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			all = append(all, filepath.Dir(path))
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there is neither modules/ nor live/: run it in the root of the repository")
	}
	return all, nil
}
