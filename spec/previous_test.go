package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
)

// elevenAddresses is one more than a list may have.
func elevenAddresses() string {
	var list []string
	for i := range 11 {
		list = append(list, fmt.Sprintf("o%d@x.example", i))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func TestPreviousEmailIsAnAddressOrAList(t *testing.T) {
	schema := compiled(t, "")
	for name, c := range map[string]struct {
		yaml     string
		want     []string
		problems []string
		blind    bool // only the loader can tell; the schema takes it
	}{
		"one":              {yaml: "Old@X.example", want: []string{"old@x.example"}},
		"a list of one":    {yaml: "[old@x.example]", want: []string{"old@x.example"}},
		"a list":           {yaml: "[b@x.example, A@x.example]", want: []string{"b@x.example", "a@x.example"}},
		"a list on lines":  {yaml: "\n- b@x.example\n- a@x.example", want: []string{"b@x.example", "a@x.example"}},
		"no address":       {yaml: "old", problems: []string{`2:16: previousEmail: "old" is not an e-mail address; write it as name@example.com`}},
		"nothing":          {yaml: "", problems: []string{`2:15: previousEmail: has no value; leave the field out to not manage it`}},
		"empty":            {yaml: "[]", problems: []string{`2:16: previousEmail: lists 0 addresses; write 1 to 10`}},
		"a map":            {yaml: "{a: b}", problems: []string{`2:16: previousEmail: must be text, not a map`}},
		"a bad item":       {yaml: "\n- b@x.example\n- b", problems: []string{`4:3: previousEmail[1]: "b" is not an e-mail address; write it as name@example.com`}},
		"an empty item":    {yaml: "[b@x.example, ~]", problems: []string{`2:30: previousEmail[1]: has no value; remove the item`}},
		"a list in a list": {yaml: "[[b@x.example]]", problems: []string{`2:17: previousEmail[0]: must be text, not a list`}},
		"twice": {yaml: "\n- b@x.example\n- B@x.example", blind: true,
			problems: []string{`4:3: previousEmail[1]: "b@x.example" is listed twice, first in line 3; keep one`}},
		"the user's own address": {yaml: "ME@x.example", blind: true,
			problems: []string{`2:16: previousEmail: is the same as email; remove it`}},
		"the user's own address in a list": {yaml: "[b@x.example, ME@x.example]", blind: true,
			problems: []string{`2:30: previousEmail[1]: is the same as email; remove it`}},
		"too many": {yaml: elevenAddresses(), problems: []string{`2:16: previousEmail: lists 11 addresses; write 1 to 10`}},
	} {
		t.Run(name, func(t *testing.T) {
			text := "email: me@x.example\npreviousEmail: " + c.yaml + "\n"
			tree := load(t, spec.NewLoader(checkout(t, map[string]string{"u.yaml": text})))
			var want []string
			for _, p := range c.problems {
				want = append(want, "u.yaml:"+p)
			}
			if diff := cmp.Diff(want, texts(tree.Problems)); diff != "" {
				t.Error(diff)
			}
			if err := schema.Validate(instance(t, text)); (err == nil) != (len(c.problems) == 0 || c.blind) {
				t.Errorf("the schema says %v", err)
			}
			if len(c.problems) > 0 {
				if len(tree.Users) > 0 {
					t.Errorf("users %q", keys(tree))
				}
				return
			}
			if diff := cmp.Diff(c.want, tree.Users[0].PreviousEmails); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAFormerAddressHasOneOwner(t *testing.T) {
	tree := load(t, spec.NewLoader(checkout(t, map[string]string{
		"a.yaml": "email: a@x.example\npreviousEmail: [a1@x.example, old@x.example]\n",
		"b.yaml": "users:\n- email: b@x.example\n  previousEmail:\n  - b1@x.example\n  - OLD@x.example\n",
		"c.yaml": "email: c@x.example\npreviousEmail: old@x.example\n",
		"d.yaml": "email: d@x.example\npreviousEmail: [d1@x.example, e@x.example]\n",
		"e.yaml": "email: e@x.example\npreviousEmail: [e1@x.example, e2@x.example]\n",
	})))
	want := []string{
		`a.yaml:2:31: previousEmail[1]: "old@x.example" is also a previousEmail at b.yaml:5:5; correct one of the two`,
		`b.yaml:5:5: users[0].previousEmail[1]: "old@x.example" is also a previousEmail at a.yaml:2:31; correct one of the two`,
		`c.yaml:2:16: previousEmail: "old@x.example" is also a previousEmail at a.yaml:2:31; correct one of the two`,
		`d.yaml:2:31: previousEmail[1]: "e@x.example" is still declared at e.yaml:1:8; remove one of the two`,
	}
	if diff := cmp.Diff(want, texts(tree.Problems)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"e@x.example"}, keys(tree)); diff != "" {
		t.Error(diff)
	}
}

// A new hire may have the address that somebody else gave up.
func TestANewHireAtAFormerAddress(t *testing.T) {
	const ana = "email: new@x.example\nname: Ana\npreviousEmail: a@x.example\n"
	for name, c := range map[string]struct {
		files    map[string]string
		users    []string
		problems []string
	}{
		"another name":          {files: two(ana, "email: a@x.example\nname: Bea\n"), users: []string{"a@x.example", "new@x.example"}},
		"a name of one of them": {files: two("email: new@x.example\npreviousEmail: a@x.example\n", "email: a@x.example\nname: Bea\n"), users: []string{"a@x.example", "new@x.example"}},
		"two exchange addresses": {files: two("email: b@x.example\nname: Ana\npreviousEmail: a@x.example\n", "email: a@x.example\nname: Bea\npreviousEmail: b@x.example\n"),
			users: []string{"a@x.example", "b@x.example"}},
		"one after the other": {files: map[string]string{"u.yaml": ana, "v.yaml": "email: a@x.example\nname: Bea\npreviousEmail: b@x.example\n", "w.yaml": "email: b@x.example\nname: Eve\n"},
			users: []string{"a@x.example", "b@x.example", "new@x.example"}},
		"the same name": {files: two(ana, "email: a@x.example\nname: Ana\n"), users: []string{"a@x.example"},
			problems: []string{`u.yaml:3:16: previousEmail: "a@x.example" is still declared at v.yaml:1:8; remove one of the two`}},
		"no name": {files: two(ana, "email: a@x.example\n"), users: []string{"a@x.example"},
			problems: []string{`u.yaml:3:16: previousEmail: "a@x.example" is still declared at v.yaml:1:8; remove one of the two`}},
		// Ana's rename waits until her spec is correct. Until then the account with her address is hers.
		"Ana has a problem": {files: two(ana+"titel: A\n", "users:\n- {name: Bea, email: a@x.example}\n"), problems: []string{
			`u.yaml:4:1: titel: unknown field; did you mean "title"?`,
			`v.yaml:2:22: users[0].email: "a@x.example" is also a former address of the user at u.yaml:1:1, whose spec has a problem; correct that first`}},
		"Ana has a problem, one after the other": {files: map[string]string{"w.yaml": ana + "titel: A\n", "v.yaml": "email: a@x.example\nname: Bea\npreviousEmail: b@x.example\n", "u.yaml": "email: b@x.example\nname: Eve\n", "t.yaml": "email: c@x.example\n"},
			users: []string{"c@x.example"}, problems: []string{
				`u.yaml:1:8: email: "b@x.example" is also a former address of the user at v.yaml:1:1, whose spec has a problem; correct that first`,
				`v.yaml:1:8: email: "a@x.example" is also a former address of the user at w.yaml:1:1, whose spec has a problem; correct that first`,
				`w.yaml:4:1: titel: unknown field; did you mean "title"?`}},
	} {
		t.Run(name, func(t *testing.T) {
			tree := load(t, spec.NewLoader(checkout(t, c.files)))
			if diff := cmp.Diff(c.problems, texts(tree.Problems)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.users, keys(tree)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A hash that was stored when there was one former address is the same now.
func TestHashOfFormerAddresses(t *testing.T) {
	hash := func(former ...string) string {
		return (&spec.User{Fields: spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: `"a@x.example"`}), PreviousEmails: former}).Hash()
	}
	const stored, storedNone = "8c093e4322c22e3780962e92d1a57d3775e9123f123e011bfa75df9e078e73a9", "ffe9bf2e024d1a199192ff687970c7b95c414e54af03759c00b05dc7e6b2f51e"
	if one, none := hash("old@x.example"), hash(); one != stored || none != storedNone {
		t.Errorf("one: %s, none: %s", one, none)
	}
	if hash("a", "b") == hash("b", "a") || hash("a", "b") == hash("a") {
		t.Error("another list has the same hash")
	}
}
