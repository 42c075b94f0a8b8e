// Command simulate compares the device's delivery policy with the loop that most firmware
// has, in virtual time, over networks that are slow, lossy or partly dead. It prints
// tables; with -docs it writes them and a plot into the folder of the documentation.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	docs := flag.String("docs", "", "folder in which to bring device.md and device.svg up to date")
	seed := flag.Uint64("seed", 1, "seed of all that is random")
	flag.Parse()
	if err := run(*docs, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func run(docs string, seed uint64) error {
	if docs == "" {
		_, err := os.Stdout.WriteString(tables(seed))
		return err
	}
	page := filepath.Join(docs, "device.md")
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	updated, err := replaceTables(string(old), tables(seed))
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	if err := os.WriteFile(page, []byte(updated), 0o666); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(docs, "device.svg"), []byte(plot(seed)), 0o666)
}
