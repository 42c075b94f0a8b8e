package ingestor

import "golang.org/x/sys/unix"

// clockSynchronised asks the kernel (adjtimex(2), STA_UNSYNC).
func clockSynchronised() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
