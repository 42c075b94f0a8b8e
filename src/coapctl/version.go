package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCommand struct{}

// stamped is the version that make dist links in.
var stamped string

// Run prints the version that make dist or the Go tool has stamped into the binary.
func (versionCommand) Run(s streams) error {
	version, revision, changed := stamped, "", ""
	if info, ok := debug.ReadBuildInfo(); ok && stamped == "" {
		version = info.Main.Version
		for _, setting := range info.Settings {
			switch {
			case setting.Key == "vcs.revision":
				revision = " " + setting.Value
			case setting.Key == "vcs.modified" && setting.Value == "true":
				changed = " with changes"
			}
		}
	}
	_, err := fmt.Fprintf(s.out, "coapctl %s%s%s %s %s/%s\n", version, revision, changed, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
