package lab

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A folder that cannot hold the data is one line, before anything starts.
func TestDataFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ data, want string }{
		{"", ""},
		{dir, ""},
		{filepath.Join(dir, "new", "er"), ""},
		{file, "that is no folder"},
		{filepath.Join(file, "below"), "name a folder that can be made"},
		{"/proc", "name a folder that can be written to"},
	} {
		if tt.data == "/proc" && runtime.GOOS != "linux" {
			continue
		}
		switch err := (Plan{Data: tt.data}).checkData(); {
		case err == nil && tt.want != "":
			t.Errorf("%s: no error, want %s", tt.data, tt.want)
		case err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v, want %q", tt.data, err, tt.want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "try.*")); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
