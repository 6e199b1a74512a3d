package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Columns is how many columns of a terminal s takes: two for a character of East Asian width, none for a mark.
func Columns(s string) (n int) {
	for _, r := range s {
		switch k := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case k == width.EastAsianWide, k == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// Pad appends spaces to s, up to a number of columns.
func Pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-Columns(s)))
}

// Wrap breaks s at spaces, so that no line has more than a number of columns unless one word has; 0: no limit. All
// lines but the first begin with a number of spaces.
func Wrap(s string, columns, indent int) string {
	if columns <= 0 || Columns(s) <= columns {
		return s
	}
	var b strings.Builder
	words := strings.TrimLeft(s, " ")
	line := s[:len(s)-len(words)]
	for i, word := range strings.Split(words, " ") {
		switch {
		case i == 0:
		case Columns(line)+1+Columns(word) <= columns:
			line += " "
		default:
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", indent)
		}
		line += word
	}
	b.WriteString(line)
	return b.String()
}
