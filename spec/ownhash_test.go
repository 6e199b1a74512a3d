package spec_test

import (
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"usersyncd/spec"
)

func TestOwnHashIsOfTheUsersOwnMapping(t *testing.T) {
	const ana = "email: a@x.example\nname: Ana\nskills: {Refunds: 2}\n"
	for name, c := range map[string]struct {
		defaults [2]string
		own      [2]string
		same     bool
	}{
		"a default changes":                  {defaults: [2]string{"title: A\n", "title: B\n"}, own: [2]string{ana, ana}, same: true},
		"a default comes":                    {defaults: [2]string{"", "state: inactive\n"}, own: [2]string{ana, ana}, same: true},
		"a default under a map changes":      {defaults: [2]string{"skills: {Billing: 1}\n", "skills: {Billing: 2, Chat: 1}\n"}, own: [2]string{ana, ana}, same: true},
		"a default under a map comes":        {defaults: [2]string{"", "skills: {Billing: 1}\n"}, own: [2]string{ana, ana}, same: true},
		"a default that is overridden comes": {defaults: [2]string{"", "skills: {Refunds: 5}\n"}, own: [2]string{ana, ana}, same: true},
		"a default under a part changes": {defaults: [2]string{"utilization: {call: {capacity: 1}}\n", "utilization: {call: {capacity: 2}}\n"},
			own: [2]string{ana + "utilization: {call: {interruptedBy: [chat]}}\n", ana + "utilization: {call: {interruptedBy: [chat]}}\n"}, same: true},
		"a part of a part comes": {defaults: [2]string{"utilization: {call: {capacity: 1}}\n", "utilization: {call: {capacity: 1}}\n"},
			own: [2]string{ana + "utilization: {call: {interruptedBy: [chat]}}\n", ana + "utilization: {call: {capacity: 0, interruptedBy: [chat]}}\n"}},
		"comments, quotes, order":             {own: [2]string{ana, "# a\nskills: {\"Refunds\": 2.0}\nname: 'Ana'\nemail: A@x.example\n"}, same: true},
		"another place in the file":           {own: [2]string{ana, "email: b@x.example\n---\n" + ana}, same: true},
		"a value":                             {own: [2]string{ana, "email: a@x.example\nname: Bea\nskills: {Refunds: 2}\n"}},
		"an entry":                            {defaults: [2]string{"skills: {Billing: 1}\n", "skills: {Billing: 1}\n"}, own: [2]string{ana, "email: a@x.example\nname: Ana\nskills: {Refunds: 3}\n"}},
		"an entry as it is inherited":         {defaults: [2]string{"skills: {Billing: 1}\n", "skills: {Billing: 1}\n"}, own: [2]string{ana, "email: a@x.example\nname: Ana\nskills: {Refunds: 2, Billing: 1}\n"}},
		"a field as it is inherited":          {defaults: [2]string{"state: active\n", "state: active\n"}, own: [2]string{ana, ana + "state: active\n"}},
		"a field that was as it is inherited": {defaults: [2]string{"state: active\n", "state: active\n"}, own: [2]string{ana + "state: active\n", ana}},
		"an id":                               {own: [2]string{ana, ana + "id: " + someID + "\n"}},
		"a former address":                    {own: [2]string{ana + "previousEmail: o@x.example\n", ana + "previousEmail: [o@x.example, p@x.example]\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := checkout(t, map[string]string{"team/b.yaml": "email: z@x.example\n"})
			l := spec.NewLoader(dir)
			var hashes []string
			for i := range 2 {
				if c.defaults[i] != "" {
					write(t, dir, "team/_defaults.yaml", c.defaults[i])
				}
				write(t, dir, "team/a.yaml", c.own[i])
				tree := load(t, l)
				if len(tree.Problems) > 0 {
					t.Fatal(texts(tree.Problems))
				}
				hashes = append(hashes, tree.Users[0].OwnHash())
			}
			if same := hashes[0] == hashes[1]; same != c.same {
				t.Errorf("the hash is the same: %t, want %t", same, c.same)
			}
		})
	}
}

func TestOwn(t *testing.T) {
	u := load(t, spec.NewLoader(checkout(t, map[string]string{
		"_defaults.yaml":        "title: A\nskills: {Billing: 1}\nemployer: {employeeType: Full-time}\nstate: active\n",
		"team/_defaults.yml":    "department: Support\n",
		"team/my_defaults.yaml": "email: a@x.example\nstate: active\nskills: {Refunds: 1}\nqueues: []\n",
	}))).Users[0]
	for f, want := range map[spec.Field]bool{
		spec.Email: true, spec.State: true, spec.Skills: true, spec.Queues: true,
		spec.Title: false, spec.Department: false, spec.Employer: false, // inherited
		spec.Groups: false, // not set at all
	} {
		if u.Own(f) != want {
			t.Errorf("%s: %t", f, u.Own(f))
		}
	}
	if part := u.OwnParts; len(part) != 1 || part[spec.Skills] != `{"Refunds":1}` {
		t.Errorf("parts: %v", part)
	}
}

// Whatever the _defaults.yaml says, the hash changes exactly with the user's own mapping.
func TestOwnHashUnderAnyDefaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spec")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		read := func(defaults, own *spec.User) *spec.User {
			for name, u := range map[string]*spec.User{"_defaults.yaml": defaults, "a.yaml": own} {
				text, err := spec.Marshal(u)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			tree := loadIn(t, dir)
			if len(tree.Problems) > 0 {
				t.Fatal(texts(tree.Problems))
			}
			return tree.Users[0]
		}
		defaults := func() *spec.User {
			u := organization(t, "a@x.example")[0]
			u.ID, u.Fields[spec.Department] = "", `"Support"` // an empty file would be a problem
			delete(u.Fields, spec.Email)
			delete(u.Fields, spec.Name)
			return u
		}
		one, other := organization(t, "a@x.example")[0], organization(t, "a@x.example")[0]
		first := read(defaults(), one)
		second := read(defaults(), one)
		third := read(defaults(), other)
		if first.OwnHash() != second.OwnHash() {
			t.Fatalf("another _defaults.yaml, another hash:\n%v %v\n%v %v", first.Fields, first.OwnParts, second.Fields, second.OwnParts)
		}
		if same := one.Fields.Hash() == other.Fields.Hash(); same != (second.OwnHash() == third.OwnHash()) {
			t.Fatalf("the mappings are the same: %t, the hashes are not as they are:\n%v\n%v", same, one.Fields, other.Fields)
		}
	})
}
