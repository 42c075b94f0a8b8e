package src_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the documents name has to exist: tests, by package, paths, and what make makes.
var (
	packageLine = regexp.MustCompile(`(?m)^package (\w+)`)
	testLine    = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Z]\w*)\(`)
	namedTest   = regexp.MustCompile("`(?:(\\w+)\\.)?((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`")
	namedTarget = regexp.MustCompile("(?m)(?:`|^)make ([a-z]+)")
	namedPath   = regexp.MustCompile("`((?:src|docs|test|modules|live|bench)/[\\w./-]+)`")
	link        = regexp.MustCompile(`\]\(([\w./-]+)[)#]`)
)

func TestDocuments(t *testing.T) {
	tests := testNames(t)
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	documents, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range append(documents, "../README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			at := fmt.Sprintf("%s:%d", document, n)
			in := "" // a name without a package is of the one before it in the line
			for _, match := range namedTest.FindAllStringSubmatch(line, -1) {
				named++
				if match[1] != "" {
					in = match[1]
				}
				if !tests[in+"."+match[2]] {
					t.Errorf("%s: there is no test %s.%s", at, in, match[2])
				}
			}
			for _, match := range namedTarget.FindAllStringSubmatch(line, -1) {
				if !strings.Contains(string(makefile), "\n"+match[1]+":") {
					t.Errorf("%s: there is no make %s", at, match[1])
				}
			}
			for _, match := range namedPath.FindAllStringSubmatch(line, -1) {
				exists(t, at, filepath.Join("..", match[1]))
			}
			for _, match := range link.FindAllStringSubmatch(line, -1) {
				exists(t, at, filepath.Join(filepath.Dir(document), match[1]))
			}
		}
	}
	if named < 50 {
		t.Errorf("the documents name only %d tests: are they looked at?", named)
	}
}

func exists(t *testing.T, at, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("%s: there is no %s", at, strings.TrimPrefix(path, "../"))
	}
}

// testNames finds all tests of ours, as package.TestName and as .TestName.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	for _, folder := range []string{".", "../test"} {
		addTestNames(t, folder, tests)
	}
	return tests
}

func addTestNames(t *testing.T, folder string, tests map[string]bool) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "node_modules" {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		of := strings.TrimSuffix(string(packageLine.FindSubmatch(source)[1]), "_test")
		if of == "main" {
			of = filepath.Base(filepath.Dir(path))
		}
		for _, match := range testLine.FindAllSubmatch(source, -1) {
			tests[of+"."+string(match[1])], tests["."+string(match[1])] = true, true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
