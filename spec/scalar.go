package spec

import (
	"math"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Text is the value of name, state, title, department, division and preferredName; "" empties the field.
// Of email and manager it is Text(Key(address)).
func Text(s string) Value { return encode(clean(s)) }

// Bool is the value of acdAutoAnswer.
func Bool(b bool) Value { return encode(b) }

// Strings is the value of certifications, profileSkills, queues and groups: a set, so order and
// repetition do not count. None is [].
func Strings(list []string) Value { return encode(set(list)) }

// Proficiencies is the value of skills and languages: 0..5 by name. None is {}.
// A number that is not finite counts as 0.
func Proficiencies(byName map[string]float64) Value {
	out := make(map[string]float64, len(byName))
	for name, p := range byName {
		if math.IsNaN(p) || math.IsInf(p, 0) {
			p = 0
		}
		out[clean(name)] = p + 0 // -0 becomes 0
	}
	return encode(out)
}

// ExternalIDMap is the value of externalIds: the other system's key of the user, by authority. None is {}.
func ExternalIDMap(byAuthority map[string]string) Value {
	out := make(map[string]string, len(byAuthority))
	for authority, key := range byAuthority {
		out[clean(authority)] = clean(key)
	}
	return encode(out)
}

// clean brings a text to the form in which it is compared: valid UTF-8, NFC, no space around it.
func clean(s string) string {
	return strings.TrimSpace(norm.NFC.String(strings.ToValidUTF8(s, "\uFFFD")))
}

func set(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, clean(s))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
