package client

import (
	"context"
	"fmt"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/udp"
)

// checkIn is one check-in under way: the policy's host.
type checkIn struct {
	*Client
	begun    time.Time
	ear      *ear // nil until there is something to send
	echo     [device.N][]byte
	attempts []Attempt
}

func (c *Client) checkIn(ctx context.Context, newEvent, urgent bool) (Result, error) {
	h := &checkIn{Client: c, begun: time.Now()}
	out := c.policy.Wake(uint32(h.begun.Unix()), c.config.Entropy(), newEvent, urgent)
	seq, err := c.policy.State().Seq, error(nil)
	for out.Action != device.Sleep && err == nil {
		if out.Action == device.Send {
			out, err = h.send(ctx, out)
		} else {
			out, err = h.listen(ctx, out)
		}
	}
	if h.ear != nil {
		h.ear.close()
	}
	if err == nil {
		err = c.retain()
	}
	return h.result(out, seq), err
}

func (h *checkIn) result(out device.Output, seq uint32) Result {
	r := Result{
		Outcome:  out.Outcome,
		Seq:      seq,
		Numbered: h.memory != nil,
		Attempts: h.attempts,
		Awake:    time.Since(h.begun),
		Sleep:    seconds(out.Seconds),
		Unproven: int(h.policy.State().Unproven),
	}
	if len(h.attempts) > 0 && h.attempts[0].Confirmable {
		r.Window = milliseconds(h.policy.Window())
	}
	return r
}

// now is the policy's clock of milliseconds.
func (c *Client) now() uint32 { return uint32(time.Since(c.started).Milliseconds()) }

// send lets one datagram leave.
func (h *checkIn) send(ctx context.Context, out device.Output) (device.Output, error) {
	if err := ctx.Err(); err != nil {
		return device.Output{}, err
	}
	if h.ear == nil { // the first of this check-in
		if err := h.reserve(out.Seq); err != nil {
			return device.Output{}, err
		}
		socket, err := h.config.Open(ctx)
		if err != nil {
			return device.Output{}, fmt.Errorf("open a socket: %w", err)
		}
		h.ear = listenOn(socket, h.config.Endpoints)
	}
	endpoint := h.config.Endpoints[out.Address]
	datagram := h.appendRequest(make([]byte, 0, coap.MaxDatagram), &out, h.echo[out.Address])
	at := time.Since(h.begun) // before it leaves: the answer may be here when the call returns
	n, err := h.ear.socket.WriteBatch([]udp.Packet{{Buf: datagram, Peer: endpoint}})
	if err != nil {
		return device.Output{}, fmt.Errorf("send to %s: %w", endpoint, err)
	}
	h.attempts = append(h.attempts, Attempt{
		Endpoint:    endpoint,
		Confirmable: out.Confirmable,
		Echo:        out.Echo,
		MessageID:   out.MessageID,
		At:          at,
		Refused:     n == 0,
	})
	if n == 0 { // the system refused it, as a radio without a network would
		return h.policy.Timer(h.now()), nil
	}
	return h.policy.TxDone(h.now()), nil
}

// listen waits for the next thing to happen.
func (h *checkIn) listen(ctx context.Context, out device.Output) (device.Output, error) {
	timer := time.NewTimer(time.Duration(int32(out.Until-h.now())) * time.Millisecond) // it may be past
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return device.Output{}, ctx.Err()
	case <-timer.C:
		return h.policy.Timer(h.now()), nil
	case heard, ok := <-h.ear.heard:
		if !ok {
			return device.Output{}, fmt.Errorf("receive: %w", h.ear.err)
		}
		return h.receive(heard), nil
	}
}

// receive shows a reply to the policy.
func (h *checkIn) receive(heard heard) device.Output {
	r := heard.reply
	fits := h.policy.Fits(r)
	if fits {
		h.note(r)
		if r.HasEcho {
			h.echo[r.From] = heard.echo
		}
	}
	h.acknowledge(r, fits)
	return h.policy.Rx(h.now(), r)
}

// note adds an answer to the latest attempt at that endpoint.
func (h *checkIn) note(r device.Reply) {
	for i := len(h.attempts) - 1; i >= 0; i-- {
		a := &h.attempts[i]
		if a.Endpoint != h.config.Endpoints[r.From] {
			continue
		}
		a.Answer = &Answer{
			Code:      codes.Code(r.Code),
			Reset:     r.Type == device.RST,
			RoundTrip: time.Since(h.begun) - a.At,
		}
		if r.HasMaxAge {
			age := seconds(r.MaxAge)
			a.Answer.MaxAge = &age
		}
		return
	}
}

// acknowledge answers a CON, which would come again otherwise: an ACK for a response of
// ours, an RST for what we know nothing of (RFC 7252, section 4.2).
func (h *checkIn) acknowledge(r device.Reply, fits bool) {
	if r.Type != device.CON {
		return
	}
	reply := coap.AppendReset(nil, r.MessageID)
	if fits {
		reply = coap.AppendHeader(nil, message.Acknowledgement, codes.Empty, r.MessageID, nil)
	}
	h.ear.socket.WriteBatch([]udp.Packet{{Buf: reply, Peer: h.config.Endpoints[r.From]}})
}
