package spec

import (
	"cmp"
	"slices"
	"strings"
)

// Phone is one entry of phones. Words are lower case, as in the YAML.
type Phone struct {
	Type      string `json:"type"`                // work, work2, work3, work4, home, mobile, other
	Media     string `json:"media"`               // phone, sms
	Number    string `json:"number,omitempty"`    // E.164
	Extension string `json:"extension,omitempty"` // digits
}

// EmailAddress is one entry of emails: an address besides the one the user logs in with.
type EmailAddress struct {
	Type    string `json:"type"` // work, home
	Address string `json:"address"`
}

// PhoneList is the value of phones, in any order. None is [].
// A number loses its spaces, parentheses, dots and dashes; nothing else is done to make it E.164.
func PhoneList(phones []Phone) Value { return encode(sortedPhones(phones)) }

// EmailList is the value of emails, in any order. None is []. Addresses are compared without case.
func EmailList(emails []EmailAddress) Value {
	out := make([]EmailAddress, 0, len(emails))
	for _, e := range emails {
		out = append(out, EmailAddress{Type: strings.ToLower(clean(e.Type)), Address: Key(clean(e.Address))})
	}
	slices.SortFunc(out, func(a, b EmailAddress) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Address, b.Address))
	})
	return encode(slices.Compact(out))
}

func sortedPhones(phones []Phone) []Phone {
	out := make([]Phone, 0, len(phones))
	for _, p := range phones {
		out = append(out, Phone{
			Type:      strings.ToLower(clean(p.Type)),
			Media:     strings.ToLower(clean(p.Media)),
			Number:    digits(clean(p.Number)),
			Extension: clean(p.Extension),
		})
	}
	slices.SortFunc(out, func(a, b Phone) int {
		return cmp.Or(cmp.Compare(a.Media, b.Media), cmp.Compare(a.Type, b.Type),
			cmp.Compare(a.Extension, b.Extension), cmp.Compare(a.Number, b.Number))
	})
	return slices.Compact(out)
}

// digits drops what people put between the digits of a number.
func digits(number string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u00a0().-", r) {
			return -1
		}
		return r
	}, number)
}

// dialled is the part of phones that decides whether two lists are the same.
func dialled(phones []Phone) Value {
	out := slices.Clone(phones)
	for i := range out {
		if out[i].Extension != "" {
			out[i].Number = ""
		}
	}
	return PhoneList(out)
}
