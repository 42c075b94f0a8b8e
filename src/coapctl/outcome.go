package main

import (
	"encoding/json"
	"io"
	"net/netip"
	"time"

	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/device/client"
)

// An outcome is a check-in as a line of JSON.
type outcome struct {
	Time     time.Time `json:"time"` // when it was over
	CheckIn  int       `json:"checkIn"`
	Outcome  string    `json:"outcome"`       // see docs/device.md
	Seq      *uint32   `json:"seq,omitempty"` // the report's number, if it carries one
	Attempts []attempt `json:"attempts"`
	WindowMS float64   `json:"windowMs,omitempty"`
	AwakeMS  float64   `json:"awakeMs"`
	SleepMS  float64   `json:"sleepMs,omitempty"` // in a stream
	Unproven int       `json:"unproven"`          // reports since the last 2.xx, this one among them
}

// An attempt is one transmission.
type attempt struct {
	Endpoint  netip.AddrPort `json:"endpoint"`
	Type      string         `json:"type"` // CON or NON
	MessageID uint16         `json:"messageId"`
	AtMS      float64        `json:"atMs"`
	Refused   bool           `json:"refused,omitempty"` // by this system: nothing was sent
	Answer    *answer        `json:"answer,omitempty"`
}

// An answer is what came back.
type answer struct {
	Code        string   `json:"code"` // such as "2.04"; "RST"; "0.00" for an empty ACK
	RoundTripMS float64  `json:"roundTripMs"`
	MaxAge      *float64 `json:"maxAge,omitempty"` // seconds
}

// jsonLines returns a show that writes each check-in as a line.
func jsonLines(out io.Writer, every bool) func(int, client.Result, device.State) error {
	encoder := json.NewEncoder(out)
	return func(n int, r client.Result, _ device.State) error {
		o := outcome{
			Time: time.Now().UTC(), CheckIn: n, Outcome: r.Outcome.String(), Attempts: []attempt{},
			WindowMS: ms(r.Window), AwakeMS: ms(r.Awake), Unproven: r.Unproven,
		}
		if r.Numbered {
			o.Seq = &r.Seq
		}
		if every {
			o.SleepMS = ms(r.Sleep)
		}
		for _, a := range r.Attempts {
			o.Attempts = append(o.Attempts, asJSON(a))
		}
		return encoder.Encode(o)
	}
}

func asJSON(a client.Attempt) attempt {
	j := attempt{Endpoint: a.Endpoint, Type: "NON", MessageID: a.MessageID, AtMS: ms(a.At), Refused: a.Refused}
	if a.Confirmable {
		j.Type = "CON"
	}
	if a.Answer == nil {
		return j
	}
	j.Answer = &answer{Code: dotted(*a.Answer), RoundTripMS: ms(a.Answer.RoundTrip)}
	if a.Answer.Reset {
		j.Answer.Code = "RST"
	}
	if age := a.Answer.MaxAge; age != nil {
		s := age.Seconds()
		j.Answer.MaxAge = &s
	}
	return j
}

// ms is a time in milliseconds, to the microsecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
