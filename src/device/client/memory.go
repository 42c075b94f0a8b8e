package client

import (
	"encoding/binary"
	"errors"
	"fmt"

	"coap-for-aws-iot/src/device"
)

// Memory keeps the bytes that a device must not forget, MemorySize of them.
type Memory interface {
	// Load returns what was saved last, or nothing if nothing ever was.
	Load() ([]byte, error)

	// Save replaces it. When it returns nil the new bytes survive a loss of power; after an
	// error or a crash either the old or the new ones are there, never a mixture. The client
	// saves at the end of each check-in, and once more for each device.SeqBlock reports.
	Save([]byte) error
}

// MemorySize is the length of what a Memory keeps: the number that the next process begins
// with, its complement, and the policy's state.
const MemorySize = 8 + device.Size

// ErrMemory reports bytes that no client has saved. A device that went on without them
// would give numbers to new reports that old ones had.
var ErrMemory = errors.New("client: not a device's memory")

// numbers is the sequence numbers of a device that has a memory.
type numbers struct {
	memory   Memory
	reserved uint32 // as saved: no number from here on was ever sent
}

// remember restores the policy, or boots it.
func (c *Client) remember() error {
	first := uint32(1)
	var image []byte
	if c.config.Memory != nil {
		saved, err := c.config.Memory.Load()
		if err != nil {
			return err
		}
		if len(saved) > 0 {
			if len(saved) != MemorySize || binary.LittleEndian.Uint32(saved) != ^binary.LittleEndian.Uint32(saved[4:]) {
				return ErrMemory
			}
			first, image = binary.LittleEndian.Uint32(saved), saved[8:]
		}
		c.memory = &numbers{memory: c.config.Memory, reserved: first}
	}
	if len(image) == device.Size {
		policy, ok := device.Restore(c.config.Policy, (*[device.Size]byte)(image))
		if ok {
			policy.Renumber(first) // what was pending went with the process that had its bytes
			c.policy = policy
			return nil
		}
	}
	policy, out := device.Boot(c.config.Policy, c.config.Entropy(), first)
	c.policy, c.bootWait = policy, seconds(out.Seconds)
	return nil
}

// reserve makes sure that no other process will give this number to another report.
func (c *Client) reserve(seq uint32) error {
	if c.memory == nil {
		return nil
	}
	next, write := device.Reserve(c.memory.reserved, seq)
	if !write {
		return nil
	}
	return c.save(next)
}

// retain saves what a check-in has taught.
func (c *Client) retain() error {
	if c.memory == nil {
		return nil
	}
	return c.save(c.memory.reserved)
}

// release saves the numbers that were not used.
func (c *Client) release() error {
	if c.memory == nil {
		return nil
	}
	return c.save(c.policy.State().Seq + 1)
}

func (c *Client) save(reserved uint32) error {
	image := c.policy.Retain()
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, MemorySize), reserved)
	b = binary.LittleEndian.AppendUint32(b, ^reserved)
	if err := c.memory.memory.Save(append(b, image[:]...)); err != nil {
		return fmt.Errorf("save the device's memory: %w", err)
	}
	c.memory.reserved = reserved
	return nil
}
