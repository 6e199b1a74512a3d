package spec_test

import (
	"testing"

	"usersyncd/spec"
)

const someID = "3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f"

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
	if part := u.OwnParts; len(part) != 1 || part.Get(spec.Skills) != `{"Refunds":1}` {
		t.Errorf("parts: %v", part)
	}
}
