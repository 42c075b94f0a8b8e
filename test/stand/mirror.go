package stand

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Mirror returns a folder from which terraform init can take the AWS provider without a
// network, or "" for the public registry. It looks where Terraform itself looks (CLI
// Configuration, "Implied Local Mirror Directories") and in the folders below /opt.
func Mirror() string {
	for _, dir := range mirrors() {
		platform := filepath.Join(dir, "registry.terraform.io", "hashicorp", "aws", "*", runtime.GOOS+"_"+runtime.GOARCH)
		if found, err := filepath.Glob(platform); err == nil && len(found) > 0 {
			return dir
		}
	}
	return ""
}

// mirrors lists where a mirror may be, the more particular first.
func mirrors() []string {
	var dirs []string
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, ".terraform.d", "plugins"))
		data := os.Getenv("XDG_DATA_HOME")
		if data == "" {
			data = filepath.Join(home, ".local", "share")
		}
		dirs = append(dirs, filepath.Join(data, "terraform", "plugins"))
	}
	shared := os.Getenv("XDG_DATA_DIRS")
	if shared == "" {
		shared = "/usr/local/share:/usr/share"
	}
	for _, data := range filepath.SplitList(shared) {
		dirs = append(dirs, filepath.Join(data, "terraform", "plugins"))
	}
	for _, pattern := range []string{"/opt/*/registry.terraform.io", "/opt/*/*/registry.terraform.io"} {
		found, _ := filepath.Glob(pattern) // the patterns are well formed
		for _, path := range found {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	return dirs
}

// Environ is what every run of Terraform in a test has in its environment: nobody's
// credentials, no network but what it is given, no file of the user's.
func Environ() map[string]string {
	environ := map[string]string{
		"AWS_ACCESS_KEY_ID":           "test",
		"AWS_SECRET_ACCESS_KEY":       "test",
		"AWS_SESSION_TOKEN":           "",
		"AWS_PROFILE":                 "",
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED":   "true",
		"AWS_MAX_ATTEMPTS":            "2", // a call that moto lacks is retried for minutes otherwise
		"CHECKPOINT_DISABLE":          "1",
		"TF_IN_AUTOMATION":            "1",
		"TF_INPUT":                    "0",
	}
	if file := os.Getenv("TF_CLI_CONFIG_FILE"); file != "" {
		if _, err := os.Stat(file); err != nil {
			environ["TF_CLI_CONFIG_FILE"] = os.DevNull
		}
	}
	return environ
}

// Environment is this process's environment with that of Environ in its place, for a command
// that is no terratest's.
func Environment() []string {
	ours := Environ()
	var environ []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if _, ok := ours[name]; !ok {
			environ = append(environ, pair)
		}
	}
	for name, value := range ours {
		if value != "" { // an empty profile has no name, and is looked for
			environ = append(environ, name+"="+value)
		}
	}
	return environ
}
