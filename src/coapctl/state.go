package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"coap-for-aws-iot/src/device/client"
	"coap-for-aws-iot/src/envelope"
)

// openState takes the file of --state for this process.
func openState(name string) (*client.File, error) {
	file, err := client.OpenFile(name)
	switch {
	case errors.Is(err, client.ErrInUse):
		return nil, fmt.Errorf("--state %s is in use by another coapctl send: end that one, or name another file, which is another device", name)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("--state %s: there is no folder %s: make it first", name, filepath.Dir(name))
	case err != nil:
		return nil, fmt.Errorf("--state: %w", err)
	}
	return file, nil
}

// owned is a Memory with the name of its device behind what the client keeps: numbers that
// go on in another device's name would be gaps in both.
type owned struct {
	client.Memory
	device string // type/id
}

// foreign is the device that a memory belongs to, if it is another one.
type foreign string

func (f foreign) Error() string { return "it belongs to " + string(f) }

// Load returns what the client saved. What has no name is of a coapctl that wrote none.
func (o owned) Load() ([]byte, error) {
	b, err := o.Memory.Load()
	if err != nil || len(b) <= client.MemorySize {
		return b, err
	}
	if of := string(b[client.MemorySize:]); of != o.device {
		return nil, foreign(of)
	}
	return b[:client.MemorySize], nil
}

// Save adds the name.
func (o owned) Save(b []byte) error { return o.Memory.Save(append(b[:len(b):len(b)], o.device...)) }

// blame says what to do about a memory that cannot be used.
func (c *sendCommand) blame(err error) error {
	of, ok := errors.AsType[foreign](err)
	kind, id, _ := strings.Cut(string(of), "/")
	switch {
	case ok && envelope.ValidName(kind) && envelope.ValidName(id):
		return usagef("--state %s belongs to %s: name another file for %s, because numbers are of one device", c.State, string(of), c.Device)
	case ok || errors.Is(err, client.ErrMemory):
		return fmt.Errorf("--state %s is not a file of coapctl send: name another, which it makes", c.State)
	}
	return err
}
