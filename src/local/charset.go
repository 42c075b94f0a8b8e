package local

import (
	"bytes"
	"unicode/utf8"
)

// validText tells whether SQS accepts s as text: #x9 | #xA | #xD | #x20 to #xD7FF |
// #xE000 to #xFFFD | #x10000 to #x10FFFF (SQS API reference, SendMessage).
func validText(s string) bool {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == 0xFFFE || r == 0xFFFF || r == utf8.RuneError && n == 1 {
			return false
		}
		i += n
	}
	return true
}

// loneSurrogate tells whether JSON text writes half of a surrogate pair as an escape.
// encoding/json reads that as U+FFFD; SQS does not accept it.
func loneSurrogate(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 >= len(b) {
			return false
		}
		if b[i+1] != 'u' {
			b = b[i+2:]
			continue
		}
		r := hex4(b[i+2:])
		b = b[i+2:]
		switch {
		case r < 0xD800 || r > 0xDFFF:
		case r >= 0xDC00, len(b) < 10 || b[4] != '\\' || b[5] != 'u':
			return true
		default:
			if low := hex4(b[6:]); low < 0xDC00 || low > 0xDFFF {
				return true
			}
			b = b[10:]
		}
	}
}

// hex4 returns the number that four hexadecimal digits stand for, or -1.
func hex4(b []byte) int {
	if len(b) < 4 {
		return -1
	}
	n := 0
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		n = n<<4 | int(c)
	}
	return n
}

// isWord tells whether c is a letter, a digit or an underscore (ASCII).
func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// validName tells whether s has 1 to max characters, all of them ASCII letters, digits,
// underscores or of extra.
func validName(s string, max int, extra string) bool {
	if s == "" || len(s) > max {
		return false
	}
	for i := range len(s) {
		if !isWord(s[i]) && bytes.IndexByte([]byte(extra), s[i]) < 0 {
			return false
		}
	}
	return true
}
