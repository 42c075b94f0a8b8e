// Package client is a device over UDP: it runs the delivery policy of package device
// against real or simulated addresses, one check-in at a time.
package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/udp"
)

// Config says which device it is and whom it reports to.
type Config struct {
	// Endpoints are 1 to device.N addresses, neighbours in different regions.
	Endpoints []netip.AddrPort

	// Type and ID are the path of the device's reports, each [a-zA-Z0-9:_-]{1,128}.
	Type, ID string

	// Policy tunes the policy; its zero value is the default. Addresses follows from Endpoints.
	Policy device.Config

	// Memory keeps what the device must not forget. Nil: it forgets all with the process, and
	// as its numbers would go back then, it sends none.
	Memory Memory

	// Open opens a socket for one check-in; the client closes it. Nil: a socket of the system
	// on any free port. A device that sleeps has no address of its own for long, so each
	// check-in has a new one.
	Open func(context.Context) (udp.Socket, error)

	// Entropy returns 32 bits that are hard to guess. Nil: those of the system.
	Entropy func() uint32
}

// Client is one device. One goroutine at a time may use it.
type Client struct {
	config   Config // set once
	memory   *numbers
	started  time.Time
	bootWait time.Duration

	policy  device.Policy
	pending report
}

// report is what the device has to say, until it is delivered.
type report struct {
	payload []byte
	format  int
}

// NoFormat sends a report without the option Content-Format.
const NoFormat = -1

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`)

// New wakes the device from its memory, or boots it cold if that is empty. It opens no
// socket. The error is of the configuration or of the memory.
func New(config Config) (*Client, error) {
	if n := len(config.Endpoints); n < 1 || n > device.N {
		return nil, fmt.Errorf("a device has 1 to %d endpoints, not %d", device.N, n)
	}
	config.Endpoints = slices.Clone(config.Endpoints)
	for i, e := range config.Endpoints {
		if !e.IsValid() || e.Port() == 0 {
			return nil, fmt.Errorf("endpoint %s: want address:port", e)
		}
		e = netip.AddrPortFrom(e.Addr().Unmap(), e.Port()) // as a socket names it
		if slices.Contains(config.Endpoints[:i], e) {
			return nil, fmt.Errorf("endpoint %s comes twice", e)
		}
		config.Endpoints[i] = e
	}
	if !namePattern.MatchString(config.Type) || !namePattern.MatchString(config.ID) {
		return nil, fmt.Errorf("device %s/%s: type and id are each 1 to 128 of a-z A-Z 0-9 : _ -", config.Type, config.ID)
	}
	config.Policy.Addresses = uint8(len(config.Endpoints))
	if config.Open == nil {
		config.Open = openSystem
	}
	if config.Entropy == nil {
		config.Entropy = systemEntropy
	}
	c := &Client{config: config, started: time.Now()}
	if err := c.remember(); err != nil {
		return nil, fmt.Errorf("read the device's memory: %w", err)
	}
	return c, nil
}

// BootWait is how long a device whose power has just returned waits before its first
// check-in, so that a fleet does not speak at once; 0 if it remembers. The client leaves
// it to the caller.
func (c *Client) BootWait() time.Duration { return c.bootWait }

// State is what the device knows, for a person to look at.
func (c *Client) State() device.State { return c.policy.State() }

// ErrTooLarge reports a payload that does not fit a datagram with this device's name.
var ErrTooLarge = errors.New("client: a report is one datagram of at most 1152 bytes, its payload at most 1024")

// Send has one check-in with something new to say, which replaces what was not delivered
// before. format is a Content-Format or NoFormat. An urgent report goes out whatever the
// policy holds back. It copies payload, and takes at most Policy.AwakeMax.
//
// What the network did is in the result; an error is of ErrTooLarge, the context, the
// socket or the memory. After an error, whether the report is stored is unknown.
func (c *Client) Send(ctx context.Context, payload []byte, format int, urgent bool) (Result, error) {
	if len(payload) > coap.MaxPayload || c.overhead()+len(payload) > coap.MaxDatagram {
		return Result{}, ErrTooLarge
	}
	c.pending = report{append([]byte(nil), payload...), format}
	return c.checkIn(ctx, true, urgent)
}

// Resend has one check-in with what was not delivered: the same number, the same bytes. If
// there is nothing it ends at once, device.Held.
func (c *Client) Resend(ctx context.Context, urgent bool) (Result, error) {
	return c.checkIn(ctx, false, urgent)
}

// Close saves the numbers that were reserved and not used. Without it the next process
// leaves up to device.SeqBlock numbers out, which does no harm.
func (c *Client) Close() error { return c.release() }

func openSystem(ctx context.Context) (udp.Socket, error) {
	sockets, err := udp.Listen(ctx, ":0", 1, 1<<16)
	if err != nil {
		return nil, err
	}
	return sockets[0], nil
}

func systemEntropy() uint32 {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint32(b[:])
}
