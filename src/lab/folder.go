package lab

import (
	"fmt"
	"os"
)

// checkData makes the data directory and writes to it, so that a fault is one line before
// anything has started, not a child that dies again and again.
func (p Plan) checkData() error {
	if p.Data == "" {
		return nil
	}
	if info, err := os.Stat(p.Data); err == nil && !info.IsDir() {
		return fmt.Errorf("keep data in %s: that is no folder: name one, or one that is not there yet", p.Data)
	}
	if err := os.MkdirAll(p.Data, 0o700); err != nil {
		return fmt.Errorf("keep data: %w: name a folder that can be made", err)
	}
	file, err := os.CreateTemp(p.Data, "try.*")
	if err != nil {
		return fmt.Errorf("keep data: %w: name a folder that can be written to", err)
	}
	file.Close()
	return os.Remove(file.Name())
}
