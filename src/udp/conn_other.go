//go:build !linux

package udp

import (
	"errors"
	"net/netip"
)

// Elsewhere one socket per address, the system's own choice of a source address, and no
// count of drops: enough to develop on, where the lab listens on fixed addresses.

const (
	canShare = false
	oobSize  = 0
)

func share(uintptr) error { return errors.ErrUnsupported }

func (c *conn) setReceiveBuffer(n int) {
	_ = c.udp.SetReadBuffer(n) // a smaller buffer is no fault
}

func tellAsked(uintptr, bool) (bool, error) { return false, nil }

func parseAsked([]byte) netip.Addr { return netip.Addr{} }

func appendAsked(oob []byte, _ netip.Addr, _ bool) []byte { return oob }

func drops(uintptr) (uint64, bool) { return 0, false }
