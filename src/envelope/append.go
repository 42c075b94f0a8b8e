package envelope

import (
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"strconv"
	"unicode/utf8"
)

// AppendHeader appends the header line of a bundle, without a line feed.
func AppendHeader(dst []byte, origin Origin) []byte {
	dst = append(dst, `{"coap":`...)
	dst = strconv.AppendInt(dst, Version, 10)
	dst = append(dst, `,"ingestor":`...)
	dst = appendString(dst, origin.Ingestor)
	dst = append(dst, `,"region":`...)
	dst = appendString(dst, origin.Region)
	return append(dst, '}')
}

// AppendReport appends a line feed and the line of r: what follows a header, or
// another report, in a bundle. It does not keep r and allocates only if dst is
// too short. A zone in r.From is left out.
func AppendReport(dst []byte, r *Report) []byte {
	dst = append(dst, "\n{\"at\":"...)
	dst = strconv.AppendInt(dst, r.Received, 10)
	dst = append(dst, `,"from":"`...)
	dst = netip.AddrPortFrom(r.From.Addr().WithZone(""), r.From.Port()).AppendTo(dst)
	dst = append(dst, `","con":`...)
	dst = strconv.AppendBool(dst, r.Confirmable)
	dst = append(dst, `,"mid":`...)
	dst = strconv.AppendUint(dst, uint64(r.MessageID), 10)
	if len(r.Token) > 0 {
		dst = append(dst, `,"token":"`...)
		dst = hex.AppendEncode(dst, r.Token)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"type":"`...)
	dst = append(dst, r.Type...)
	dst = append(dst, `","id":"`...)
	dst = append(dst, r.ID...)
	dst = append(dst, '"')
	if r.Numbered {
		dst = append(dst, `,"seq":"`...)
		dst = strconv.AppendUint(dst, r.Seq, 16)
		dst = append(dst, '"')
	}
	if r.Query != "" {
		dst = appendField(dst, `,"query`, []byte(r.Query))
	}
	if r.Format != NoFormat {
		dst = append(dst, `,"format":`...)
		dst = strconv.AppendInt(dst, int64(r.Format), 10)
	}
	if len(r.Payload) > 0 {
		dst = appendField(dst, `,"payload`, r.Payload)
	}
	return append(dst, '}')
}

// appendField appends value as text under key, or in base64 under key+"64" where
// SQS would refuse the text.
func appendField(dst []byte, key string, value []byte) []byte {
	dst = append(dst, key...)
	if isText(value) {
		dst = append(dst, `":`...)
		return appendString(dst, value)
	}
	dst = append(dst, `64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, value)
	return append(dst, '"')
}

// isText reports whether b is UTF-8 of which SQS accepts every character: #x9,
// #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD and #x10000 to #x10FFFF (Amazon SQS
// API Reference, SendMessage). UTF-8 cannot spell a surrogate.
func isText(b []byte) bool {
	for i := 0; i < len(b); {
		if c := b[i]; c < utf8.RuneSelf {
			if c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if n == 1 || r == 0xFFFE || r == 0xFFFF {
			return false
		}
		i += n
	}
	return true
}

// appendString appends s as a JSON string. s holds text, in the sense of isText,
// so quote, backslash and three control characters are all that needs escaping.
func appendString[S string | []byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		var escape byte
		switch s[i] {
		case '"', '\\':
			escape = s[i]
		case '\t':
			escape = 't'
		case '\n':
			escape = 'n'
		case '\r':
			escape = 'r'
		default:
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = append(dst, '\\', escape)
		start = i + 1
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
