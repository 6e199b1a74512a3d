package strictyaml

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Clean brings a text to the form in which it is compared: valid UTF-8, NFC, without space around it.
func Clean(s string) string {
	return strings.TrimSpace(norm.NFC.String(strings.ToValidUTF8(s, "\uFFFD")))
}

// checkEncoding refuses bytes that a parser and the reader of a pull request would understand differently, in comments
// too.
func checkEncoding(file string, content []byte) []Problem {
	at := func(line, column int, format string, args ...any) []Problem {
		return []Problem{{Pos: Pos{file, line, column}, Message: fmt.Sprintf(format, args...)}}
	}
	switch {
	case bytes.HasPrefix(content, []byte("\xef\xbb\xbf")):
		return at(1, 1, "starts with a byte order mark; save it as UTF-8 without BOM")
	case bytes.HasPrefix(content, []byte("\xff\xfe")), bytes.HasPrefix(content, []byte("\xfe\xff")):
		return at(1, 1, "is UTF-16; save it as UTF-8")
	}
	line, column := 1, 1
	for i := 0; i < len(content); {
		r, size := utf8.DecodeRune(content[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return at(line, column, "is not UTF-8 (byte 0x%02X); save it as UTF-8", content[i])
		case r == '\r' && !bytes.HasPrefix(content[i+1:], []byte("\n")):
			return at(line, column, "has a lone carriage return; end lines with LF or CR LF")
		case r != '\t' && r != '\n' && r != '\r' && deceptive(r):
			return at(line, column, "has %s here, which hides or reorders text; remove it", Describe(r))
		}
		i += size
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return nil
}
