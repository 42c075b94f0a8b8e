package canary

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/device/client"
)

// policy is that of a device with one address that has time: it listens for 8 s, in which
// it repeats itself once or twice, so that one lost datagram is no alarm.
var policy = device.Config{WindowMin: 8000, WindowMax: 8000, AwakeMax: 8000}

const contentJSON = 50 // application/json (RFC 7252, section 12.3)

// A finding is what came of a probe.
type finding struct {
	answered  bool          // 2.04
	roundTrip time.Duration // if answered
	arrived   bool
	endToEnd  time.Duration // if arrived; as fine as readEvery
	said      string        // the latest that went wrong, for a person
}

// id is the id of the device that probes e, and its thing's name. Each canary has things
// of its own: what one has written the other must not take for its own.
func (c *Canary) id(e Endpoint) string { return "canary-" + c.config.Name + "-" + e.Name }

// payload is a report of the canary's.
type payload struct {
	Nonce string    `json:"nonce"` // nobody else can know it
	Sent  time.Time `json:"sent"`  // for a person
}

// probe sends one report and waits until its shadow shows it.
func (c *Canary) probe(ctx context.Context, e Endpoint) (f finding) {
	begun := time.Now()
	nonce := rand.Text()
	text, err := json.Marshal(payload{nonce, begun.UTC().Truncate(time.Millisecond)})
	if err != nil {
		panic(err) // a string and a time
	}
	config := c.device
	config.Endpoints = append(config.Endpoints, e.Address)
	config.ID = c.id(e)
	d, err := client.New(config)
	if err != nil {
		f.said = err.Error()
		return f
	}
	result, err := d.Send(ctx, text, contentJSON, true)
	f.said = result.String()
	if err != nil {
		f.said += ": " + err.Error()
	}
	if err != nil || result.Outcome != device.Delivered {
		return f
	}
	for _, a := range result.Attempts {
		if a.Answer != nil {
			f.answered, f.roundTrip = true, a.Answer.RoundTrip
		}
	}
	if err := c.shadows.wait(ctx, c.id(e), nonce); err != nil {
		f.said = err.Error()
		return f
	}
	f.arrived, f.endToEnd = true, time.Since(begun)
	return f
}
