package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The README of each module says what its Terraform says now.
func TestREADMEsAreFresh(t *testing.T) {
	all, err := folders("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range all {
		old, err := os.ReadFile(filepath.Join(folder, "README.md"))
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := readme(folder, string(old))
		if err != nil {
			t.Error(err)
			continue
		}
		if text != string(old) {
			t.Errorf("%s/README.md is stale: run make tables", folder)
		}
	}
}

func TestReadme(t *testing.T) {
	folder := t.TempDir()
	const source = `
variable "zone" {
  description = "Where | it is."
  type        = string
}
variable "count_of" {
  description = "How many."
  type = object({
    a = number
    b = optional(string)
  })
  default = { a = 1 }
}
output "address" {
  description = "The address."
  value       = 1
}
`
	if err := os.WriteFile(filepath.Join(folder, "main.tf"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	first, err := readme(folder, "# A title\n\nBy hand.\n")
	if err != nil {
		t.Fatal(err)
	}
	want := "# A title\n\nBy hand.\n\n" + begin + `

| input | type | default | |
|---|---|---|---|
| ` + "`zone` | `string` | required | Where \\| it is." + ` |
| ` + "`count_of` | `object({ a = number, b = optional(string) })` | `{\"a\":1}` | How many." + ` |

| output | |
|---|---|
| ` + "`address`" + ` | The address. |

` + end + "\n"
	if first != want {
		t.Errorf("got\n%s\nwant\n%s", first, want)
	}
	second, err := readme(folder, first+"\nMore by hand.\n")
	if err != nil {
		t.Fatal(err)
	}
	if second != first+"\nMore by hand.\n" {
		t.Errorf("a second run changed it to\n%s", second)
	}
	if _, err := readme(folder, strings.Replace(first, end, "", 1)); err == nil {
		t.Error("a README without its second mark was accepted")
	}
}
