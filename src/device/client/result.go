package client

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/device"
)

// Result is what became of a check-in.
type Result struct {
	Outcome  device.Outcome
	Seq      uint32 // the report's number
	Numbered bool   // whether the report carries it
	Attempts []Attempt
	Window   time.Duration // how long the device was ready to listen; 0 if it had no need
	Awake    time.Duration // how long the check-in took
	Sleep    time.Duration // until the next check-in is due
	Unproven int           // reports since the last 2.xx, this one among them
}

// Attempt is one transmission and what came back.
type Attempt struct {
	Endpoint    netip.AddrPort
	Confirmable bool
	Echo        bool // with the Echo value that the endpoint asked for
	MessageID   uint16
	At          time.Duration // since the check-in began
	Refused     bool          // by this system, as without a network: nothing was sent
	Answer      *Answer       // nil if there was none
}

// Answer is a reply that fitted: right endpoint, token and Message ID.
type Answer struct {
	Code      codes.Code // 0.00 for an RST, and for an ACK without a response
	Reset     bool
	RoundTrip time.Duration
	MaxAge    *time.Duration // nil if it had none
}

// String is the check-in in a line.
func (r Result) String() string {
	var b strings.Builder
	b.WriteString(r.Outcome.String())
	if r.Numbered && len(r.Attempts) > 0 {
		fmt.Fprintf(&b, " s=%x", r.Seq)
	}
	for i, a := range r.Attempts {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		b.WriteString(a.String())
	}
	if r.Window > 0 {
		fmt.Fprintf(&b, "; window %v, awake %v", r.Window, r.Awake.Round(time.Millisecond))
	}
	if r.Unproven > 0 && r.Outcome != device.Delivered {
		fmt.Fprintf(&b, "; %d unproven", r.Unproven)
	}
	fmt.Fprintf(&b, "; sleep %v", r.Sleep)
	return b.String()
}

// String is the attempt in a few words.
func (a Attempt) String() string {
	kind := "CON"
	if !a.Confirmable {
		kind = "NON"
	}
	s := fmt.Sprintf("%s to %s", kind, a.Endpoint)
	switch {
	case a.Answer != nil:
		return s + ", " + a.Answer.String()
	case a.Refused:
		return s + ", not sent: this system refused it"
	case a.Confirmable:
		return s + ", silence"
	}
	return s
}

// String is the answer in a few words.
func (a Answer) String() string {
	what := fmt.Sprintf("%d.%02d", a.Code>>5, a.Code&31)
	switch {
	case a.Reset:
		what = "RST"
	case a.Code == codes.Empty:
		what = "empty ACK"
	}
	s := fmt.Sprintf("%s after %v", what, a.RoundTrip.Round(100*time.Microsecond))
	if a.MaxAge != nil {
		s += fmt.Sprintf(" (Max-Age %v)", *a.MaxAge)
	}
	return s
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

func milliseconds(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
