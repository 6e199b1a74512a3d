package genesys

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usersyncd/spec"
)

// What the README says of a field's permissions is what the code says.
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
	name := regexp.MustCompile("`([a-z]+:[a-zA-Z]+:[a-zA-Z]+)`(?: or `([a-z]+:[a-zA-Z]+:[a-zA-Z]+)`)?")
	names := func(cell string) (all []string) {
		for _, m := range name.FindAllStringSubmatch(cell, -1) {
			all = append(all, strings.TrimSuffix(m[1]+" or "+m[2], " or "))
		}
		return all
	}
	seen := map[spec.Field]bool{}
	for line := range strings.Lines(table) {
		cell := strings.Split(line, "|")
		read, write := names(cell[2]), names(cell[3])
		if strings.Contains(cell[1], "--min-admins") {
			if needs := (Usage{Admins: true}).Needs(); !slices.Equal(read, []string{needs[1].Permission}) || write != nil {
				t.Errorf("%s is not %v", line, needs)
			}
			continue
		}
		if strings.Contains(cell[1], "email,") { // its row has creating and deleting, too
			if len(write) != 3 || !slices.Equal(write[1:], []string{createUser.Needs[0], deleteUser.Needs[0]}) {
				t.Errorf("to create and to delete takes %v", write)
			}
			write = write[:1]
		}
		for f := range strings.SplitSeq(cell[1], ",") {
			f := spec.Field(strings.TrimSpace(f))
			if _, ok := spec.Lookup(f); !ok {
				t.Errorf("there is no field %q", f)
			}
			seen[f] = true
			var wantRead, wantWrite []string
			for _, n := range (Usage{Fields: []spec.Field{f}}).Needs() {
				switch {
				case !slices.Contains(n.For, string(f)):
				case n.Writes:
					wantWrite = append(wantWrite, n.Permission)
				default:
					wantRead = append(wantRead, n.Permission)
				}
			}
			if !slices.Equal(read, wantRead) || !slices.Equal(write, wantWrite) {
				t.Errorf("%s: the README has %v and %v, the rows %v and %v", f, read, write, wantRead, wantWrite)
			}
		}
	}
	for _, info := range spec.All() {
		if !seen[info.Field] {
			t.Errorf("the README says nothing of %s", info.Field)
		}
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
