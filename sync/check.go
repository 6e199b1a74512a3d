package sync

import (
	"cmp"
	"fmt"
	"slices"

	"usersyncd/spec"
)

// A Problem is what is wrong with one user's spec.
type Problem struct {
	Key string // spec.User.Key
	spec.Problem
}

// check finds what only now can be known to be wrong, before anything of the user is written.
func (p *planner) check(u *spec.User) bool {
	for _, problem := range unsent(u, p.policy.Sends) {
		p.problem(u, spec.Field(problem.Field), problem.Message)
	}
	for f, v := range u.Fields {
		info, _ := spec.Lookup(f)
		if key := text(v); info.User && key != "" && p.roster.live(key) == nil && p.declared[key] == nil {
			p.problem(u, f, fmt.Sprintf("no user has the address %s, neither in the organization nor in the specs", v.Display()))
		}
	}
	return !p.wrong[u.Key]
}

// Problems lists all that is wrong with a tree without asking the organization, by file and line:
// its own problems, and the fields that a directory cannot write.
func Problems(tree *spec.Tree, sends []spec.Field) []spec.Problem {
	problems := slices.Clone(tree.Problems)
	for _, u := range tree.Users {
		problems = append(problems, unsent(u, sends)...)
	}
	slices.SortFunc(problems, byPlace)
	return problems
}

func byPlace(a, b spec.Problem) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Field, b.Field))
}

// unsent reports the fields of a user that a directory cannot write. Leaving them out in silence would
// break a promise, so they are refused.
func unsent(u *spec.User, sends []spec.Field) []spec.Problem {
	var problems []spec.Problem
	for _, info := range spec.All() {
		if _, declared := u.Fields[info.Field]; declared && !slices.Contains(sends, info.Field) {
			problems = append(problems, spec.Problem{Pos: u.At[info.Field], Field: string(info.Field),
				Message: "this version of usersyncd does not send this field yet; take it out of the spec (what Genesys has stays as it is)"})
		}
	}
	return problems
}

func (p *planner) problem(u *spec.User, f spec.Field, message string) {
	p.wrong[u.Key] = true
	pos, ok := u.At[f]
	if !ok {
		pos = u.Pos
	}
	p.Problems = append(p.Problems, Problem{u.Key, spec.Problem{Pos: pos, Field: string(f), Message: message}})
}
