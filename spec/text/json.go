package text

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// EscapeJSON returns JSON in which what is not printable is escaped by its code, such as \u202e, which turns the
// direction of a text around, and so is the first of two "#", which begin a command to CI runners ("##[error]"). It has the
// same value as data. All JSON that leaves the program passes through here, since encoding/json escapes control characters only.
func EscapeJSON(data []byte) []byte {
	if !bytes.ContainsFunc(data, hidden) && !bytes.Contains(data, []byte("##")) {
		return data
	}
	b := make([]byte, 0, len(data)+len(data)/8)
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == '#' && bytes.HasPrefix(data[n:], []byte("#")):
			b = append(b, `\u0023`...)
		case !hidden(r):
			b = append(b, data[:n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
		data = data[n:]
	}
	return b
}

// hidden reports whether a character is not printable. Below DEL there is only the white space of JSON itself.
func hidden(r rune) bool { return r >= 0x7f && !strconv.IsPrint(r) }
