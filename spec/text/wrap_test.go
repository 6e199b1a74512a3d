package text

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestColumns(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "ñ": 1, "n\u0303": 1, "日本": 4, "ａ": 2, "ｱ": 1, "👍": 2, "a\u200db": 2} {
		if got := Columns(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
		if got := Columns(Pad(s, 7)); got != 7 {
			t.Errorf("%q is padded to %d", s, got)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		s               string
		columns, indent int
		want            string
	}{
		{"one two three", 0, 2, "one two three"},
		{"one two three", 13, 2, "one two three"},
		{"one two three", 12, 2, "one two\n  three"},
		{"one two three", 7, 2, "one two\n  three"},
		{"  why   one two three", 12, 8, "  why   one\n        two\n        three"},
		{"one averylongwordthatdoesnotfit two", 10, 2, "one\n  averylongwordthatdoesnotfit\n  two"},
		{"日本 日本 日本", 9, 0, "日本 日本\n日本"},
	} {
		if got := Wrap(c.s, c.columns, c.indent); got != c.want {
			t.Errorf("%q in %d columns: %q, want %q", c.s, c.columns, got, c.want)
		}
	}
}

// No word is lost, and no line is too long that could be broken.
func TestWrapLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.StringMatching(`[a-zñ日]{1,12}`)).Draw(t, "words")
		columns, indent := rapid.IntRange(1, 40).Draw(t, "columns"), rapid.IntRange(0, 10).Draw(t, "indent")
		got := Wrap(strings.Join(words, " "), columns, indent)
		if strings.Join(strings.Fields(got), " ") != strings.Join(words, " ") {
			t.Fatalf("%q became %q", words, got)
		}
		for line := range strings.SplitSeq(got, "\n") {
			if Columns(line) > columns && len(strings.Fields(line)) > 1 {
				t.Fatalf("%q has more than %d columns", line, columns)
			}
		}
	})
}
