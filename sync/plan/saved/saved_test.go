package saved_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/sync/plan/digest"
	"usersyncd/sync/plan/saved"
)

var created = time.Date(2026, 11, 29, 14, 0, 0, 0, time.UTC)

// plan is one of three changes: one of them is held, and so is a field of another one.
func plan(effects ...digest.Effect) *saved.Plan {
	p := saved.New(effects)
	p.Created, p.Program, p.Dir, p.Revision = created, "v1.2.3", "users", "3f0c1d2e"
	p.Org = saved.Org{ID: "5f0e", Name: "Example EU", API: "https://api.example.com"}
	p.Settings = map[string]string{"on-removal": "unmanage", "protect": "ceo@example.com"}
	p.Holds = append(p.Holds, saved.Hold{ID: "p-00000001", Guard: "max-renames", Users: []string{"ana@example.com"}, Reason: "would change the address of ana@example.com"})
	return p
}

var (
	title  = digest.Field{Name: spec.Title, Before: spec.Text("Agent"), After: spec.Text("Lead \u202e ## <b> \\ \"q\"")}
	email  = digest.Field{Name: spec.Email, Before: spec.Text("ana@example.com"), After: spec.Text("a@example.com"), Held: "max-renames", Hold: "p-00000001"}
	skills = digest.Field{Name: spec.Skills, After: spec.Proficiencies(map[string]float64{"A\"": 4, "B": 2.5})} // it was not known
	gone   = digest.Field{Name: spec.State, Before: spec.Text("active"), After: spec.Text("inactive")}

	ana = digest.Effect{User: "id-1", Email: "ana@example.com", Pos: spec.Pos{File: "ana.yaml", Line: 1}, Action: "update", Fields: []digest.Field{title, email, skills}}
	ben = digest.Effect{User: "id-2", Email: "ben@example.com", Action: "deactivate", Fields: []digest.Field{gone}, Held: "max-removals", Hold: "p-00000002"}
	cho = digest.Effect{User: "cho@example.com", Email: "cho@example.com", Action: "create", Fields: []digest.Field{{Name: spec.Title, After: spec.Text("New")}}}
)

func reread(t rapid.TB, p *saved.Plan) *saved.Plan {
	t.Helper()
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := saved.Parse(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if err := again.CheckOrg(saved.Org{ID: "5f0e", API: "https://api.example.com"}); err != nil {
		t.Fatal(err)
	}
	return again
}

// A plan permits what it has: as it is made, as it is read, and without values.
func TestPermits(t *testing.T) {
	p := plan(ana, ben, cho)
	for form, p := range map[string]*saved.Plan{"made": p, "read": reread(t, p), "without values": reread(t, p.WithoutValues())} {
		other := title
		other.After = spec.Text("Boss")
		before := title
		before.Before = spec.Text("Trainee")
		known := skills
		known.Before = spec.Proficiencies(map[string]float64{"A": 1})
		for _, tt := range []struct {
			name         string
			user, action string
			field        *digest.Field
			released     []string
			want         bool
		}{
			{"a user", "id-1", "update", nil, nil, true},
			{"another user", "id-3", "update", nil, nil, false},
			{"another action", "id-1", "delete", nil, nil, false},
			{"a creation", "cho@example.com", "create", nil, nil, true},
			{"what is held", "id-2", "deactivate", nil, nil, false},
			{"what is released", "id-2", "deactivate", nil, []string{"p-00000009", "p-00000002"}, true},
			{"a field", "id-1", "update", &title, nil, true},
			{"of another user", "id-2", "update", &title, nil, false},
			{"of another action", "id-1", "restore", &title, nil, false},
			{"another value", "id-1", "update", &other, nil, false},
			{"another value before", "id-1", "update", &before, nil, false},
			{"a field that was not known", "id-1", "update", &skills, nil, true},
			{"the same, known now", "id-1", "update", &known, nil, true},
			{"a field that is held", "id-1", "update", &email, nil, false},
			{"a field that is released", "id-1", "update", &email, []string{"p-00000001"}, true},
		} {
			got := p.Permits(tt.user, tt.action, tt.released)
			if tt.field != nil {
				got = p.PermitsField(tt.user, tt.action, *tt.field, tt.released)
			}
			if got != tt.want {
				t.Errorf("%s: %s: %v", form, tt.name, got)
			}
		}
	}
}

// What is read is what was written, and has the digest of its changes.
func TestReread(t *testing.T) {
	p := plan(ana, ben, cho)
	for _, p := range []*saved.Plan{p, p.WithoutValues()} {
		first, _ := p.Encode()
		again := reread(t, p)
		second, _ := again.Encode()
		if string(first) != string(second) || again.Digest != digest.Sum([]digest.Effect{cho, ben, ana}) || again.HasValues() != p.HasValues() {
			t.Errorf("%s\n%s", first, second)
		}
	}
}

func TestRereadLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var effects []digest.Effect
		for range rapid.IntRange(0, 3).Draw(t, "users") {
			e := digest.Effect{User: rapid.StringMatching("[a-z]{8}").Draw(t, "id"), Action: "update"}
			for _, f := range rapid.SliceOfNDistinct(rapid.SampledFrom([]spec.Field{spec.Title, spec.Queues, spec.Skills}), 1, 3, rapid.ID).Draw(t, "fields") {
				value := func() spec.Value {
					switch f {
					case spec.Title:
						return spec.Text(rapid.String().Draw(t, "text"))
					case spec.Skills:
						return spec.Proficiencies(rapid.MapOf(rapid.String(), rapid.Float64Range(0, 5)).Draw(t, "skills"))
					}
					return spec.Strings(rapid.SliceOf(rapid.String()).Draw(t, "list"))
				}
				e.Fields = append(e.Fields, digest.Field{Name: f, Before: value(), After: value()})
			}
			effects = append(effects, e)
		}
		p := plan(effects...)
		for _, again := range []*saved.Plan{reread(t, p), reread(t, p.WithoutValues())} {
			for _, e := range effects {
				for _, f := range e.Fields {
					if !again.PermitsField(e.User, e.Action, f, nil) {
						t.Fatalf("%v is lost", f)
					}
				}
			}
		}
	})
}

// Without values the file has no value, no address, no name of a file and no id of a user, and two files of the same plan have
// no hash in common.
func TestWithoutValues(t *testing.T) {
	p := plan(ana, ben, cho)
	first, err := p.WithoutValues().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{"@example.com", "ana", "ben", "cho", "id-1", "Agent", "Lead", "ceo", `"5f0e`, "Example EU"} {
		if strings.Contains(string(first), private) {
			t.Errorf("it has %q:\n%s", private, strings.ReplaceAll(string(first), private, ">>>"+private+"<<<"))
		}
	}
	second, _ := p.WithoutValues().Encode()
	var a, b saved.Plan
	if err := errors.Join(json.Unmarshal(first, &a), json.Unmarshal(second, &b)); err != nil {
		t.Fatal(err)
	}
	hashes := map[string]bool{a.Org.ID: true}
	for _, c := range a.Changes {
		hashes[c.Hash] = true
		for _, f := range c.Fields {
			hashes[f.Hash] = true
		}
	}
	for _, c := range b.Changes {
		if hashes[c.Hash] || hashes[c.Fields[0].Hash] || hashes[b.Org.ID] {
			t.Error("two files can be compared")
		}
	}
	if len(hashes) != 1+3+5 {
		t.Errorf("%d hashes", len(hashes))
	}
}

func TestCheck(t *testing.T) {
	now := func(edit func(*saved.Plan)) *saved.Plan {
		p := plan(ana)
		edit(p)
		return p
	}
	same := map[string]string{"on-removal": "unmanage", "protect": "ceo@example.com"}
	for _, p := range []*saved.Plan{plan(ana), reread(t, plan(ana)), reread(t, plan(ana).WithoutValues())} {
		if err := errors.Join(p.CheckOrg(saved.Org{ID: "5f0e", API: "https://other"}), p.CheckSettings(same), p.CheckAge(created.Add(time.Hour), time.Hour)); err != nil {
			t.Error(err)
		}
	}
	us := saved.Org{ID: "77a1", Name: "Example US", API: "https://api.example.com"}
	for want, err := range map[string]error{
		`is of org "Example EU" (5f0e), this is org "Example US" (77a1)`:                                            plan(ana).CheckOrg(us),
		`is of an organization at https://api.example.com, this is org "Example US" (77a1)`:                         reread(t, plan(ana).WithoutValues()).CheckOrg(us),
		`is of org "Example EU" (5f0e), this is an organization at https://else`:                                    plan(ana).CheckOrg(saved.Org{API: "https://else"}),
		`has no values, and is compared by the id of the organization, which the OAuth client may not read`:         plan(ana).WithoutValues().CheckOrg(saved.Org{API: "https://api.example.com"}),
		`on-removal was unmanage when it was planned, and is delete now: plan again`:                                plan(ana).CheckSettings(map[string]string{"on-removal": "delete", "protect": "ceo@example.com"}),
		`protect was ceo@example.com when it was planned, and is not set now: plan again`:                           plan(ana).CheckSettings(map[string]string{"on-removal": "unmanage", "protect": ""}),
		`protect is not what it was when it was planned: plan again`:                                                plan(ana).WithoutValues().CheckSettings(map[string]string{"on-removal": "unmanage", "protect": ""}),
		`max-things was no setting when it was planned: plan again`:                                                 plan(ana).CheckSettings(map[string]string{"max-things": "1"}),
		`"protect" is no setting of this version: plan again`:                                                       plan(ana).CheckSettings(map[string]string{"on-removal": "unmanage"}),
		`is 3 days old, and may be 24h0m0s (--plan-max-age): plan again`:                                            plan(ana).CheckAge(created.Add(72*time.Hour), 24*time.Hour),
		`was made at 2026-11-29T14:00:00Z, which is in the future: check the clocks, and plan again`:                plan(ana).CheckAge(created.Add(-time.Hour), 24*time.Hour),
		`not a plan of usersyncd: its changes are not those of its digest: it was edited, or is damaged`:            parse(now(func(p *saved.Plan) { p.Changes[0].User = "id-9" })),
		`not a plan of usersyncd: its digest and id do not belong together`:                                         parse(now(func(p *saved.Plan) { p.ID = "p-00000000" })),
		`not a plan of usersyncd: it is not complete`:                                                               parse(now(func(p *saved.Plan) { p.Created = time.Time{} })),
		`not a plan of usersyncd: change 1: unknown action "rename"`:                                                parse(now(func(p *saved.Plan) { p.Changes[0].Action = "rename" })),
		`not a plan of usersyncd: change 1: unknown field "salary"`:                                                 parse(now(func(p *saved.Plan) { p.Changes[0].Fields[0].Field = "salary" })),
		`not a plan of usersyncd: change 1: title: not as the file says values`:                                     parse(now(func(p *saved.Plan) { p.Changes[0].Fields[0].After = nil })),
		`not a plan of usersyncd that this version can read: its schema is "v2", not usersyncd.plan/v1: plan again`: parse(now(func(p *saved.Plan) { p.Schema = "usersyncd.plan/v2" })),
		`not a plan of usersyncd to be applied, but an output: save one with plan --out`:                            parse(now(func(p *saved.Plan) { p.Schema = "usersyncd.result/v1" })),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v\nnot  %s", err, want)
		}
	}
}

func parse(p *saved.Plan) error {
	data, err := p.Encode()
	if err == nil {
		_, err = saved.Parse(data)
	}
	return err
}

func TestParseErrors(t *testing.T) {
	data, err := plan(ana, ben).Encode()
	if err != nil {
		t.Fatal(err)
	}
	whole := string(data)
	for want, file := range map[string]string{
		"(line 1)":                           "",
		"not a plan of usersyncd (line 1)":   "hello",
		"not a plan of usersyncd (line 2)":   "{\n\"schema\": x}",
		"(line 29)":                          whole[:strings.Index(whole, `"after": "Lead`)],
		": json: unknown field \"surprise\"": strings.Replace(whole, `  "id"`, `  "surprise": 1, "id"`, 1),
		"there is text after its end":        whole + "{}",
		"is not the plan":                    "[]",
	} {
		if want == "is not the plan" {
			want = "not a plan of usersyncd (line 1)"
		}
		if _, err := saved.Parse([]byte(file)); !errors.Is(err, saved.ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

// A file that is read can be written, and is then read as the same.
func FuzzParse(f *testing.F) {
	for _, p := range []*saved.Plan{plan(ana, ben, cho), plan(), plan(ana).WithoutValues()} {
		data, err := p.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := saved.Parse(data)
		if err != nil {
			if !errors.Is(err, saved.ErrFormat) || strings.Contains(err.Error(), "(line 0)") {
				t.Fatal(err)
			}
			return
		}
		encoded, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := saved.Parse(encoded)
		if err != nil {
			t.Fatalf("%v\n%s", err, encoded)
		}
		if twice, err := again.Encode(); err != nil || string(twice) != string(encoded) {
			t.Fatalf("%v\n%s\n%s", err, encoded, twice)
		}
	})
}
