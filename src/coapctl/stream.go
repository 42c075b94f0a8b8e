package main

import (
	"context"
	"errors"
	"time"

	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/device/client"
)

// A stream is a device that has something new to say at each check-in.
type stream struct {
	device *client.Client
	text   text
	format string
	urgent bool
	n      int // check-ins; 0: until the context is done

	// show is told of each check-in, from 1 on, and what the device knows after it.
	show func(n int, r client.Result, state device.State) error
}

// run checks in until the stream is over. A person waits, so the first check-in comes
// without the wait of a device whose power has returned. The error is silent if all was
// shown but the last report was not delivered.
func (s *stream) run(ctx context.Context) error {
	for n := 1; ; n++ {
		payload, format, err := s.text.encode(n, s.format)
		if err != nil {
			return usage{err}
		}
		r, err := s.device.Send(ctx, payload, format, s.urgent)
		switch {
		case errors.Is(err, client.ErrTooLarge):
			return usagef("the payload has %d bytes: a report is one datagram of at most 1152 bytes, its payload at most 1024", len(payload))
		case err != nil && ctx.Err() != nil:
			return errors.New("interrupted: whether a queue holds the report is unknown")
		case err != nil:
			return err
		}
		if err := s.show(n, r, s.device.State()); err != nil {
			return err
		}
		if n == s.n || !pause(ctx, r.Sleep) {
			if r.Outcome != device.Delivered && r.Outcome != device.Sent {
				return silent{errors.New("not delivered")}
			}
			return nil
		}
	}
}

// pause reports whether so much time has passed before the context was done.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
