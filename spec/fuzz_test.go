package spec_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usersyncd/spec"
	"usersyncd/spec/rewrite"
)

// ignorePlaces compares what was declared, not where.
var ignorePlaces = cmpopts.IgnoreFields(spec.User{}, "Pos", "Ordinal", "At")

func seeds(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte("users:\n- email: a@x.example\n- {email: b@x.example, skills: {A: 1}}\n---\nemail: c@x.example\n"))
	for _, c := range hostile {
		f.Add([]byte(c.content))
	}
	for _, c := range leaverCases {
		f.Add([]byte(c.files["u.yaml"]))
	}
	for _, c := range fixtures {
		f.Add([]byte("email: a@x.example\n" + string(c.field) + ": " + c.yaml + "\n"))
	}
}

// FuzzLoad: whatever a file holds, loading ends, every problem can be printed and points into the file,
// a user is either in order or left out, and another file's user is not touched by it.
func FuzzLoad(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		tree := load(t, spec.NewLoader(checkout(t, map[string]string{"u.yaml": string(content), "sub/good.yaml": "email: good@good.example\n"})))
		lines := 1 + strings.Count(string(content), "\n")
		for _, p := range tree.Problems {
			if p.Message == "" || p.Line < 1 || p.Line > lines+1 || p.Column < 1 {
				t.Errorf("problem at %v: %q", p.Pos, p.Message)
			}
			if i := strings.IndexFunc(p.String(), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("problem cannot be printed: %q", p.String())
			}
		}
		checkLeavers(t, tree)
		declared := 0
		for _, u := range tree.Users {
			if u.Pos.File == "u.yaml" {
				declared++
			}
			if u.Key == "" || u.Fields.Get(spec.Email) != spec.Text(u.Key) || u.Key != spec.Key(u.Key) || slices.Contains(u.PreviousEmails, u.Key) {
				t.Errorf("user %q has email %s, was %q", u.Key, u.Fields.Get(spec.Email), u.PreviousEmails)
			}
			for field, v := range u.Fields.All() {
				if v == "" || at(u, field) == (spec.Pos{}) || !spec.Equal(field, v, v) {
					t.Errorf("%s: %s at %v", field, v, at(u, field))
				}
			}
		}
		if declared == 0 && len(tree.Problems) == 0 {
			t.Error("a file that declares nobody is no problem")
		}
		if !slices.ContainsFunc(tree.Users, func(u *spec.User) bool { return u.Pos.File == "sub/good.yaml" }) && !strings.Contains(strings.ToLower(string(content)), "good") && !strings.Contains(string(content), `\`) {
			t.Error("the other file's user is lost")
		}
	})
}

// FuzzDefaults: the same as a _defaults.yaml. With problems, nobody below it is taken, but for who leaves.
func FuzzDefaults(f *testing.F) {
	seeds(f)
	f.Add([]byte("title: A\nskills: {A: 1}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		tree := load(t, spec.NewLoader(checkout(t, map[string]string{"_defaults.yaml": string(content), "a/good.yaml": "email: good@x.example\n",
			"left.yaml": "email: left@x.example\nstate: inactive\n", "bad.yaml": "name: Ana\n"})))
		if len(tree.Problems) == 0 {
			t.Fatal("a user without email is no problem")
		}
		checkLeavers(t, tree)
		ok := len(tree.Problems) == 1 && tree.Problems[0].File == "bad.yaml"
		if wrong := len(tree.Users) == 0 && len(tree.Leavers) == 1; ok != (len(tree.Users) == 2) || ok == wrong {
			t.Errorf("users %q, leavers %q, problems %q", keys(tree), leaversOf(tree), texts(tree.Problems))
		}
	})
}

// FuzzValue: what was loaded is written as files that load to the same. An empty field is left out, and no file has former
// addresses.
func FuzzValue(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		first := load(t, spec.NewLoader(checkout(t, map[string]string{"u.yaml": string(content)})))
		if len(first.Users) == 0 {
			return
		}
		dir := t.TempDir()
		report, err := rewrite.Write(t.Context(), spec.NewLoader(dir), first.Users, rewrite.Options{})
		if errors.Is(err, spec.ErrTooLarge) { // it may be longer than what it was read from, and a file has a limit
			return
		}
		must(t, err)
		for _, u := range first.Users {
			u.Fields = slices.DeleteFunc(u.Fields, func(v spec.FieldValue) bool { return spec.IsEmpty(v.Field, v.Value) })
		}
		second := load(t, spec.NewLoader(dir))
		diff := cmp.Diff(first.Users, second.Users, ignorePlaces, cmpopts.IgnoreFields(spec.User{}, "PreviousEmails"))
		if diff != "" || len(second.Problems)+len(report.Skipped) > 0 {
			t.Errorf("%q\n%q\n%q\n%s", content, texts(report.Skipped), texts(second.Problems), diff)
		}
	})
}

// FuzzWrite: whatever a spec looks like, changing it gives what was asked for and nothing else, or an error
// and the old text.
func FuzzWrite(f *testing.F) {
	seeds(f)
	for _, text := range []string{"email: a@x.example\nqueues:\n- A # a\n-\n  B\n", "users: [{email: a@x.example, \"queues\": [A\n,B,]}, ]\n", "? email\n: a@x.example\n",
		"email: a@x.example\ntitle: |2-\n   A\n  B\n\n# end\n", "email: a@x.example\nqueues: !!seq [A]\n", "email: a@x.example\npreviousEmail:\n- o@x.example # o\n- b@x.example\n---\nemail: b@x.example\nname: B\n", "--- {email: a@x.example, skills: {A: 1, ? B : 2}}\n...\n---\nemail: b@x.example\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := checkout(t, map[string]string{"u.yaml": string(content)})
		first := load(t, spec.NewLoader(dir))
		if len(first.Problems) > 0 {
			return
		}
		var users []*spec.User
		for _, u := range first.Users {
			fields := slices.Clone(u.Fields)
			fields.Set(spec.Title, `"T"`)
			fields.Set(spec.Queues, `["A","C"]`)
			fields.Set(spec.Skills, `{"A":1,"C":2}`)
			users = append(users, &spec.User{Key: u.Key, ID: u.ID, Fields: fields})
		}
		if _, err := rewrite.Write(t.Context(), spec.NewLoader(dir), users, rewrite.Options{}); err != nil {
			if got, readErr := os.ReadFile(filepath.Join(dir, "u.yaml")); readErr != nil || string(got) != string(content) {
				t.Errorf("%q became %q (%v), and %v", content, got, readErr, err)
			}
			return
		}
		second := load(t, spec.NewLoader(dir))
		if len(second.Problems) > 0 || len(second.Users) != len(users) {
			t.Fatalf("%q: %q", content, texts(second.Problems))
		}
		for i, u := range second.Users {
			if diff := cmp.Diff(users[i].Fields, u.Fields); diff != "" {
				t.Errorf("%q: %s", content, diff)
			}
		}
	})
}
