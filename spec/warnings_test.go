package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
)

// A spec file whose extension is in another case is a spec file: else renaming it would remove its users.
func TestCaseOfNamesDoesNotCount(t *testing.T) {
	tree := load(t, spec.NewLoader(checkout(t, map[string]string{
		"a.YAML": "email: a@x.example\n", "b.Yml": "email: b@x.example\n", "sub/_Defaults.YML": "title: A\n", "sub/c.yAmL": "email: c@x.example\n",
	})))
	if diff := cmp.Diff([]string{"a@x.example", "b@x.example", "c@x.example"}, keys(tree)); diff != "" || len(tree.Problems) > 0 || tree.Warnings.Count > 0 {
		t.Errorf("%s; %q; %q", diff, texts(tree.Problems), tree.Warnings.Lines())
	}
	if title := tree.Users[2].Fields.Get(spec.Title); title != `"A"` || tree.Users[2].Own(spec.Title) {
		t.Errorf("title %s is inherited: %t", title, !tree.Users[2].Own(spec.Title))
	}
	r := teams(t)
	l := spec.NewLoader(filepath.Join(r.dir, "users"))
	r.checkDirty(l, "before")
	must(t, os.Rename(filepath.Join(r.dir, "users/a.yaml"), filepath.Join(r.dir, "users/a.YAML")))
	r.checkDirty(l, "renamed", "a.yaml", "a.YAML")
	if tree := load(t, l); len(tree.Users) != 4 {
		t.Errorf("renamed: %q", keys(tree))
	}
}

func TestNamesThatWereMeantToBeSpecs(t *testing.T) {
	for name, warns := range map[string]bool{
		"a.yaml.txt": true, "a.yaml.j2": true, "a.yml.bak": true, "a.YAML.orig": true, "a.yaml~": true, "a.yaml (1)": true, "a.yaml ": true, "a.yaml_old": true,
		"a.yaml\u200b": true, "a.yalm": true, "a.ymal": true, "a.yam": true, "a.ym": true, "a.yamll": true, "a.y\u0430ml": true, "a.yaml.": true,
		"a.json": false, "a.xml": false, "a.toml": false, "README.md": false, "yaml": false, "yaml.txt": false, ".a.yaml.swp": false, "a.ml": false, "a.y": false,
		"yamlfile.txt": false, "a.yang": false,
	} {
		dir := checkout(t, map[string]string{name: "email: a@x.example\n", "good.yaml": "email: good@x.example\n"})
		s, err := spec.NewLoader(dir).Scan(t.Context())
		must(t, err)
		if s.Files != 1 || (s.Warnings.Count == 1) != warns || warns && !strings.Contains(s.Warnings.Lines()[0], "rename it") {
			t.Errorf("%q: %d files, %q", name, s.Files, s.Warnings.Lines())
		}
	}
	_, err := spec.NewLoader(checkout(t, map[string]string{"a.yaml.txt": ""})).Scan(t.Context())
	if err == nil || !strings.Contains(err.Error(), "a.yaml.txt:1:1: is not read") {
		t.Errorf("alone: %v", err)
	}
}

// What was probably meant to be a _defaults.yaml is one error.
func TestNamesThatWereMeantToBeDefaults(t *testing.T) {
	const meant = ":1:1: declares no user, as it has neither email nor users; rename the file to _defaults.yaml if it is for all users of the folder"
	for _, name := range []string{"_default.yaml", "defaults.yml", "Default.yaml", "_defaults_.YAML"} {
		for content, want := range map[string][]string{
			"title: A\nskills: {A: 1}\ntitel: A\n": {name + meant},
			"email: a@x.example\n":                 nil,
			"users: [{email: a@x.example}]\n":      nil,
		} {
			tree := load(t, spec.NewLoader(checkout(t, map[string]string{name: content})))
			if diff := cmp.Diff(want, texts(tree.Problems)); diff != "" || (len(tree.Users) == 1) != (want == nil) {
				t.Errorf("%s: %s: %q", name, diff, keys(tree))
			}
		}
	}
}

func TestLeftoversOfTemplates(t *testing.T) {
	dir := checkout(t, map[string]string{
		"a.yaml":             "# {{ fine here }}\nemail: a@x.example\ntitle: \"{{ title }}\"\nskills: {\"${SKILL}\": 1}\nqueues: [\"{% for q %}\", \"a $ {b}\"]\n",
		"sub/_defaults.yaml": "department: ${{ inputs.department }}\n", "sub/b.yaml": "email: b@x.example\n",
	})
	const says = ", which a template engine leaves where it replaced nothing; write the value itself"
	want := []string{
		`a.yaml:3:8: title: contains "{{ title }}"` + says, `a.yaml:4:10: skills."${SKILL}": contains "${SKILL}"` + says,
		`a.yaml:5:10: queues[0]: contains "{% for q %}"` + says, `sub/_defaults.yaml:1:13: department: contains "${{ inputs.department }}"` + says,
	}
	l := spec.NewLoader(dir)
	for _, again := range []string{"first", "again"} {
		tree := load(t, l)
		if diff := cmp.Diff(want, texts(tree.Warnings.First)); diff != "" || len(tree.Users) != 2 {
			t.Errorf("%s: %s: %q", again, diff, texts(tree.Problems))
		}
	}
	s, err := l.Scan(t.Context()) // of a tree that is applied, nothing else is read
	must(t, err)
	if diff := cmp.Diff(want, s.Warnings.Lines()); diff != "" {
		t.Error(diff)
	}
}

func TestWarningsAreCounted(t *testing.T) {
	files := map[string]string{"a.yaml": "email: a@x.example\ntitle: ${T}\n"}
	for i := range 30 {
		files[fmt.Sprintf("%02d.yaml.bak", i)] = ""
	}
	tree := load(t, spec.NewLoader(checkout(t, files)))
	if lines := tree.Warnings.Lines(); tree.Warnings.Count != 31 || len(lines) != 21 || lines[20] != "and 11 more warnings in the specs" {
		t.Errorf("%d: %q", tree.Warnings.Count, lines)
	}
}
