package spec

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"usersyncd/spec/strictyaml"
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

var (
	e164      = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	allDigits = regexp.MustCompile(`^[0-9]{1,20}$`)
)

func phones() kind[[]Phone] {
	const example = `{type: work, number: "+34600000001"}`
	number := matching("^[ \u00a0().-]*\\+[ \u00a0().-]*[1-9]([ \u00a0().-]*[0-9]){6,14}[ \u00a0().-]*$",
		func(s string) bool { return e164.MatchString(PhoneNumber(s)) },
		`VALUE is not an international number; write "+", the country code and the number, such as "+34600000001"`)
	extension := matching(allDigits.String(), allDigits.MatchString, `VALUE is not an extension; write digits only, such as "4021"`)
	phone := structOf(Phone{Type: "work", Media: "phone"}, example,
		key("type", oneOf("work", "work2", "work3", "work4", "home", "mobile", "other").with("default", "work"),
			func(p *Phone) *string { return &p.Type }, "Which phone; work if left out."),
		key("media", oneOf("phone", "sms").with("default", "phone"), func(p *Phone) *string { return &p.Media }, "What it receives; phone if left out."),
		key("number", number.withForm("international number, in quotes"), func(p *Phone) *string { return &p.Number },
			`International number (E.164), in quotes: "+", country code, number.`),
		key("extension", extension.withForm("digits, in quotes"), func(p *Phone) *string { return &p.Extension }, "Internal extension, in quotes."),
	).must(func(p Phone) bool { return p.Number != "" || p.Extension != "" }, "needs a number or an extension, such as "+example)
	phone = phone.with("anyOf", []object{{"required", []string{"number"}}, {"required", []string{"extension"}}})
	return listOf(phone, "["+example+"]", func(p Phone) (id, what string) {
		return p.Media + " " + p.Type, "a " + p.Type + " number for " + p.Media
	})
}

func emails() kind[[]EmailAddress] {
	const example = `{type: home, address: ana@example.com}`
	email := structOf(EmailAddress{}, example,
		key("type", oneOf("work", "home"), func(e *EmailAddress) *string { return &e.Type }, "Which address.").require(),
		key("address", address(), func(e *EmailAddress) *string { return &e.Address }, "The address.").require())
	return listOf(email, "["+example+"]", func(e EmailAddress) (id, what string) { return e.Type, "a " + e.Type + " address" })
}

// PhoneList is the value of phones, in any order. None is [].
func PhoneList(phones []Phone) Value {
	out := make([]Phone, 0, len(phones))
	for _, p := range phones {
		out = append(out, Phone{
			Type:      strings.ToLower(strictyaml.Clean(p.Type)),
			Media:     strings.ToLower(strictyaml.Clean(p.Media)),
			Number:    PhoneNumber(strictyaml.Clean(p.Number)),
			Extension: strictyaml.Clean(p.Extension),
		})
	}
	slices.SortFunc(out, func(a, b Phone) int {
		return cmp.Or(cmp.Compare(a.Media, b.Media), cmp.Compare(a.Type, b.Type),
			cmp.Compare(a.Extension, b.Extension), cmp.Compare(a.Number, b.Number))
	})
	return encode(slices.Compact(out))
}

// PhoneNumber is a number without its spaces, parentheses, dots and dashes; nothing else is done to make it E.164.
func PhoneNumber(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u00a0().-", r) {
			return -1
		}
		return r
	}, s)
}

// samePhones ignores the number where an entry has an extension: media, type and extension decide, because the API
// rewrites the number (the rule of the vendor's Terraform provider).
func samePhones(desired, observed []Phone) bool {
	return PhoneList(withoutDialled(desired)) == PhoneList(withoutDialled(observed))
}

func withoutDialled(phones []Phone) []Phone {
	out := slices.Clone(phones)
	for i := range out {
		if out[i].Extension != "" {
			out[i].Number = ""
		}
	}
	return out
}

// EmailList is the value of emails, in any order. None is []. Addresses are compared without case.
func EmailList(emails []EmailAddress) Value {
	out := make([]EmailAddress, 0, len(emails))
	for _, e := range emails {
		out = append(out, EmailAddress{Type: strings.ToLower(strictyaml.Clean(e.Type)), Address: Key(strictyaml.Clean(e.Address))})
	}
	slices.SortFunc(out, func(a, b EmailAddress) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Address, b.Address))
	})
	return encode(slices.Compact(out))
}
