package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"usersyncd/spec"
)

// A Problem is what is wrong with one user's spec.
type Problem struct {
	Key string // spec.User.Key
	spec.Problem
	Name string // of what is wrong within the field, if that is more exact
}

// leaveOut withholds a field of which something is wrong: what was applied stays, and the user's other fields go on.
func (p *planner) leaveOut(u *spec.User, c *Change, f spec.Field, message string) {
	p.problem(u, f, message)
	if c != nil {
		c.withhold(Withheld{Reason: ByProblem, Note: message}, func(fc FieldChange) bool { return fc.Field == f })
	}
}

// onlyLeaves reduces a change that may not be made to the end of the user's work, if it has that: whatever is wrong
// with the rest, who is to be inactive becomes it.
func (p *planner) onlyLeaves(u *spec.User, c *Change, why string) bool {
	if !c.Deactivates() || !u.Own(spec.State) {
		return false
	}
	c.withhold(Withheld{Reason: ByProblem, Note: why}, func(fc FieldChange) bool { return fc.Field != spec.State })
	return true
}

// readable asks for the fields whose values now are not known. Those that could not be read are left out.
func (p *planner) readable(u *spec.User, c *Change) {
	unknown, undeclared := p.doubt(c)
	c.Current = p.forget(c.Current, undeclared)
	if len(unknown) > 0 && p.inQuarantine(c.Key, u.Hash()) {
		unknown = nil // nothing is to be written yet
	}
	if !c.Current.Deleted() { // who is, is read once it is restored
		unknown = append(unknown, p.unread(c)...)
	}
	if len(unknown) == 0 {
		return
	}
	err, asked := p.answers.Unread[c.Current.ID]
	switch {
	case !asked && p.Urgent:
		c.withhold(Withheld{Reason: ByDoubt, Note: "it is read first"}, func(fc FieldChange) bool { return slices.Contains(unknown, fc.Field) })
	case !asked:
		p.Lookups.Fields[c.Current.ID] = unknown
	case errors.Is(err, ErrUnshown):
		until := p.now.Add(ReadLag)
		c.withhold(Withheld{Reason: ByDoubt, Note: err.Error(), Until: until}, func(fc FieldChange) bool { return slices.Contains(unknown, fc.Field) })
	case err != nil:
		for _, f := range unknown {
			p.leaveOut(u, c, f, fmt.Sprintf("what Genesys has now cannot be read, so it is not written: %v", err))
		}
	}
}

// unread returns the fields of a change that are to be written and not known, since what they hold now decides what
// must be sent, and those that are newly managed and were read too long ago to be compared.
func (p *planner) unread(c *Change) []spec.Field {
	var unknown []spec.Field
	for _, fc := range c.Fields {
		if _, known := c.Current.Fields[fc.Field]; !known {
			unknown = append(unknown, fc.Field)
		}
	}
	for _, f := range p.policy.DetailFields {
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

// checkNames asks whether the names exist that a change refers to, and leaves out the fields of which one does not. It
// is false if the user cannot be made without.
func (p *planner) checkNames(u *spec.User, c *Change) bool {
	for _, fc := range slices.Clone(c.Fields) {
		for _, ref := range spec.References(fc.Field, fc.After) {
			wrong, asked := p.answers.Names[ref]
			if !asked {
				p.Lookups.Names[ref] = true
			} else if wrong != "" {
				p.leaveOut(u, c, fc.Field, wrong)
				p.Problems[len(p.Problems)-1].Name = ref.Name
			}
		}
	}
	return (c.Action != Create && c.Action != Restore) || !c.Withholds(spec.Division)
}

// ByPlace compares problems by file, line, column and field.
func ByPlace(a, b spec.Problem) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Field, b.Field))
}

func (p *planner) problem(u *spec.User, f spec.Field, message string) {
	pos, ok := u.At.Of(f)
	if !ok {
		pos = u.Pos
	}
	p.Problems = append(p.Problems, Problem{Key: u.Key, Problem: spec.Problem{Pos: pos, Field: string(f), Message: message}})
}
