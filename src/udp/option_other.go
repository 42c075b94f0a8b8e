//go:build !linux

package udp

import "errors"

// Elsewhere one socket per address, one datagram per system call, and the system tells
// neither the address that was asked nor what it dropped: enough to develop on, where the
// lab listens on fixed addresses.

const canShare = false

func newSocket(c *conn) Socket { return newPortable(c) }

func share(uintptr) error { return errors.ErrUnsupported }

func (c *conn) setReceiveBuffer(n int) (granted int) {
	_ = c.udp.SetReadBuffer(n) // a smaller buffer is no fault
	return 0
}

func tellAsked(uintptr, bool) (bool, error) { return false, nil }

func drops(uintptr) (uint64, bool) { return 0, false }
