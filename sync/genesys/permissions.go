package genesys

import (
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/sync/genesys/api"
)

// What a role of the OAuth client must allow follows from the rows of the fields and of the operations. README.md shows it
// as a table, and a test holds the two together.

// Usage is what is made use of.
type Usage struct {
	Fields []spec.Field
	Create bool // users are created
	Delete bool // those who are no longer declared are deleted
	Admins bool // the holders of a role are counted
}

// A Need is a permission that something in use takes.
type Need struct {
	Permission string   // or several with " or " between them: any of them is enough
	For        []string // the fields, and what else it is for
	Writes     bool     // it is to write; only a role's policies can show whether it is there

	accepts []string       // permissions that replace it for all of these
	op      *api.Operation // the first that takes it
}

// Needs lists what a use takes, each permission once, in the order of the fields.
func (u Usage) Needs() []Need {
	var needs []Need
	add := func(what string, op *api.Operation) {
		for _, permission := range op.Needs {
			i := slices.IndexFunc(needs, func(n Need) bool { return n.Permission == permission })
			if i < 0 {
				i = len(needs)
				needs = append(needs, Need{Permission: permission, Writes: op.Writes(), accepts: slices.Clone(op.Accepts), op: op})
			}
			n := &needs[i]
			n.accepts = slices.DeleteFunc(n.accepts, func(other string) bool { return !slices.Contains(op.Accepts, other) })
			if !slices.Contains(n.For, what) {
				n.For = append(n.For, what)
			}
		}
	}
	add("reading users", &queryUsers)
	if u.Create {
		add("creating users", &createUser)
	}
	if u.Delete {
		add("--on-removal delete", &deleteUser)
	}
	rows := fields()
	for _, name := range u.Fields {
		for _, op := range rows.of(name).operations() {
			add(string(name), op)
		}
	}
	if u.Admins {
		add("--min-admins", &listRoleUsers)
	}
	return needs
}

// operations lists those that a field takes, apart from creating and deleting users.
func (f *field) operations() (all []*api.Operation) {
	if f.user != "" {
		all = append(all, &listUsers)
	}
	if f.kind != "" {
		all = append(all, listOf(f.kind))
	}
	all = append(all, f.reads...)
	if f.patch != "" {
		all = append(all, &updateUser)
	}
	return append(all, f.writes...)
}

// alternatives lists the permissions any of which is enough. Nobody must have those that are accepted as well, but who has
// one is not told that a permission is missing.
func (n Need) alternatives() []string {
	return append(strings.Split(n.Permission, " or "), n.accepts...)
}
