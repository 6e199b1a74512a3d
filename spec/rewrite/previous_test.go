package rewrite_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/spec/rewrite"
)

func TestWriteTakesFormerAddressesOutOfAList(t *testing.T) {
	for name, c := range map[string]struct {
		old, want string
		users     []*spec.User
	}{
		"nothing to do": {old: "email: a@x.example\npreviousEmail: [ \"O1@x.example\",o2@x.example ] # p\n", users: []*spec.User{nameless()}},
		"one that the organization still has": {old: "email: new@x.example\npreviousEmail: [o1@x.example, A@x.example, o2@x.example] # p\n", users: []*spec.User{nameless()},
			want: "email: a@x.example\npreviousEmail: [o1@x.example, o2@x.example] # p\n"},
		"one of a list on lines": {old: "email: a@x.example\npreviousEmail:\n# first\n- O1@x.example # 1\n- b@x.example # 2\n# last\ntitle: A\n", users: []*spec.User{nameless(), person("b@x.example")},
			want: "email: a@x.example\npreviousEmail:\n# first\n- O1@x.example # 1\n# last\ntitle: A\n"},
		"all": {old: "email: a@x.example\npreviousEmail: [b@x.example, c@x.example]\ntitle: A\n", users: []*spec.User{nameless(), person("b@x.example"), person("c@x.example")},
			want: "email: a@x.example\ntitle: A\n"},
		"in braces": {old: "{email: a@x.example, previousEmail: [b@x.example, o@x.example], title: A}\n", users: []*spec.User{nameless(), person("b@x.example")},
			want: "{email: a@x.example, previousEmail: [o@x.example], title: A}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := checkout(t, map[string]string{"u.yaml": c.old})
			for _, u := range c.users {
				if strings.Contains(c.old, "title") {
					u.Fields.Set(spec.Title, `"A"`)
				}
			}
			export(t, dir, rewrite.Options{}, c.users...)
			want := c.want
			if want == "" {
				want = c.old
			}
			if diff := cmp.Diff(want, tree(t, dir)["u.yaml"]); diff != "" {
				t.Error(diff)
			}
			if again := export(t, dir, rewrite.Options{}, c.users...); again.Unchanged != len(c.users) {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// A user of the organization is found by any of its former addresses.
func TestWriteFindsTheSpecByAFormerAddress(t *testing.T) {
	dir := checkout(t, map[string]string{"u.yaml": "email: new@x.example\npreviousEmail: [o@x.example, a@x.example]\n"})
	if report := export(t, dir, rewrite.Options{}, nameless()); report.Updated != 1 || report.Created != 0 {
		t.Errorf("%+v", report)
	}
	if diff := cmp.Diff("email: a@x.example\npreviousEmail: [o@x.example]\n", tree(t, dir)["u.yaml"]); diff != "" {
		t.Error(diff)
	}
}
