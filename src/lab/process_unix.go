//go:build unix

package lab

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from the children: the lab stops them in order.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
