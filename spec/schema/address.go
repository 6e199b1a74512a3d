package schema

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"usersyncd/spec/strictyaml"
)

// A dot-atom, an @, and a domain of at least two labels; any letters (RFC 6531).
var addressPattern = regexp.MustCompile(`^[^\s@"(),:;<>\[\]\\.]+(\.[^\s@"(),:;<>\[\]\\.]+)*@([\p{L}\p{M}\p{N}]([\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?\.)+[\p{L}\p{M}\p{N}]([\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?$`)

// Address is an e-mail address. Its form is checked, and that it is the address that a reader sees.
func Address() Type[string] {
	t := Matching("e-mail address", "").Must(func(s string) bool {
		local, _, _ := strings.Cut(s, "@")
		return len(s) <= 254 && utf8.RuneCountInString(local) <= 64 && addressPattern.MatchString(s)
	}, "VALUE is not an e-mail address; write it as name@example.com").Check(deceives)
	t.JSON = Definition("address")
	return t
}

// deceives says what makes an address look like another one; "" if nothing does. An address of an organization may be such
// a one, and is declared with escapes, which a reader sees.
func deceives(n *strictyaml.Node, address string) string {
	for _, r := range n.Written() {
		if r >= utf8.RuneSelf && len(norm.NFC.String(strings.ToLower(string(r)))) == 1 {
			return fmt.Sprintf("VALUE is written with %q (%U), which is read as %q; write that", r, r, norm.NFC.String(string(r)))
		}
	}
	for _, r := range address {
		if strictyaml.Visible(string(r)) == "" {
			return "VALUE contains " + strictyaml.Describe(r) + "; remove it"
		}
	}
	if r := lookalike(address); r != 0 && !n.Escaped {
		return fmt.Sprintf("VALUE has %s among Latin letters; type the Latin letter or, if this is the address, write %s", nameOf(r), strconv.QuoteToASCII(address))
	}
	return ""
}

// lookalike returns the first character that may be taken for a Latin one, in a part of an address that has ASCII letters
// too; 0 if there is none. Besides Latin letters, such a part may have those of Chinese, Japanese and Korean (UTS #39,
// "highly restrictive").
func lookalike(address string) rune {
	for part := range strings.FieldsFuncSeq(address, func(r rune) bool { return r == '.' || r == '@' }) {
		if !strings.ContainsFunc(part, func(r rune) bool { return r < utf8.RuneSelf && unicode.IsLetter(r) }) {
			continue
		}
		for _, r := range part {
			other := unicode.IsLetter(r) && !unicode.In(r, unicode.Latin, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Hangul)
			if other || norm.NFKC.String(string(r)) != norm.NFC.String(string(r)) {
				return r
			}
		}
	}
	return 0
}

// LooksLikeAnother reports whether a text is an address that is read only if it is written with escapes.
func LooksLikeAnother(s string) bool { return strings.Contains(s, "@") && lookalike(s) != 0 }

// nameOf names a character by its script, or by the one that it stands for.
func nameOf(r rune) string {
	if same := norm.NFKC.String(string(r)); same != string(r) {
		return fmt.Sprintf("%q (%U), which looks like %q,", r, r, same)
	}
	for name, script := range unicode.Scripts {
		if unicode.Is(script, r) {
			return fmt.Sprintf("the %s letter %q (%U)", strings.ReplaceAll(name, "_", " "), r, r)
		}
	}
	return fmt.Sprintf("the letter %q (%U)", r, r)
}
