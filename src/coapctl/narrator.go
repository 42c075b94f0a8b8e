package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/device/client"
)

// A narrator tells a person what became of each check-in, and what that means if it means
// anything else than the last time.
type narrator struct {
	config client.Config
	every  bool // a stream
	out    io.Writer
	said   string
}

// tell writes a check-in: a line of facts, and one that explains it.
func (t *narrator) tell(_ int, r client.Result, state device.State) error {
	var line, margin string
	if t.every {
		line = time.Now().Format(time.TimeOnly) + "  "
		margin = strings.Repeat(" ", len(line))
	}
	line += facts(r, margin)
	if t.every {
		line += rest(r)
	}
	if why := t.explain(r, state); why != t.said || !t.every {
		t.said = why
		line += "\n" + margin + why
	}
	_, err := fmt.Fprintln(t.out, line)
	return err
}

// facts are the outcome, the report's number, and the transmissions, one below the other.
func facts(r client.Result, margin string) string {
	text := r.Outcome.String()
	if r.Numbered && len(r.Attempts) > 0 {
		text += fmt.Sprintf(" s=%x", r.Seq)
	}
	between := "\n" + margin + strings.Repeat(" ", len(text)+len(": "))
	for i, a := range r.Attempts {
		if i == 0 {
			text += ": " + a.String()
		} else {
			text += between + a.String()
		}
	}
	return text
}

// rest is what matters in a stream only.
func rest(r client.Result) string {
	line := ""
	if r.Window > 0 && r.Outcome != device.Delivered {
		line += fmt.Sprintf("; listened %v", r.Awake.Round(100*time.Millisecond))
	}
	if r.Unproven > 1 && r.Outcome != device.Delivered {
		line += fmt.Sprintf("; %d reports without proof", r.Unproven)
	}
	return line + "; sleep " + short(r.Sleep)
}

// explain says what an outcome means and what a device does next.
func (t *narrator) explain(r client.Result, state device.State) string {
	switch r.Outcome {
	case device.Delivered:
		return "A queue holds the report."
	case device.Sent:
		return fmt.Sprintf("A NON, unverified by design: the last acknowledgement is younger than %s (--hard-limit).", short(time.Duration(t.config.Policy.HardLimit)*time.Second))
	case device.Unverified:
		return t.silence(r, state)
	case device.Accepted:
		return "Somebody has it, says an empty ACK, but nobody says that a queue holds it. Send it again."
	case device.Rejected:
		return t.refusal(r, state)
	case device.Busy:
		return t.busy(r, state)
	}
	return t.held(r, state)
}

func (t *narrator) silence(r client.Result, state device.State) string {
	why := "Whether a queue holds the report is unknown."
	several := len(t.config.Endpoints) > 1
	switch {
	case t.every && several:
		why += " The next check-in begins with the next address and listens longer."
	case t.every:
		why += " The next check-in listens longer."
	case t.config.Memory != nil && several:
		why += " Send it again: the next call begins with the next address and listens longer."
	case t.config.Memory != nil:
		why += " Send it again: the next call listens longer."
	case len(r.Attempts) == 1 && several:
		why += " Send it again: --window 4s has room for another address, and with --state the next call begins with the next one."
	default:
		why += " Send it again."
	}
	switch first := r.Attempts[0].Endpoint; {
	case state.Acknowledged: // from there, once
	case first.Addr().IsLoopback():
		why += " If nobody listens there: coapctl lab."
	default:
		why += fmt.Sprintf(" Is the address right, and does UDP %d get there and back?", first.Port())
	}
	return why
}

// refusal is of the last answer, the one that ended the check-in.
func (t *narrator) refusal(r client.Result, state device.State) string {
	why := "Refused"
	switch last(r) {
	case "4.00":
		why = "Bad Request"
	case "4.02":
		why = "Bad Option"
	case "4.04":
		why = fmt.Sprintf("Not Found: the type %s is none that is allowed there", t.config.Type)
	case "4.05":
		why = "Method Not Allowed: that is no ingestor"
	case "4.13":
		why = "Request Entity Too Large"
	}
	why += ". The report is not stored, and to repeat it would not help: it is dropped"
	if state.Skip > 0 {
		why += fmt.Sprintf(", and so that this does not go on for ever the next %s skipped", check(state.Skip))
	}
	return why + "."
}

func (t *narrator) busy(r client.Result, state device.State) string {
	if len(r.Attempts) == 0 {
		return "Nothing was sent: each address has asked to be left alone, " + until(soonest(state, len(t.config.Endpoints))) + " at least. --urgent sends all the same."
	}
	if last(r) == "4.29" {
		return "Too Many Requests: this device sends too fast, and holds everything back " + until(state.HoldAll) + " (Max-Age). The report is not stored."
	}
	why := "Service Unavailable: no queue has confirmed the report. Whoever says so is left alone for Max-Age."
	if !t.every {
		why += " Send it again later."
	}
	return why
}

func (t *narrator) held(r client.Result, state device.State) string {
	if len(r.Attempts) > 0 {
		return fmt.Sprintf("This system let nothing leave: has it a network, and a way to %v?", r.Attempts[0].Endpoint.Addr())
	}
	why := "Nothing was sent: after 4.29, Too Many Requests, everything is held back " + until(state.HoldAll) + "."
	if state.Held>>device.N == 0 {
		why = "Nothing was sent: reports were refused before (4.xx)"
		if state.Skip > 0 {
			why += fmt.Sprintf(", so %s skipped after this one", check(state.Skip))
		}
		why += "."
	}
	return why + " --urgent sends all the same."
}

// last is the code of the answer that came last.
func last(r client.Result) string {
	code, latest := "", time.Duration(-1)
	for _, a := range r.Attempts {
		if a.Answer != nil && a.At+a.Answer.RoundTrip > latest {
			code, latest = dotted(*a.Answer), a.At+a.Answer.RoundTrip
		}
	}
	return code
}

// dotted is a code as RFC 7252 writes it, such as 2.04.
func dotted(a client.Answer) string { return fmt.Sprintf("%d.%02d", a.Code>>5, a.Code&31) }

// soonest is when the first of n addresses may be asked again.
func soonest(state device.State, n int) uint32 {
	first := state.Address[0].HoldUntil
	for _, a := range state.Address[1:n] {
		if int32(a.HoldUntil-first) < 0 {
			first = a.HoldUntil
		}
	}
	return first
}

// until is the policy's clock for a person.
func until(s uint32) string { return "until " + time.Unix(int64(s), 0).Format(time.TimeOnly) }

// check is a number of check-ins with its verb.
func check(n uint8) string {
	if n == 1 {
		return "check-in is"
	}
	return fmt.Sprintf("%d check-ins are", n)
}

// short is a time without the zeros that Go writes: 4h, not 4h0m0s.
func short(d time.Duration) string {
	text := d.String()
	if d.Abs() >= time.Minute && d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d.Abs() >= time.Hour && d%time.Hour == 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
