package rewrite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/spec/rewrite"
)

// label is a text that YAML would like to take for something else.
var label = rapid.Custom(func(t *rapid.T) string {
	return strings.TrimSpace(rapid.StringMatching(`[A-Za-z0-9é#:'"{}\[\],&*!|>%@?~=<.\\-][A-Za-z0-9é #:'"{}\[\],&*!|>%@?~=<.\\-]{0,5}`).Draw(t, "label"))
}).Filter(func(s string) bool { return s != "" })

var few = rapid.SliceOfNDistinct(label, 0, 6, rapid.ID)

// values draws a value that the format can say.
var values = map[spec.Field]func(*rapid.T) spec.Value{
	spec.Name: func(t *rapid.T) spec.Value { return spec.Text(label.Draw(t, "name")) },
	spec.State: func(t *rapid.T) spec.Value {
		return spec.Text(rapid.SampledFrom([]string{"active", "inactive"}).Draw(t, "state"))
	},
	spec.Title: func(t *rapid.T) spec.Value { return spec.Text(rapid.OneOf(label, rapid.Just("")).Draw(t, "title")) },
	spec.Manager: func(t *rapid.T) spec.Value {
		return spec.Text(rapid.SampledFrom([]string{"", "luis@x.example"}).Draw(t, "manager"))
	},
	spec.Division:      func(t *rapid.T) spec.Value { return spec.Text(label.Draw(t, "division")) },
	spec.ACDAutoAnswer: func(t *rapid.T) spec.Value { return spec.Bool(rapid.Bool().Draw(t, "answer")) },
	spec.Certs:         func(t *rapid.T) spec.Value { return spec.Strings(few.Draw(t, "certifications")) },
	spec.Employer: func(t *rapid.T) spec.Value {
		return spec.EmployerOf(spec.EmployerInfo{OfficialName: rapid.OneOf(label, rapid.Just("")).Draw(t, "official"), EmployeeID: rapid.StringMatching(`[0-9]{0,3}`).Draw(t, "number"),
			EmployeeType: rapid.SampledFrom([]string{"", "Full-time"}).Draw(t, "type"), DateHire: rapid.SampledFrom([]string{"", "2024-02-29"}).Draw(t, "date")})
	},
	spec.Phones: func(t *rapid.T) spec.Value {
		var phones []spec.Phone
		for _, kind := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"work", "home", "mobile", "other"}), 0, 4, rapid.ID).Draw(t, "phones") {
			phones = append(phones, spec.Phone{Type: kind, Media: "phone", Number: rapid.StringMatching(`\+3460000000[0-9]`).Draw(t, "number"), Extension: rapid.StringMatching(`[0-9]{0,2}`).Draw(t, "extension")})
		}
		return spec.PhoneList(phones)
	},
	spec.Locations: func(t *rapid.T) spec.Value {
		var locations []spec.Location
		for _, name := range few.Draw(t, "locations") {
			locations = append(locations, spec.Location{Name: name, Notes: rapid.OneOf(label, rapid.Just("")).Draw(t, "notes")})
		}
		return spec.LocationList(locations)
	},
	spec.Skills:    func(t *rapid.T) spec.Value { return proficiencies(t, 0.5) },
	spec.Languages: func(t *rapid.T) spec.Value { return proficiencies(t, 1) },
	spec.Roles: func(t *rapid.T) spec.Value {
		var roles []spec.Role
		for _, name := range few.Draw(t, "roles") {
			roles = append(roles, spec.Role{Name: name, Divisions: rapid.SliceOfNDistinct(label, 0, 2, rapid.ID).Draw(t, "divisions")})
		}
		return spec.RoleList(roles)
	},
	spec.Queues: func(t *rapid.T) spec.Value { return spec.Strings(few.Draw(t, "queues")) },
	spec.Utilization: func(t *rapid.T) spec.Value {
		u := spec.UtilizationSettings{Media: map[string]spec.UtilizationLimit{}}
		limit := func(interruptedBy *rapid.Generator[string]) spec.UtilizationLimit {
			return spec.UtilizationLimit{Capacity: rapid.IntRange(0, 25).Draw(t, "capacity"), InterruptedBy: rapid.SliceOfNDistinct(interruptedBy, 0, 2, rapid.ID).Draw(t, "interrupted")}
		}
		for _, m := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"call", "chat", "email", "message"}), 0, 4, rapid.ID).Draw(t, "media") {
			l := limit(rapid.SampledFrom([]string{"call", "email"}))
			l.IncludeNonACD = rapid.SampledFrom([]*bool{nil, new(false), new(true)}).Draw(t, "non-ACD")
			u.Media[m] = l
		}
		for _, name := range few.Draw(t, "labels") {
			if u.Labels == nil {
				u.Labels = map[string]spec.UtilizationLimit{}
			}
			u.Labels[name] = limit(label)
		}
		return spec.UtilizationOf(u)
	},
	spec.ExternalIDs: func(t *rapid.T) spec.Value {
		ids := map[string]string{}
		for _, name := range few.Draw(t, "authorities") {
			ids[name] = label.Draw(t, "key")
		}
		return spec.ExternalIDMap(ids)
	},
}

func proficiencies(t *rapid.T, step float64) spec.Value {
	levels := map[string]float64{}
	for _, name := range few.Draw(t, "names") {
		levels[name] = step * float64(rapid.IntRange(0, 5).Draw(t, "level"))
	}
	return spec.Proficiencies(levels)
}

// organization draws users, each with some of the fields.
func organization(t *rapid.T, keys ...string) (users []*spec.User) {
	for i, key := range keys {
		u := person(key, "id", fmt.Sprintf("%08d-5b1a-4c7d-9e8f-0a1b2c3d4e5f", i))
		for _, info := range spec.AllFields() {
			if draw := values[info.Field]; draw != nil && rapid.Bool().Draw(t, "has") {
				u.Fields.Set(info.Field, draw(t))
			}
		}
		users = append(users, u)
	}
	return users
}

// agree reports where a folder does not say what the organization has, but for what was skipped.
func agree(t *rapid.T, dir string, users []*spec.User, skipped ...spec.Problem) {
	tree := loadIn(t, dir)
	if len(tree.Problems) > 0 || len(tree.Users) != len(users) {
		t.Fatalf("%d users, problems %q", len(tree.Users), texts(tree.Problems))
	}
	for i, u := range tree.Users {
		if u.Key != users[i].Key || u.ID != users[i].ID {
			t.Fatalf("%s %s instead of %s %s", u.Key, u.ID, users[i].Key, users[i].ID)
		}
		for f, want := range users[i].Fields.All() {
			got, ok := u.Fields.Lookup(f)
			if slices.ContainsFunc(skipped, func(p spec.Problem) bool { return p.Field == string(f) && strings.HasPrefix(p.Message, u.Key) }) {
				continue
			}
			if ok && !spec.Equal(f, got, want) || !ok && !spec.IsEmpty(f, want) {
				t.Fatalf("%s of %s is %s, not %s", f, u.Key, got.Display(), want.Display())
			}
		}
	}
}

func loadIn(t *rapid.T, dir string) *spec.Tree {
	l := spec.NewLoader(dir)
	s, err := l.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := l.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func exportIn(t *rapid.T, dir string, users []*spec.User) rewrite.Report {
	writer := spec.NewLoader(dir)
	report, err := rewrite.Write(t.Context(), writer, users, rewrite.Options{By: spec.Division})
	if err != nil {
		t.Fatal(err)
	}
	written, err := writer.ScanAndLoad(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if written.Parsed > 0 || !reflect.DeepEqual(written.Users, loadIn(t, dir).Users) {
		t.Fatalf("%d of the files are parsed again, or what was written is known as something else", written.Parsed)
	}
	return report
}

func treeIn(t *rapid.T, dir string) map[string]string {
	out := map[string]string{}
	for _, u := range loadIn(t, dir).Users {
		content, err := os.ReadFile(filepath.Join(dir, u.Pos.File))
		if err != nil {
			t.Fatal(err)
		}
		out[u.Pos.File] = string(content)
	}
	return out
}

func TestWriteThenLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spec")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		users := organization(t, "a@x.example", "a@y.example", "b.c@x.example")
		if report := exportIn(t, dir, rapid.Permutation(users).Draw(t, "order")); report.Created != 3 || len(report.Skipped) > 0 {
			t.Fatalf("%+v", report)
		}
		agree(t, dir, users)
		before := treeIn(t, dir)
		if report := exportIn(t, dir, users); report.Unchanged != 3 {
			t.Fatalf("%+v", report)
		}
		if diff := cmp.Diff(before, treeIn(t, dir)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestWriteThenLoadUnderDefaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spec")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		shared := organization(t, "a@x.example")[0]
		shared.Fields = shared.Fields.Without(spec.Email)
		shared.Fields = shared.Fields.Without(spec.Name)
		shared.ID = ""
		if len(shared.Fields) > 0 && os.WriteFile(filepath.Join(dir, "_defaults.yaml"), []byte(rewrite.Marshal(shared)), 0o600) != nil {
			t.Fatal("no _defaults.yaml")
		}
		for range 3 { // new files, and then changed ones
			users := organization(t, "a@x.example", "b@x.example")
			report := exportIn(t, dir, users)
			for _, p := range report.Skipped {
				if !slices.Contains([]string{"skills", "languages", "utilization", "externalIds"}, p.Field) {
					t.Fatal(p)
				}
			}
			agree(t, dir, users, report.Skipped...)
			before := treeIn(t, dir)
			if report := exportIn(t, dir, users); report.Unchanged != 2 {
				t.Fatalf("%+v", report)
			}
			if diff := cmp.Diff(before, treeIn(t, dir)); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// byHand writes users as people do: keys in any order, values on a line or on several, comments anywhere.
func byHand(t *rapid.T, users []*spec.User) string {
	comments := 0
	comment := func(indent string) string {
		comments++
		return rapid.SampledFrom([]string{"", "", "", "\n", fmt.Sprintf("%s# c%d\n", indent, comments), fmt.Sprintf("# c%d\n", comments)}).Draw(t, "comment")
	}
	form := rapid.SampledFrom([]string{"documents", "list", "braces"}).Draw(t, "form")
	var b strings.Builder
	if form != "documents" {
		b.WriteString("users:\n")
	}
	for i, u := range users {
		lines := rapid.Permutation(strings.Split(strings.TrimSpace(rewrite.Marshal(u)), "\n")).Draw(t, "keys")
		indent := "  "
		switch {
		case form == "braces":
			b.WriteString(comment("") + "- {" + strings.Join(lines, rapid.SampledFrom([]string{", ", ",\n    "}).Draw(t, "comma")) + "} # t\n")
			continue
		case form == "documents" && i > 0:
			b.WriteString("---\n")
			fallthrough
		case form == "documents":
			indent = ""
		}
		for j, line := range lines {
			b.WriteString(comment(indent))
			start := indent
			if form == "list" && j == 0 {
				start = "- "
			}
			key, _, _ := strings.Cut(line, ":")
			v := u.Fields.Get(spec.Field(key))
			if (strings.HasPrefix(string(v), "{") || strings.HasPrefix(string(v), "[")) && len(v) > 2 && rapid.Bool().Draw(t, "block") {
				b.WriteString(start + key + ": # t\n")
				for _, entry := range rewrite.BlockLines(v) {
					b.WriteString(comment(indent) + indent + "  " + entry + "\n")
				}
				continue
			}
			b.WriteString(start + line + rapid.SampledFrom([]string{"\n", "   # t\n"}).Draw(t, "tail"))
		}
	}
	return b.String()
}

func TestWriteKeepsWhatPeopleWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spec")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		keys := []string{"a@x.example", "b@x.example", "c@x.example"}
		old, name := byHand(t, organization(t, keys...)), filepath.Join(dir, "u.yaml")
		if err := os.WriteFile(name, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		users := organization(t, keys...)
		if report := exportIn(t, dir, users); len(report.Skipped) > 0 || report.Created > 0 {
			t.Fatalf("%+v", report)
		}
		agree(t, dir, users)
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(remarks(old), remarks(string(content))); diff != "" {
			t.Fatalf("%s\nbecame\n%s\n%s", old, content, diff)
		}
		if report := exportIn(t, dir, users); report.Unchanged != 3 {
			t.Fatalf("%+v", report)
		}
	})
}

// remarks are the lines that are comments or blank.
func remarks(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		line = strings.TrimSpace(line)
		return line != "" && !strings.HasPrefix(line, "# c")
	})
}
