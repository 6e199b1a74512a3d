package strictyaml

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	nonJoiner = '\u200c' // ZERO WIDTH NON-JOINER
	joiner    = '\u200d' // ZERO WIDTH JOINER
)

// Hidden returns the first character of a text that has no place in a value or a file name: it hides or reorders text, or
// takes no room. Joiners and variation selectors are such characters, except where the writing of a language needs them.
func Hidden(s string) (r rune, found bool) {
	if !strings.ContainsFunc(s, isHidden) {
		return 0, false
	}
	all := []rune(s)
	for i, r := range all {
		switch {
		case !isHidden(r):
		case r == joiner || r == nonJoiner:
			if !joins(all[:i], r, all[i+1:]) {
				return r, true
			}
		case unicode.Is(unicode.Variation_Selector, r):
			if !selects(all[:i], all[i+1:]) {
				return r, true
			}
		default:
			return r, true
		}
	}
	return 0, false
}

// Visible returns a text without the characters that may be hidden.
func Visible(s string) string {
	return strings.Map(func(r rune) rune {
		if isHidden(r) {
			return -1
		}
		return r
	}, s)
}

func isHidden(r rune) bool {
	return r < ' ' || r > '~' && (deceptive(r) || unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector))
}

// deceptive characters are control characters, line separators (which end a YAML comment unseen) and bidi controls.
func deceptive(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

// joins reports whether a joiner changes how its neighbours look: beside a virama, as in Sinhala, Bengali and Malayalam
// (RFC 5892, appendix A); between letters of a cursive script, as in Persian; and in an emoji sequence (UTS #51).
func joins(before []rune, r rune, after []rune) bool {
	if len(before) == 0 {
		return false
	}
	if isVirama(before[len(before)-1]) {
		return true
	}
	left, right := lastBase(before), firstBase(after)
	if pictograph(left) && pictograph(right) {
		return r == joiner
	}
	for _, script := range cursiveScripts() {
		if unicode.Is(script, left) && unicode.Is(script, right) {
			return unicode.IsLetter(left) && unicode.IsLetter(right)
		}
	}
	return r == joiner && unicode.IsLetter(left) && len(after) > 0 && isVirama(after[0])
}

// isVirama reports whether a mark joins consonants: those have a canonical combining class of their own.
func isVirama(r rune) bool { return norm.NFC.PropertiesString(string(r)).CCC() == 9 }

// cursiveScripts are the scripts whose letters join (ArabicShaping.txt of Unicode).
func cursiveScripts() []*unicode.RangeTable {
	return []*unicode.RangeTable{unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mandaic, unicode.Mongolian, unicode.Phags_Pa, unicode.Manichaean,
		unicode.Psalter_Pahlavi, unicode.Adlam, unicode.Hanifi_Rohingya, unicode.Sogdian, unicode.Chorasmian, unicode.Old_Uyghur}
}

func pictograph(r rune) bool { return r > unicode.MaxLatin1 && unicode.IsSymbol(r) }

// lastBase is the last character that is not a mark, a variation selector or the skin tone of an emoji; 0 if there is none.
func lastBase(all []rune) rune {
	for _, r := range slices.Backward(all) {
		if !unicode.In(r, unicode.M, unicode.Sk) {
			return r
		}
	}
	return 0
}

func firstBase(all []rune) rune {
	for _, r := range all {
		if !unicode.IsMark(r) {
			return r
		}
	}
	return 0
}

// selects reports whether a variation selector can change the character before it: an emoji, the key of a keycap, or a
// letter of a script that has variants (StandardizedVariants.txt and the Ideographic Variation Database).
func selects(before, after []rune) bool {
	if len(before) == 0 {
		return false
	}
	const keycap = '\u20e3'
	last := before[len(before)-1]
	if last <= '~' {
		return strings.ContainsRune("0123456789#*", last) && len(after) > 0 && after[0] == keycap
	}
	return pictograph(last) || last == '\u00a9' || last == '\u00ae' || unicode.In(last, unicode.Han, unicode.Mongolian, unicode.Phags_Pa, unicode.Manichaean, unicode.Myanmar)
}

// Describe names the kind of a character, and its code point.
func Describe(r rune) string {
	what := "an invisible character"
	switch {
	case r == '\n':
		what = "a line break"
	case r == '\t':
		what = "a tab"
	case unicode.IsControl(r):
		what = "a control character"
	case unicode.Is(unicode.Bidi_Control, r):
		what = "a text direction character"
	}
	return fmt.Sprintf("%s (%U)", what, r)
}
