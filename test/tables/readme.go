package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-config-inspect/tfconfig"
)

// The marks between which a README is written by this program.
const (
	begin = "<!-- tables: written by make tables -->"
	end   = "<!-- /tables -->"
)

// readme returns old with the tables of a folder's Terraform between the marks. A README
// that has no marks gets them at its end.
func readme(folder, old string) (string, error) {
	module, diagnostics := tfconfig.LoadModule(folder)
	if diagnostics.HasErrors() {
		return "", fmt.Errorf("read %s: %w", folder, diagnostics.Err())
	}
	if old == "" {
		old = "# " + filepath.Base(folder) + "\n"
	}
	before, rest, marked := strings.Cut(old, begin)
	after := "\n"
	if marked {
		if _, after, marked = strings.Cut(rest, end); !marked {
			return "", fmt.Errorf("read the README of %s: the mark %s is missing", folder, end)
		}
	} else {
		before = strings.TrimRight(before, "\n") + "\n\n"
	}
	return before + begin + "\n" + tables(module) + end + after, nil
}

func tables(m *tfconfig.Module) string {
	var text strings.Builder
	if len(m.Variables) > 0 {
		text.WriteString("\n| input | type | default | |\n|---|---|---|---|\n")
	}
	variables := slices.SortedFunc(maps.Values(m.Variables), func(a, b *tfconfig.Variable) int {
		if a.Required != b.Required {
			if a.Required {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, v := range variables {
		value := "required"
		if !v.Required {
			value = code(literal(v.Default))
		}
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", v.Name, code(oneLine(v.Type)), value, cell(v.Description))
	}
	if len(m.Outputs) > 0 {
		text.WriteString("\n| output | |\n|---|---|\n")
	}
	for _, name := range slices.Sorted(maps.Keys(m.Outputs)) {
		fmt.Fprintf(&text, "| `%s` | %s |\n", name, cell(m.Outputs[name].Description))
	}
	text.WriteString("\n")
	return text.String()
}

// oneLine writes a type that stands on several lines with commas, as one line needs them.
func oneLine(text string) string {
	var line strings.Builder
	for part := range strings.Lines(text) {
		part = strings.TrimSpace(part)
		switch so := line.String(); {
		case so == "", strings.HasSuffix(so, "{"), strings.HasSuffix(so, "("), strings.HasPrefix(part, "}"), strings.HasPrefix(part, ")"):
			line.WriteString(" " + part)
		default:
			line.WriteString(", " + part)
		}
	}
	return strings.ReplaceAll(line.String(), "( ", "(")
}

// literal writes a default as Terraform would, on one line.
func literal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// code is text on one line, in the type of code.
func code(text string) string {
	return "`" + cell(text) + "`"
}

// cell is text that a table's cell can hold.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
