package spec

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"usersyncd/spec/schema"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// Phone is one entry of phones. Words are lower case, as in the YAML.
type Phone struct {
	Type      string `json:"type"`                // work, work2, work3, work4, home, mobile, other
	Media     string `json:"media"`               // phone, sms
	Number    string `json:"number,omitempty"`    // E.164
	Extension string `json:"extension,omitempty"` // digits
}

var (
	e164      = regexp.MustCompile(`^\+[1-9][0-9]{2,14}$`)
	allDigits = regexp.MustCompile(`^[0-9]{1,20}$`)
	// trunkZero is the digit that is dialled within a country only, in brackets of any kind: +44 (0)20 7946 0000.
	trunkZero = regexp.MustCompile(`\p{Ps}\p{Zs}*0\p{Zs}*\p{Pe}`)
)

func phones() schema.Type[[]Phone] {
	const example = `{type: work, number: "+34600000001"}`
	number := schema.Matching("international number, in quotes", "^[ \u00a0().-]*\\+[ \u00a0().-]*[1-9]([ \u00a0().-]*[0-9]){2,14}[ \u00a0().-]*$").
		Check(func(_ *strictyaml.Node, s string) string { return notInternational(s) }).
		WithJSON("not", schema.Object{"pattern", "\\([ \u00a0]*0[ \u00a0]*\\)"})
	extension := schema.Matching("digits, in quotes", allDigits.String()).Must(allDigits.MatchString, `VALUE is not an extension; write digits only, such as "4021"`)
	phone := schema.Struct(Phone{Type: "work", Media: "phone"}, example,
		schema.Key("type", schema.OneOf("work", "work2", "work3", "work4", "home", "mobile", "other").WithJSON("default", "work"),
			func(p *Phone) *string { return &p.Type }, "Which phone; work if left out."),
		schema.Key("media", schema.OneOf("phone", "sms").WithJSON("default", "phone"), func(p *Phone) *string { return &p.Media }, "What it receives; phone if left out."),
		schema.Key("number", number, func(p *Phone) *string { return &p.Number }, `International number (E.164), in quotes: "+", country code, number.`),
		schema.Key("extension", extension, func(p *Phone) *string { return &p.Extension }, "Internal extension, in quotes."),
	).Must(func(p Phone) bool { return p.Number != "" || p.Extension != "" }, "needs a number or an extension, such as "+example)
	phone = phone.WithJSON("anyOf", []schema.Object{schema.Has("number"), schema.Has("extension")})
	return schema.List(phone, "["+example+"]", func(p Phone) (id, what string) {
		return p.Media + " " + p.Type, "a " + p.Type + " number for " + p.Media
	})
}

// PhoneList is the value of phones, in any order. None is [].
func PhoneList(phones []Phone) Value {
	return encode(sorted(phones, func(p Phone) Phone {
		return Phone{
			Type:      strings.ToLower(strictyaml.Clean(p.Type)),
			Media:     strings.ToLower(strictyaml.Clean(p.Media)),
			Number:    PhoneNumber(strictyaml.Clean(p.Number)),
			Extension: strictyaml.Clean(p.Extension),
		}
	}, func(a, b Phone) int {
		return cmp.Or(cmp.Compare(a.Media, b.Media), cmp.Compare(a.Type, b.Type),
			cmp.Compare(a.Extension, b.Extension), cmp.Compare(a.Number, b.Number))
	}))
}

// PhoneNumber is a number without its spaces, parentheses, dots and dashes; nothing else is done to make it E.164. A number
// with a trunk zero stays as it is: without the parentheses it would be another number.
func PhoneNumber(s string) string {
	if trunkZero.MatchString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u00a0().-", r) {
			return -1
		}
		return r
	}, s)
}

// notInternational says what is wrong with a number; "" if nothing is.
func notInternational(s string) string {
	if e164.MatchString(PhoneNumber(s)) {
		return ""
	}
	better := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Z, unicode.P, unicode.Cf) {
			return -1
		}
		return r
	}, trunkZero.ReplaceAllString(s, ""))
	if number, abroad := strings.CutPrefix(better, "00"); abroad {
		better = "+" + number
	}
	switch {
	case !e164.MatchString(better):
		return `VALUE is not an international number; write "+", the country code and the number, such as "+34600000001"`
	case trunkZero.MatchString(s):
		return "VALUE has a (0), which is dialled within the country only; write " + text.Quote(better)
	}
	return "VALUE is not an international number; write " + text.Quote(better)
}

// samePhones ignores the number where an entry has an extension: media, type and extension decide, because the API
// rewrites the number (the rule of the vendor's Terraform provider).
func samePhones(desired, observed []Phone) bool {
	withoutDialled := func(phones []Phone) Value {
		out := slices.Clone(phones)
		for i := range out {
			if out[i].Extension != "" {
				out[i].Number = ""
			}
		}
		return PhoneList(out)
	}
	return withoutDialled(desired) == withoutDialled(observed)
}

// EmailAddress is one entry of emails: an address besides the one the user logs in with.
type EmailAddress struct {
	Type    string `json:"type"` // work, home
	Address string `json:"address"`
}

// address is an e-mail address, as a [Key].
func address() schema.Type[string] { return schema.As(schema.Address(), Key) }

func emails() schema.Type[[]EmailAddress] {
	const example = `{type: home, address: ana@example.com}`
	email := schema.Struct(EmailAddress{}, example,
		schema.Key("type", schema.OneOf("work", "home"), func(e *EmailAddress) *string { return &e.Type }, "Which address.").Required(),
		schema.Key("address", address(), func(e *EmailAddress) *string { return &e.Address }, "The address.").Required())
	return schema.List(email, "["+example+"]", func(e EmailAddress) (id, what string) { return e.Type, "a " + e.Type + " address" })
}

// EmailList is the value of emails, in any order. None is []. Addresses are compared without case.
func EmailList(emails []EmailAddress) Value {
	return encode(sorted(emails, func(e EmailAddress) EmailAddress {
		return EmailAddress{Type: strings.ToLower(strictyaml.Clean(e.Type)), Address: Key(strictyaml.Clean(e.Address))}
	}, func(a, b EmailAddress) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Address, b.Address))
	}))
}

// EmployerInfo is the value of employer. It is managed as a whole; a part that is absent is empty.
type EmployerInfo struct {
	OfficialName string `json:"officialName,omitempty"`
	EmployeeID   string `json:"employeeId,omitempty"`
	EmployeeType string `json:"employeeType,omitempty"` // Full-time, Part-time, Contractor
	DateHire     string `json:"dateHire,omitempty"`     // yyyy-MM-dd
}

func employer() schema.Type[EmployerInfo] {
	date := schema.Matching("yyyy-MM-dd", "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$").Must(func(s string) bool {
		_, err := time.Parse(time.DateOnly, s)
		return err == nil
	}, "VALUE is not a date; write it as 2024-03-01 (year-month-day)")
	return schema.Struct(EmployerInfo{}, `{employeeId: "007123", employeeType: Full-time}`,
		schema.Key("officialName", schema.Text(), func(e *EmployerInfo) *string { return &e.OfficialName }, "Name in the contract."),
		schema.Key("employeeId", schema.Text().WithForm("text, in quotes"), func(e *EmployerInfo) *string { return &e.EmployeeID }, "Number of the employee, in quotes."),
		schema.Key("employeeType", schema.OrEmpty(schema.OneOf("Full-time", "Part-time", "Contractor")), func(e *EmployerInfo) *string { return &e.EmployeeType }, "Kind of contract."),
		schema.Key("dateHire", schema.OrEmpty(date), func(e *EmployerInfo) *string { return &e.DateHire }, "Date of hire, yyyy-MM-dd."))
}

// EmployerOf is the value of employer. The zero EmployerInfo, {}, empties it.
func EmployerOf(e EmployerInfo) Value {
	return encode(EmployerInfo{
		OfficialName: strictyaml.Clean(e.OfficialName),
		EmployeeID:   strictyaml.Clean(e.EmployeeID),
		EmployeeType: strictyaml.Clean(e.EmployeeType),
		DateHire:     strictyaml.Clean(e.DateHire),
	})
}

// Location is one entry of locations.
type Location struct {
	Name  string `json:"name"`
	Notes string `json:"notes,omitempty"`
}

func locations() schema.Type[[]Location] {
	const example = `{name: Madrid HQ, notes: 3rd floor}`
	location := schema.Struct(Location{}, example,
		schema.Key("name", schema.Name(), func(l *Location) *string { return &l.Name }, "Name of the location.").Required(),
		schema.Key("notes", schema.Text(), func(l *Location) *string { return &l.Notes }, "Floor, room and the like."))
	return schema.List(location, "["+example+"]", func(l Location) (id, what string) { return l.Name, text.Quote(l.Name) })
}

// LocationList is the value of locations, in any order. None is [].
func LocationList(locations []Location) Value {
	return encode(sorted(locations, func(l Location) Location {
		return Location{Name: strictyaml.Clean(l.Name), Notes: strictyaml.Clean(l.Notes)}
	}, func(a, b Location) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Notes, b.Notes)) }))
}
