package envelope

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
)

// line is the JSON of one report. Fields that a reader does not know are ignored.
type line struct {
	At        *int64          `json:"at"`
	From      *netip.AddrPort `json:"from"`
	Con       bool            `json:"con"`
	MID       uint16          `json:"mid"`
	Token     string          `json:"token"`
	Type      string          `json:"type"`
	ID        string          `json:"id"`
	Seq       *string         `json:"seq"`
	Query     string          `json:"query"`
	Query64   string          `json:"query64"`
	Format    *uint16         `json:"format"`
	Payload   string          `json:"payload"`
	Payload64 string          `json:"payload64"`
}

// Report decodes l. The error wraps ErrMalformed.
func (l Line) Report() (Report, error) {
	var j line
	if err := json.Unmarshal([]byte(l), &j); err != nil {
		return Report{}, fmt.Errorf("%w: report: %w", ErrMalformed, err)
	}
	if j.At == nil || j.From == nil {
		return Report{}, fmt.Errorf(`%w: report: "at" or "from" is missing`, ErrMalformed)
	}
	if j.From.Addr().Zone() != "" {
		return Report{}, fmt.Errorf(`%w: report: "from" has a zone`, ErrMalformed)
	}
	if !ValidName(j.Type) || !ValidName(j.ID) {
		return Report{}, fmt.Errorf("%w: report: type %q or id %q is not a name", ErrMalformed, j.Type, j.ID)
	}
	r := Report{
		Received: *j.At, From: *j.From,
		Confirmable: j.Con, MessageID: j.MID,
		Type: j.Type, ID: j.ID,
		Query: j.Query, Format: NoFormat,
	}
	var err error
	if j.Token != "" {
		if r.Token, err = hex.DecodeString(j.Token); err != nil || len(r.Token) > 8 {
			return Report{}, fmt.Errorf("%w: report: token %q is not 1 to 8 bytes in hex", ErrMalformed, j.Token)
		}
	}
	if j.Seq != nil {
		if r.Seq, err = strconv.ParseUint(*j.Seq, 16, 64); err != nil {
			return Report{}, fmt.Errorf("%w: report: seq: %w", ErrMalformed, err)
		}
		r.Numbered = true
	}
	if j.Query64 != "" {
		query, err := base64.StdEncoding.DecodeString(j.Query64)
		if err != nil {
			return Report{}, fmt.Errorf("%w: report: query64: %w", ErrMalformed, err)
		}
		r.Query = string(query)
	}
	if j.Format != nil {
		r.Format = int(*j.Format)
	}
	if j.Payload != "" {
		r.Payload = []byte(j.Payload)
	}
	if j.Payload64 != "" {
		if r.Payload, err = base64.StdEncoding.DecodeString(j.Payload64); err != nil {
			return Report{}, fmt.Errorf("%w: report: payload64: %w", ErrMalformed, err)
		}
	}
	return r, nil
}
