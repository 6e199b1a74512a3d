package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/access"
	"usersyncd/sync/plan/window"
)

// mostParts is how many parts of a list or map a line names, unless they give access.
const mostParts = 20

// A fieldLine tells what happens to a field.
type fieldLine struct {
	field spec.Field
	text  string
	whole string // text, with all parts: what is equal is equal in this
}

// givesAccess reports whether the field lets a user do more than log in.
func (l fieldLine) givesAccess() bool { return l.field != spec.State && plan.GivesAccess(l.field) }

// fieldLines has a line for each field of a change, also for those that are not written now.
func fieldLines(c *plan.Change) (lines []fieldLine) {
	add := func(fc plan.FieldChange, why string) {
		line, whole := describe(fc)
		why = text.Enclose(" (", why, ")")
		lines = append(lines, fieldLine{fc.Field, line + why, whole + why})
	}
	for _, fc := range c.Fields {
		why := ""
		if fc.Cause == plan.Drift {
			why = "drift"
		}
		add(fc, why)
	}
	for _, fc := range c.Deferred {
		why := "waits for the change window"
		if !c.Until.IsZero() {
			why += ", " + window.Format(c.Until)
		}
		add(fc, why)
	}
	for _, w := range c.Withheld {
		add(w.FieldChange, w.Why())
	}
	for _, fc := range c.Drift {
		why := "drift, only reported"
		if c.Cause == plan.RolledBack {
			why = "not changed"
		}
		add(fc, why)
	}
	return lines
}

// describe is a change of a field on one line: of a list or map what comes and goes, of anything else the value before and
// after. whole has all parts, and line those for which there is room.
func describe(fc plan.FieldChange) (line, whole string) {
	added, removed, changed := Parts(fc)
	var parts []string
	for _, name := range added {
		parts = append(parts, "+"+name)
	}
	for _, name := range removed {
		parts = append(parts, "-"+name)
	}
	separator, most := " ", mostParts
	if len(changed) > 0 {
		separator = ", "
	}
	if plan.GivesAccess(fc.Field) {
		most = mostNamed
	}
	parts = append(parts, changed...)
	if fc.Before == "" && (fc.Field == spec.Roles || fc.Field == spec.Queues || fc.Field == spec.Groups) {
		separator = ", "
		for _, e := range entries(fc.Field, fc.After) {
			parts = append(parts, e.Key)
		}
	}
	n := len(parts)
	if n == 0 { // not a list, or in another order
		return fc.String(), fc.String()
	}
	line = strings.Join(parts[:min(n, most)], separator)
	if n > most {
		line += fmt.Sprintf(" and %d more", n-most)
	}
	return string(fc.Field) + ": " + line, string(fc.Field) + ": " + strings.Join(parts, separator)
}

// Parts are the parts of a list or map that a change adds, removes, and changes ("Sales 2 -> 4"). There are none where the
// value before is not known, or neither value is a list or map.
func Parts(fc plan.FieldChange) (added, removed, changed []string) {
	if fc.Before == "" {
		return nil, nil, nil
	}
	before, after := entries(fc.Field, fc.Before), entries(fc.Field, fc.After)
	was := make(map[string]spec.Value, len(before))
	for _, e := range before {
		was[e.Key] = e.Value
	}
	is := make(map[string]bool, len(after))
	for _, e := range after {
		old, known := was[e.Key]
		is[e.Key] = true
		switch {
		case !known && e.Value == "":
			added = append(added, e.Key)
		case !known:
			added = append(added, e.Key+" "+e.Value.Display())
		case old != e.Value:
			changed = append(changed, e.Key+" "+old.Display()+" -> "+e.Value.Display())
		}
	}
	for _, e := range before {
		if !is[e.Key] {
			removed = append(removed, e.Key)
		}
	}
	return added, removed, changed
}

// entries are the parts of a value, by a name for people. The parts of a list have no value.
func entries(f spec.Field, v spec.Value) []spec.Entry {
	all := v.Entries()
	if f == spec.Roles {
		all = nil
		for _, g := range access.Grants(v) {
			all = append(all, spec.Entry{Key: label(g.Role) + text.Enclose(" (", label(g.Division), ")")})
		}
		return all
	}
	for i, e := range all {
		switch {
		case v.IsMap():
			all[i].Key = label(e.Key)
		case e.Value.Text() != "":
			all[i] = spec.Entry{Key: label(e.Value.Text())}
		default:
			all[i] = spec.Entry{Key: e.Value.Display()}
		}
	}
	return all
}

// plainLabel is a name that cannot be taken for several.
var plainLabel = regexp.MustCompile(`^[\pL\pN_*][\pL\pN_.&/'*-]*( [\pL\pN_.&/'*][\pL\pN_.&/'*-]*)*$`)

// label is a name as it is or, if it could be misread, in quotes.
func label(name string) string {
	if name == "" || plainLabel.MatchString(name) {
		return name
	}
	return strconv.Quote(name)
}
