// Package envelope is the form in which reports travel on a queue: a [Report] is
// one line of text, a [Bundle] is a header line and many report lines in one SQS
// message. docs/envelope.md is the reference, the files below testdata pin it.
package envelope

import "net/netip"

// NoFormat is the Format of a report whose request had no Content-Format option.
const NoFormat = -1

// MaxLine bounds one encoded report, in bytes, with its line feed:
//
//	payload    1152 bytes, each at most doubled by escaping         2304
//	query      4 x 255 bytes tripled by %, 3 &, all of it in base64 4084
//	type, id   2 x 128                                               256
//	token      8 bytes in hex                                         16
//	addresses, numbers, keys, quotes                               < 400
//
// which is below 8 KiB, so a bundle always holds at least seven reports.
const MaxLine = 8 << 10

// A Report is what a device said, accepted by an ingestor.
type Report struct {
	// Received is when the ingestor's socket delivered the datagram, in
	// milliseconds since the Unix epoch, by the ingestor's clock. It is the only
	// time in a report; nothing that a device claims about time is used.
	Received int64

	// From is the address that the datagram came from, unmapped and without a zone.
	From netip.AddrPort

	Confirmable bool   // CON; otherwise NON
	MessageID   uint16 // of the request (RFC 7252, section 3)
	Token       []byte // 0 to 8 bytes (RFC 7252, section 5.3.1)

	Type string // the thing type: first segment of the path, see ValidName
	ID   string // the thing's name: second segment of the path, see ValidName

	// Query holds the Uri-Query options but for the device's number, joined by
	// "&"; "&" and "%" within an option are percent-encoded.
	Query string

	// Seq is the device's number for this report, where Numbered says that it
	// sent one (Uri-Query "s=<hex>").
	Seq      uint64
	Numbered bool

	Format  int    // Content-Format (RFC 7252, section 12.3), or NoFormat
	Payload []byte // as received
}

// ValidName reports whether s may name a thing or a thing type: 1 to 128 of
// a-z A-Z 0-9 : _ - (AWS IoT, CreateThing and CreateThingType).
func ValidName[S string | []byte](s S) bool {
	if len(s) < 1 || len(s) > 128 {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == ':', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
