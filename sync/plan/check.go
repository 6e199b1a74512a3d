package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
)

// A Problem is what is wrong with one user's spec.
type Problem struct {
	Key string // spec.User.Key
	spec.Problem
	Name string // of what is wrong within the field, if that is more exact
}

// check finds what only now can be known to be wrong, before anything of the user is written.
func (p *planner) check(u *spec.User) bool {
	for _, info := range p.Index.infos {
		if !info.User {
			continue
		}
		f, v := info.Field, u.Fields[info.Field]
		switch key := v.Text(); {
		case key == "":
		case p.Index.Live(key) == nil && p.declared[key] == nil:
			p.problem(u, f, fmt.Sprintf("no user has the address %s, neither in the organization nor in the specs%s", v.Display(), p.meant(key)))
		default:
			if way := p.circle(u.Key, f); way != "" {
				p.Notes = append(p.Notes, fmt.Sprintf("%s: the %ss go in a circle: %s", u.Pos, f, way))
			}
		}
	}
	return !p.wrong[u.Key]
}

// meant suggests an address for one that nobody has.
func (p *planner) meant(key string) string {
	candidates := slices.Collect(maps.Keys(p.declared))
	for known := range p.Index.ByKey {
		candidates = append(candidates, known)
	}
	return DidYouMean(key, candidates)
}

// DidYouMean suggests the one of some addresses, to go behind a sentence; "" if none is close.
func DidYouMean(key string, candidates []string) string {
	slices.Sort(candidates) // of two that are as close it is always the same
	if near := spec.Suggest(key, candidates); near != "" {
		return "; did you mean " + spec.Text(near).Display() + "?"
	}
	return ""
}

// circle returns the way from a declared user over those that a field names back to the user; "" if there is
// none, or if another one on it tells of it. Genesys Cloud takes a circle, so it is no error.
func (p *planner) circle(key string, f spec.Field) string {
	way := []string{key}
	for next := key; len(way) <= len(p.declared); {
		u := p.declared[next]
		if u == nil {
			return ""
		}
		if next = u.Fields[f].Text(); next == "" {
			return ""
		}
		if way = append(way, next); next == key {
			return Printable(strings.Join(way, " -> "))
		}
		if next < key {
			return ""
		}
		if slices.Contains(way[:len(way)-1], next) {
			return "" // a circle above, of others
		}
	}
	return ""
}

// readable asks for the fields that are to be written and not known, since what they hold now decides what
// must be sent, for those that are newly managed and were read too long ago to be compared, and for those that an
// interrupted call may have written. It is false if they could not be read.
func (p *planner) readable(u *spec.User, c *Change) bool {
	unknown, undeclared := p.doubt(c)
	c.Current = p.forget(c.Current, undeclared)
	if len(unknown) > 0 && p.inQuarantine(c.Key, u.Hash()) {
		unknown = nil // nothing is to be written yet
	}
	if !c.Current.Deleted() { // who is, is read once it is restored
		unknown = append(unknown, p.unknown(c)...)
	}
	if len(unknown) == 0 {
		return true
	}
	err, asked := p.answers.Unread[c.Current.ID]
	switch {
	case !asked:
		p.Lookups.Fields[c.Current.ID] = unknown
	case err != nil:
		p.problem(u, unknown[0], fmt.Sprintf("what Genesys has now cannot be read, so nothing is written: %v", err))
		return false
	}
	return true
}

// unknown returns the fields of an existing user that must be read before they are written.
func (p *planner) unknown(c *Change) []spec.Field {
	var unknown []spec.Field
	for _, fc := range c.Fields {
		if _, known := c.Current.Fields[fc.Field]; !known {
			unknown = append(unknown, fc.Field)
		}
	}
	for _, f := range p.policy.Apart {
		_, declared := c.Desired[f]
		_, known := c.Current.Fields[f]
		_, managed := c.Current.Applied[f]
		every := p.policy.DetailInterval
		if declared && known && !managed && every > 0 && p.now.Sub(c.Current.Times.ReadAt(f)) >= every && !c.Withholds(f) {
			unknown = append(unknown, f)
		}
	}
	return unknown
}

// named asks whether the names exist that a change refers to. It is false if one is known not to.
func (p *planner) checkNames(u *spec.User, c *Change) bool {
	ok := true
	for _, fc := range c.Fields {
		for _, ref := range spec.References(fc.Field, fc.After) {
			wrong, asked := p.answers.Names[ref]
			if !asked {
				p.Lookups.Names[ref] = true
			} else if wrong != "" {
				p.problem(u, fc.Field, wrong)
				p.Problems[len(p.Problems)-1].Name = ref.Name
				ok = false
			}
		}
	}
	return ok
}

// ByPlace compares problems by file, line, column and field.
func ByPlace(a, b spec.Problem) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Field, b.Field))
}

func (p *planner) problem(u *spec.User, f spec.Field, message string) {
	p.wrong[u.Key] = true
	pos, ok := u.At.Of(f)
	if !ok {
		pos = u.Pos
	}
	p.Problems = append(p.Problems, Problem{Key: u.Key, Problem: spec.Problem{Pos: pos, Field: string(f), Message: message}})
}
