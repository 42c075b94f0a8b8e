package client

import (
	"strconv"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/device"
)

// echoOption is not in go-coap's vocabulary (RFC 9175, section 2.2.1).
const (
	echoOption = message.OptionID(252)
	maxEcho    = 40
)

// noResponseWanted declines 2.xx, 4.xx and 5.xx (RFC 7967, section 2.1).
const noResponseWanted = 2 | 8 | 16

// overhead is the most that a datagram of this device has beside its payload: header,
// token, two segments of the path, Content-Format, number, Echo, No-Response, marker.
func (c *Client) overhead() int {
	return 4 + 4 + 2 + len(c.config.Type) + 2 + len(c.config.ID) + 3 + 1 + 2 + 8 + 3 + maxEcho + 2 + 1
}

// appendRequest appends the datagram that out orders.
func (c *Client) appendRequest(dst []byte, out *device.Output, echo []byte) []byte {
	t := message.Confirmable
	if !out.Confirmable {
		t = message.NonConfirmable
	}
	dst = coap.AppendHeader(dst, t, codes.POST, out.MessageID, out.Token[:])
	dst = coap.AppendOption(dst, 0, message.URIPath, c.config.Type)
	dst = coap.AppendOption(dst, message.URIPath, message.URIPath, c.config.ID)
	last := message.URIPath
	if c.pending.format >= 0 {
		dst = coap.AppendUintOption(dst, last, message.ContentFormat, uint32(c.pending.format))
		last = message.ContentFormat
	}
	if c.memory != nil {
		dst = coap.AppendOption(dst, last, message.URIQuery, "s="+strconv.FormatUint(uint64(out.Seq), 16))
		last = message.URIQuery
	}
	if out.Echo {
		dst = coap.AppendOption(dst, last, echoOption, echo)
		last = echoOption
	}
	if out.NoResponse {
		dst = coap.AppendUintOption(dst, last, message.NoResponse, noResponseWanted)
	}
	return coap.AppendPayload(dst, c.pending.payload)
}

// parseReply reads a datagram from the endpoint with this index, strictly: what is
// malformed, or has a critical option that we do not know, is no reply (RFC 7252, section
// 5.4.1; a response of ours has none). echo is the datagram's own bytes.
func parseReply(datagram []byte, from int) (r device.Reply, echo []byte, ok bool) {
	m, reason := coap.Parse(datagram)
	if reason != coap.None {
		return r, nil, false
	}
	r = device.Reply{
		From:      uint8(from),
		Type:      uint8(m.Type),
		Code:      uint8(m.Code),
		MessageID: m.MessageID,
		TokenLen:  uint8(len(m.Token)),
	}
	copy(r.Token[:], m.Token)
	for id, value := range m.Options() {
		switch {
		case id&1 == 1:
			return r, nil, false
		case id == message.MaxAge && len(value) <= 4 && !r.HasMaxAge:
			r.HasMaxAge = true
			for _, b := range value {
				r.MaxAge = r.MaxAge<<8 | uint32(b)
			}
		case id == echoOption && 1 <= len(value) && len(value) <= maxEcho && !r.HasEcho:
			r.HasEcho = true
			echo = value
		}
	}
	return r, echo, true
}
