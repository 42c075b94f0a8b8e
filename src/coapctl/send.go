package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp"
)

// defaultTo is the first address of a lab.
var defaultTo = netip.MustParseAddrPort("127.0.0.1:5683")

type sendCommand struct {
	Device  string        `arg:"" name:"type/id" help:"Thing type and thing name, such as th/a1."`
	Payload string        `arg:"" help:"What the device says, such as '{\"t\":21.5}'; - for the bytes of stdin."`
	To      string        `placeholder:"ADDRESS" default:"${to}" help:"Ingestor to send to (${default})."`
	Non     bool          `help:"Send a NON, which is never sent again, in place of a CON."`
	Format  string        `placeholder:"FORMAT" help:"json, cbor (typed as JSON), text, octets (typed in hex), or the number of a Content-Format. Default: json for an object or array, else text."`
	Seq     *uint64       `placeholder:"N" help:"The device's sequence number, greater with each report."`
	Timeout time.Duration `default:"5s" help:"How long to wait for the answer (${default})."`
	JSON    bool          `name:"json" help:"Write the outcome as one line of JSON."`
}

// Help is what --help says beside the flags.
func (sendCommand) Help() string {
	return `The exit code is 0 only if the ingestor says that a queue holds the report.`
}

// An outcome is what became of a report, for --json.
type outcome struct {
	To          string  `json:"to"`
	Stored      bool    `json:"stored"`
	Code        string  `json:"code,omitempty"` // such as "2.04"; empty: no answer
	RoundTripMS float64 `json:"roundTripMs"`
	MaxAge      *uint32 `json:"maxAge,omitempty"` // seconds
	Error       string  `json:"error,omitempty"`  // why there is no answer
}

// Run posts one report and says what came back.
func (c *sendCommand) Run(ctx context.Context, s streams) error {
	payload, format, err := encodePayload(c.Payload, c.Format, s.in)
	if err != nil {
		return err
	}
	o, err := c.post(ctx, payload, format)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted: whether the report is stored is unknown")
	}
	if err != nil {
		o.Error = err.Error()
	}
	if c.JSON {
		if err := json.NewEncoder(s.out).Encode(o); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(s.out, c.explain(o, err))
	}
	if !o.Stored {
		return silent{errors.New("not stored")}
	}
	return nil
}

// post sends the report and waits for its answer. An error means that there was none.
func (c *sendCommand) post(ctx context.Context, payload []byte, format message.MediaType) (outcome, error) {
	o := outcome{To: withPort(c.To)}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	broken := make(chan error, 8) // what the socket said, which go-coap tells only a function
	conn, err := udp.Dial(o.To,
		options.WithContext(ctx),
		options.WithErrors(func(err error) {
			select {
			case broken <- err:
			default:
			}
		}),
		options.WithBlockwise(false, blockwise.SZX1024, c.Timeout), // a report is one datagram
	)
	if err != nil {
		return o, err
	}
	defer conn.Close()
	request, err := conn.NewPostRequest(ctx, "/"+strings.TrimPrefix(c.Device, "/"), format, bytes.NewReader(payload))
	if err != nil {
		return o, err
	}
	if c.Seq != nil {
		request.AddQuery("s=" + strconv.FormatUint(*c.Seq, 16))
	}
	request.SetType(message.Confirmable)
	if c.Non {
		request.SetType(message.NonConfirmable)
	}
	started := time.Now()
	response, err := conn.Do(request)
	o.RoundTripMS = float64(time.Since(started).Microseconds()) / 1000
	if err != nil {
		if ctx.Err() == nil { // the socket has closed, and why comes a little later
			select {
			case why := <-broken:
				err = errors.Join(why, err)
			case <-ctx.Done():
			}
		}
		return o, err
	}
	code := response.Code()
	o.Code = fmt.Sprintf("%d.%02d", code>>5, code&31)
	o.Stored = code == codes.Changed
	if age, err := response.GetOptionUint32(message.MaxAge); err == nil {
		o.MaxAge = &age
	}
	return o, nil
}

// explain says what became of a report and what a device does next.
func (c *sendCommand) explain(o outcome, err error) string {
	took := fmt.Sprintf("after %.1f ms", o.RoundTripMS)
	switch {
	case refused(err):
		return fmt.Sprintf("nobody listens at %s: start coapctl lab, or give --to. The report is not stored.", o.To)
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return fmt.Sprintf("no answer from %s within %v. Whether the report is stored is unknown: send it again, with the same --seq, to the next address.", o.To, c.Timeout)
	case err != nil:
		return fmt.Sprintf("send to %s: %v", o.To, err)
	}
	switch o.Code {
	case "2.04":
		return fmt.Sprintf("2.04 Changed %s: a queue holds the report.", took)
	case "5.03":
		again := "later"
		if o.MaxAge != nil {
			again = fmt.Sprintf("after %d s (Max-Age)", *o.MaxAge)
		}
		return fmt.Sprintf("5.03 Service Unavailable %s: no queue has confirmed the report. Send it to the next address at once, to this one %s.", took, again)
	case "4.29":
		return fmt.Sprintf("4.29 Too Many Requests %s: this device sends too fast. The report is not stored.", took)
	case "4.04":
		return fmt.Sprintf("4.04 Not Found %s: want type/id, each 1 to 128 of a-z A-Z 0-9 : _ -, of a type that is allowed there. The report is not stored.", took)
	case "4.13":
		return fmt.Sprintf("4.13 Request Entity Too Large %s: a report is one datagram of at most 1152 bytes. The report is not stored.", took)
	}
	return fmt.Sprintf("%s %s: the report is not stored.", o.Code, took)
}

// withPort completes an address: with or without coap://, with or without a port.
func withPort(to string) string {
	to = strings.TrimSuffix(strings.TrimPrefix(to, "coap://"), "/")
	if _, _, err := net.SplitHostPort(to); err == nil {
		return to
	}
	return net.JoinHostPort(strings.Trim(to, "[]"), "5683")
}

// refused reports whether an error says that nobody listens.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
