package coap

import (
	"bytes"

	"github.com/plgd-dev/go-coap/v3/message/codes"
)

// MaxOptions and MaxQueries bound what a request may carry; one with more is 4.00. No
// report needs more than two Uri-Path, a Content-Format, a No-Response and some queries.
const (
	MaxOptions = 16
	MaxQueries = 4
)

// Request is a view of a request, filled by Classify and meant to be used again for the
// next datagram. All but its Exchange are the datagram's bytes, to be read only, and
// only while that is not reused. It is about 600 bytes: 20 slices and the rest.
type Request struct {
	Exchange
	Method        codes.Code // 0.01 to 0.04 when the verdict is Handle
	ContentFormat int        // -1 if there is none
	Accept        int        // -1 if there is none
	Payload       []byte
	path          [MaxOptions][]byte
	query         [MaxQueries][]byte
	nPath, nQuery int
}

// Path is the segments of the path as sent, not percent-encoded. The slice is r's own
// until the next Classify.
func (r *Request) Path() [][]byte { return r.path[:r.nPath] }

// AppendQuery appends the Uri-Query options, joined by "&". An "&" or "%" inside an
// option is percent-encoded, as in RFC 7252, section 6.5, so that the join can be undone;
// other bytes stay as they are. The sequence number is left out: see Seq. At most
// MaxQueries*(3*255+1) bytes are appended.
func (r *Request) AppendQuery(dst []byte) []byte {
	first := true
	for _, q := range r.query[:r.nQuery] {
		if isSeq(q) {
			continue
		}
		if !first {
			dst = append(dst, '&')
		}
		first = false
		for _, b := range q {
			switch b {
			case '&':
				dst = append(dst, "%26"...)
			case '%':
				dst = append(dst, "%25"...)
			default:
				dst = append(dst, b)
			}
		}
	}
	return dst
}

// Seq is the device's sequence number, the Uri-Query option s=<1 to 16 hex digits>. ok is
// false if s has another form or comes twice: then the request is to be refused, since a
// number that was meant and not understood would put the report out of order.
func (r *Request) Seq() (n uint64, present, ok bool) {
	for _, q := range r.query[:r.nQuery] {
		if !isSeq(q) {
			continue
		}
		if present || len(q) < 3 || len(q) > 2+16 {
			return 0, true, false
		}
		present = true
		for _, b := range q[2:] {
			digit := hexDigit(b)
			if digit < 0 {
				return 0, true, false
			}
			n = n<<4 | uint64(digit)
		}
	}
	return n, present, true
}

func isSeq(query []byte) bool {
	return len(query) == 1 && query[0] == 's' || bytes.HasPrefix(query, []byte("s="))
}

func hexDigit(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'a' <= b && b <= 'f':
		return int(b-'a') + 10
	case 'A' <= b && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}
