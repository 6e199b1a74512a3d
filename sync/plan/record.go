package plan

import (
	"slices"

	"usersyncd/spec"
	"usersyncd/state"
)

// declaration is what is recorded of a user who is matched to a spec. The record of whom a plan doubts, or does not
// come to manage, stays as it is: the zero value.
func (p *planner) declaration(u *spec.User, cur *state.User) state.Declaration {
	if p.match.Doubts[u.Key] != "" && p.policy.Guard.Renames || cur != nil && cur.Applied == nil && !p.policy.Adopt && cur.Removed == "" {
		return state.Declaration{}
	}
	return state.Declaration{Key: u.Key, File: u.Pos.File, Ordinal: u.Ordinal}
}

// redeclare returns what is known of a matched user with the record of the declaration that it is matched to.
func (p *planner) redeclare(u *spec.User, cur *state.User) *state.User {
	d := p.declaration(u, cur)
	if cur == nil || d == (state.Declaration{}) {
		return cur
	}
	renewed := *cur
	renewed.Redeclare(d)
	if cur.Key() == u.Key { // a rename that was done before there was a record of it
		for _, former := range u.PreviousEmails {
			if !slices.Contains(renewed.Formerly, former) {
				renewed.Formerly = append(slices.Clip(renewed.Formerly), former)
			}
		}
		renewed.Formerly = renewed.Formerly[max(0, len(renewed.Formerly)-state.MaxFormerly):]
	}
	if renewed.Declared == cur.Declared && slices.Equal(renewed.Formerly, cur.Formerly) {
		return cur
	}
	p.redeclared = append(p.redeclared, &renewed)
	return &renewed
}
