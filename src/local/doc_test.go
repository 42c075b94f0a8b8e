package local

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocument holds docs/local-aws.md to the tests: each test that it names exists, each
// rule has a line, and the line says of moto what motoDeviations says.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../../docs/local-aws.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	functions := testFunctions(t)
	for _, name := range regexp.MustCompile("`(Test[A-Za-z0-9]+)(/[a-z0-9-]+)?`").FindAllStringSubmatch(text, -1) {
		if !functions[name[1]] {
			t.Errorf("%s does not exist", name[0])
		}
		if rule := strings.TrimPrefix(name[2], "/"); rule != "" && !hasRule(rule) {
			t.Errorf("%s does not exist", name[0])
		}
	}
	rows := make(map[string][]string) // by rule: AWS's sentence, where, test, moto
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if rule, ok := strings.CutPrefix(cells[min(2, len(cells)-1)], "`TestContract/"); ok {
			rule = strings.TrimSuffix(rule, "`")
			if rows[rule] != nil {
				t.Errorf("%s has two lines", rule)
			}
			rows[rule] = cells
		}
	}
	for _, r := range rules {
		row := rows[r.name]
		if len(row) != 4 {
			t.Errorf("%s has no line of four cells: %q", r.name, row)
			continue
		}
		sentence, page, moto := row[0], row[1], row[3]
		if len(sentence) < 10 || !strings.Contains(page, "https://docs.aws.amazon.com/") {
			t.Errorf("%s: no sentence of AWS's, or no page: %q", r.name, row)
		}
		known, deviates := motoDeviations[r.name]
		if deviates && moto != known || !deviates && moto != "keeps it" && moto != "not asked, it would take too long" {
			t.Errorf("%s: the line says that moto %s, the list %q", r.name, moto, known)
		}
	}
}

// testFunctions are the names of this package's tests.
func testFunctions(t *testing.T) map[string]bool {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}
