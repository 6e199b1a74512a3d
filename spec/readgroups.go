package spec

import (
	"regexp"
	"time"
)

// Readers of the fields that have parts. The words are those of the API and of the vendor's
// Terraform provider, in lower case.

var (
	uuid      = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	e164      = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	allDigits = regexp.MustCompile(`^[0-9]{1,20}$`)
)

const (
	employerExample    = `{employeeId: "007123", employeeType: Full-time}`
	phoneExample       = `{type: work, number: "+34600000001"}`
	emailExample       = `{type: home, address: ana@example.com}`
	locationExample    = `{name: Madrid HQ, notes: 3rd floor}`
	roleExample        = `{role: Supervisor, divisions: [EMEA]}`
	utilizationExample = `{capacity: 1, interruptedBy: [call]}`
	voicemailExample   = `{alertTimeoutSeconds: 30}`
)

func (r *reader) employer(n *node) (Value, bool) {
	var e EmployerInfo
	entries, ok := r.mapping(n, employerExample, "officialName", "employeeId", "employeeType", "dateHire")
	for _, p := range entries {
		var good bool
		switch p.key.text {
		case "officialName":
			e.OfficialName, good = r.literal(p.value, noText)
		case "employeeId":
			e.EmployeeID, good = r.literal(p.value, noText)
		case "employeeType":
			if good = isEmptyText(p.value); !good {
				e.EmployeeType, good = r.choice(p.value, "Full-time", "Part-time", "Contractor")
			}
		case "dateHire":
			e.DateHire, good = r.date(p.value)
		}
		ok = ok && good
	}
	return EmployerOf(e), ok
}

func (r *reader) date(n *node) (string, bool) {
	s, ok := r.literal(n, noText)
	if !ok || s == "" {
		return "", ok
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		r.problem(n, "%s is not a date; write it as 2024-03-01 (year-month-day)", quote(s))
		return "", false
	}
	return s, true
}

func (r *reader) phones(n *node) (Value, bool) {
	items, ok := r.list(n, "["+phoneExample+"]")
	var phones []Phone
	seen := map[string]int{}
	for _, item := range items {
		p, good := r.phone(item)
		ok = good && r.unique(item, seen, p.Media+" "+p.Type, "a "+p.Type+" number for "+p.Media) && ok
		phones = append(phones, p)
	}
	return PhoneList(phones), ok
}

func (r *reader) phone(n *node) (Phone, bool) {
	p := Phone{Type: "work", Media: "phone"}
	entries, ok := r.mapping(n, phoneExample, "type", "media", "number", "extension")
	for _, e := range entries {
		var good bool
		switch e.key.text {
		case "type":
			p.Type, good = r.choice(e.value, "work", "work2", "work3", "work4", "home", "mobile", "other")
		case "media":
			p.Media, good = r.choice(e.value, "phone", "sms")
		case "number":
			if p.Number, good = r.literal(e.value, ""); good && !e164.MatchString(digits(p.Number)) {
				r.problem(e.value, `%s is not an international number; write "+", the country code and the number, such as "+34600000001"`, quote(p.Number))
				good = false
			}
		case "extension":
			if p.Extension, good = r.literal(e.value, ""); good && !allDigits.MatchString(p.Extension) {
				r.problem(e.value, `%s is not an extension; write digits only, such as "4021"`, quote(p.Extension))
				good = false
			}
		}
		ok = ok && good
	}
	if ok && p.Number == "" && p.Extension == "" {
		r.problem(n, "needs a number or an extension, such as %s", phoneExample)
		ok = false
	}
	return p, ok
}

func (r *reader) emails(n *node) (Value, bool) {
	items, ok := r.list(n, "["+emailExample+"]")
	var emails []EmailAddress
	seen := map[string]int{}
	for _, item := range items {
		var e EmailAddress
		parts, good := r.mapping(item, emailExample, "type", "address")
		for _, p := range parts {
			var fine bool
			switch p.key.text {
			case "type":
				e.Type, fine = r.choice(p.value, "work", "home")
			case "address":
				e.Address, fine = r.addressKey(p.value)
			}
			good = good && fine
		}
		good = good && r.require(item, "type", emailExample) && r.require(item, "address", emailExample)
		ok = good && r.unique(item, seen, e.Type, "a "+e.Type+" address") && ok
		emails = append(emails, e)
	}
	return EmailList(emails), ok
}

// require reports a part that is missing.
func (r *reader) require(n *node, key, example string) bool {
	if n.get(key) == nil {
		r.problem(n, "needs %s, such as %s", key, example)
		return false
	}
	return true
}

func (r *reader) locations(n *node) (Value, bool) {
	items, ok := r.list(n, "["+locationExample+"]")
	var locations []Location
	seen := map[string]int{}
	for _, item := range items {
		var l Location
		parts, good := r.mapping(item, locationExample, "name", "notes")
		for _, p := range parts {
			var fine bool
			switch p.key.text {
			case "name":
				l.Name, fine = r.word(p.value)
			case "notes":
				l.Notes, fine = r.literal(p.value, noText)
			}
			good = good && fine
		}
		good = good && r.require(item, "name", locationExample)
		ok = good && r.unique(item, seen, l.Name, quote(l.Name)) && ok
		locations = append(locations, l)
	}
	return LocationList(locations), ok
}

func (r *reader) roles(n *node) (Value, bool) {
	items, ok := r.list(n, "[Employee, "+roleExample+"]")
	var roles []Role
	seen := map[string]int{}
	for _, item := range items {
		role, good := r.role(item)
		form := role.Name
		if len(role.Divisions) > 0 {
			form += " in divisions" // a role may stand once for the home division, and once for others
		}
		ok = good && r.unique(item, seen, form, quote(role.Name)) && ok
		roles = append(roles, role)
	}
	return RoleList(roles), ok
}

func (r *reader) role(n *node) (role Role, ok bool) {
	if n.kind == scalar {
		role.Name, ok = r.word(n)
		return role, ok
	}
	entries, ok := r.mapping(n, "Employee or "+roleExample, "role", "divisions")
	for _, e := range entries {
		var good bool
		switch e.key.text {
		case "role":
			role.Name, good = r.word(e.value)
		case "divisions":
			role.Divisions, good = r.wordList(e.value, "[EMEA]")
			if good && len(role.Divisions) == 0 {
				r.problem(e.value, "is empty; name a division, or leave divisions out to grant the role in the home division")
				good = false
			}
		}
		ok = ok && good
	}
	return role, ok && r.require(n, "role", roleExample)
}

var media = []string{"call", "callback", "chat", "email", "message"}

func (r *reader) utilization(n *node) (Value, bool) {
	entries, ok := r.mapping(n, "{call: "+utilizationExample+"}", media...)
	byMedia := make(map[string]MediaUtilization, len(entries))
	for _, e := range entries {
		u, good := r.mediaUtilization(e.value)
		byMedia[e.key.text] = u
		ok = ok && good
	}
	return UtilizationOf(byMedia), ok
}

func (r *reader) mediaUtilization(n *node) (u MediaUtilization, ok bool) {
	entries, ok := r.mapping(n, utilizationExample, "capacity", "interruptedBy")
	for _, e := range entries {
		var good bool
		switch e.key.text {
		case "capacity":
			var c float64
			c, good = r.number(e.value, 0, 25, true)
			u.Capacity = int(c)
		case "interruptedBy":
			u.InterruptedBy, good = r.mediaList(e.value)
		}
		ok = ok && good
	}
	return u, ok && r.require(n, "capacity", utilizationExample)
}

func (r *reader) mediaList(n *node) (words []string, ok bool) {
	items, ok := r.list(n, "[call]")
	seen := map[string]int{}
	for _, item := range items {
		m, good := r.choice(item, media...)
		ok = good && r.unique(item, seen, m, m) && ok
		words = append(words, m)
	}
	return words, ok
}

// maxAlertSeconds only keeps the number within what the API can carry; the API decides what it accepts.
const maxAlertSeconds = 1<<31 - 1

func (r *reader) voicemail(n *node) (Value, bool) {
	var v VoicemailPolicy
	entries, ok := r.mapping(n, voicemailExample, "alertTimeoutSeconds", "sendEmailNotifications")
	for _, e := range entries {
		var good bool
		switch e.key.text {
		case "alertTimeoutSeconds":
			var s float64
			s, good = r.number(e.value, 0, maxAlertSeconds, true)
			seconds := int(s)
			v.AlertTimeoutSeconds = &seconds
		case "sendEmailNotifications":
			var b bool
			b, good = r.bool(e.value)
			v.SendEmailNotifications = &b
		}
		ok = ok && good
	}
	if ok && len(entries) == 0 {
		r.problem(n, "sets nothing; leave it out, or write %s", voicemailExample)
		ok = false
	}
	return VoicemailOf(v), ok
}
