package genesys

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usersyncd/spec"
)

// What the README says of a field's permissions is what the rows say.
func TestPermissionsAreThoseOfTheReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| field | permission to read | to write |\n|---|---|---|\n")
	if !ok {
		t.Fatal("the README has no table of permissions")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	permission := regexp.MustCompile("`([a-z]+:[a-zA-Z]+:[a-zA-Z]+)`(?: or `([a-z]+:[a-zA-Z]+:[a-zA-Z]+)`)?")
	type permissions struct{ read, write []string }
	names := func(cell string) (all []string) {
		for _, m := range permission.FindAllStringSubmatch(cell, -1) {
			all = append(all, strings.TrimSuffix(m[1]+" or "+m[2], " or "))
		}
		return all
	}
	const others, admins = "every field that is not listed below", "`--min-admins`, where users are deactivated, removed or lose roles"
	told := map[string]permissions{}
	for line := range strings.Lines(table) {
		cell := strings.Split(line, "|")
		told[strings.TrimSpace(cell[1])] = permissions{names(cell[2]), names(cell[3])}
	}
	if p := told[admins]; !slices.Equal(p.read, listRoleUsers.Needs) || p.write != nil {
		t.Errorf("for %s the README has %v", admins, p)
	}
	rest := told[others] // which has creating and deleting, too
	if len(rest.write) != 3 || !slices.Equal(rest.write[1:], append(slices.Clone(createUser.Needs), deleteUser.Needs...)) {
		t.Errorf("to create and to delete takes %v", rest.write)
	}
	rest.write = rest.write[:1]
	delete(told, admins)
	delete(told, others)
	for _, info := range spec.AllFields() {
		f := string(info.Field)
		p, listed := told[f]
		if delete(told, f); !listed {
			p = rest
		}
		var want permissions
		for _, n := range (Usage{Fields: []spec.Field{info.Field}}).Needs() {
			switch {
			case !slices.Contains(n.For, f):
			case n.Writes:
				want.write = append(want.write, n.Permission)
			default:
				want.read = append(want.read, n.Permission)
			}
		}
		if !slices.Equal(p.read, want.read) || !slices.Equal(p.write, want.write) {
			t.Errorf("%s: the README has %v, the rows %v", f, p, want)
		}
	}
	for f := range told {
		t.Errorf("there is no field %q", f)
	}
}

func TestNeeds(t *testing.T) {
	u := Usage{Fields: []spec.Field{spec.Email, spec.Title, spec.Roles, spec.Queues}, Create: true, Delete: true, Admins: true}
	var got []string
	for _, n := range u.Needs() {
		mode := " r "
		if n.Writes {
			mode = " w "
		}
		got = append(got, n.Permission+mode+strings.Join(n.For, ","))
	}
	want := []string{
		"directory:user:view r reading users,email,title",
		"directory:user:add w creating users",
		"directory:user:delete w --on-removal delete",
		"directory:user:edit w email,title",
		"authorization:role:view r roles,--min-admins",
		"authorization:grant:view r roles",
		"authorization:grant:add w roles",
		"authorization:grant:delete w roles",
		"routing:queue:view r queues",
		"routing:queue:edit or routing:queueMember:manage w queues",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
