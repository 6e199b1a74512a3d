package saved

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/sync/plan/digest"
)

// hold is what held a change, or a field of it; zero if nothing did.
type hold struct{ guard, id string }

func changeParts(user, action string) []string { return []string{"change", user, action} }

func fieldParts(user, action string, f digest.Field) []string {
	return []string{"field", user, action, string(f.Name), string(f.Before), string(f.After)}
}

// entry identifies something by its parts; none of them has a NUL.
func (p *Plan) entry(parts ...string) string {
	if p.HasValues() {
		return strings.Join(parts, "\x00")
	}
	message, _ := json.Marshal(append([]string{p.orgID}, parts...)) // texts alone always have JSON
	sum := hmac.New(sha256.New, []byte(p.Salt))
	sum.Write(message)
	return hex.EncodeToString(sum.Sum(nil))
}

func (p *Plan) buildIndex() {
	p.index = make(map[string]hold, 2*len(p.Changes))
	for _, c := range p.Changes {
		key := c.Hash
		if p.HasValues() {
			key = p.entry(changeParts(c.user(), c.Action)...)
		}
		p.index[key] = hold{c.Held, c.Hold}
		for _, f := range c.Fields {
			key := f.Hash
			if p.HasValues() {
				key = p.entry(fieldParts(c.user(), c.Action, f.Effect())...)
			}
			p.index[key] = hold{f.Held, f.Hold}
		}
	}
}

func (p *Plan) permits(released []string, parts []string) bool {
	h, found := p.index[p.entry(parts...)]
	return found && (h.guard == "" || slices.Contains(released, h.id))
}

// Permits reports whether the plan has the change of a user, as digest.Effect names both. What was held is permitted if its
// hold is among those released.
func (p *Plan) Permits(user, action string, released []string) bool {
	return p.permits(released, changeParts(user, action))
}

// PermitsField reports whether the plan has the change of one field, with the same values. If it was not known what the field
// was before, it may have been anything.
func (p *Plan) PermitsField(user, action string, f digest.Field, released []string) bool {
	unknown := f
	unknown.Before = ""
	return p.permits(released, fieldParts(user, action, f)) || p.permits(released, fieldParts(user, action, unknown))
}

// Saved returns what the plan has of a user and of one field; nil for what it has not, or only as a hash.
func (p *Plan) Saved(user string, name spec.Field) (*Change, *Field) {
	for i := range p.Changes {
		if c := &p.Changes[i]; p.HasValues() && c.user() == user {
			if j := slices.IndexFunc(c.Fields, func(f Field) bool { return f.Field == name }); j >= 0 {
				return c, &c.Fields[j]
			}
			return c, nil
		}
	}
	return nil, nil
}

// CheckOrg returns an error if the plan is of another organization than that of now.
func (p *Plan) CheckOrg(now Org) error {
	was, same := p.Org, false
	switch {
	case was.ID == "", now.ID == "":
		same = strings.EqualFold(was.API, now.API)
	case p.HasValues():
		same = was.ID == now.ID
	default:
		p.orgID, was.ID = now.ID, ""
		same = p.Org.ID == p.entry("org")
	}
	switch {
	case same && now.ID == "" && was.ID != "" && !p.HasValues():
		return errors.New("has no values, and is compared by the id of the organization, which the OAuth client may not read")
	case same:
		return nil
	}
	return fmt.Errorf("is of %s, this is %s", was, now)
}

func (o Org) String() string {
	switch {
	case o.ID == "":
		return "an organization at " + text.Escape(o.API)
	case o.Name == "":
		return fmt.Sprintf("the organization %s at %s", text.Escape(o.ID), text.Escape(o.API))
	}
	return fmt.Sprintf("org %s (%s)", text.Quote(o.Name), text.Escape(o.ID))
}

// CheckSettings returns an error that names the first setting that is not as it was when the plan was made. CheckOrg must have
// found no error.
func (p *Plan) CheckSettings(now map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(now)) {
		was, known := p.Settings[name]
		switch is := now[name]; {
		case !known:
			return fmt.Errorf("%s was no setting when it was planned: plan again", name)
		case p.HasValues() && was != is:
			return fmt.Errorf("%s was %s when it was planned, and is %s now: plan again", name, shown(was), shown(is))
		case was != p.value(name, is):
			return fmt.Errorf("%s is not what it was when it was planned: plan again", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Settings)) {
		if _, known := now[name]; !known {
			return fmt.Errorf("%s is no setting of this version: plan again", text.Quote(name))
		}
	}
	return nil
}

// value is the value of a setting as the file has it.
func (p *Plan) value(name, is string) string {
	if p.HasValues() {
		return is
	}
	return p.entry("setting", name, is)
}

func shown(value string) string {
	if value == "" {
		return "not set"
	}
	return text.Escape(text.Cut(value, 60))
}

// clockSkew is by how much the clocks of two machines may differ.
const clockSkew = 5 * time.Minute

// CheckAge returns an error if the plan is older than it may be, or from the future.
func (p *Plan) CheckAge(now time.Time, most time.Duration) error {
	switch age := now.Sub(p.Created); {
	case age > most:
		old := text.ShortDuration(age)
		if age >= 48*time.Hour {
			old = text.Plural(int(age.Hours()/24), "day")
		}
		return fmt.Errorf("is %s old, and may be %s (--plan-max-age): plan again", old, most)
	case age < -clockSkew:
		return fmt.Errorf("was made at %s, which is in the future: check the clocks, and plan again", text.Time(p.Created.UTC()))
	}
	return nil
}
