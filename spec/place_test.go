package spec_test

import (
	"os"
	"path/filepath"
	"testing"

	"usersyncd/spec"
)

func TestPlaceFindsANameInAField(t *testing.T) {
	dir := checkout(t, map[string]string{
		"_defaults.yaml": "# all\ngroups: [Everybody, Café]\nskills: {Base: 1}\n",
		"a.yaml": `email: a@x.example
title: Billing ES
queues:
  - Billing ES   # the first
  - Refunds
skills:
  "4": 3
  Chess: 4
roles: [{role: role, divisions: [EMEA, APAC]}, EMEA]
locations:
  - {name: HQ, notes: "role"}
---
users:
  - {email: b@x.example, queues: [Refunds, Billing ES]}
`,
	})
	l := spec.NewLoader(dir)
	tree := load(t, l)
	if len(tree.Problems) > 0 {
		t.Fatal(texts(tree.Problems))
	}
	for _, c := range []struct {
		user  int
		field spec.Field
		name  string
		want  string
	}{
		{0, spec.Queues, "Billing ES", "a.yaml:4:5"},
		{0, spec.Queues, " Refunds ", "a.yaml:5:5"},
		{0, spec.Skills, "4", "a.yaml:7:3"},
		{0, spec.Skills, "Chess", "a.yaml:8:3"},
		{0, spec.Skills, "Base", "a.yaml:6:1"}, // it comes from the defaults
		{0, spec.Roles, "role", "a.yaml:9:16"},
		{0, spec.Roles, "APAC", "a.yaml:9:40"},
		{0, spec.Roles, "EMEA", "a.yaml:9:34"},
		{0, spec.Locations, "HQ", "a.yaml:11:12"},
		{0, spec.Groups, "Cafe\u0301", "_defaults.yaml:2:21"},
		{0, spec.Queues, "Nothing", "a.yaml:3:1"},
		{1, spec.Queues, "Billing ES", "a.yaml:14:44"},
	} {
		if got := l.Placer()(at(tree.Users[c.user], c.field), c.name).String(); got != c.want {
			t.Errorf("%s in %s of %s: got %s, want %s", c.name, c.field, tree.Users[c.user].Key, got, c.want)
		}
	}
}

func TestPlaceStaysWhereItCannotLook(t *testing.T) {
	dir := checkout(t, map[string]string{"a.yaml": "queues: [A]\n"})
	at := spec.Pos{File: "a.yaml", Line: 1, Column: 1}
	l := spec.NewLoader(dir)
	place := l.Placer()
	if got := place(at, "A").String(); got != "a.yaml:1:10" {
		t.Errorf("got %s", got)
	}
	for _, at := range []spec.Pos{{}, {File: "b.yaml", Line: 1, Column: 1}, {File: "a.yaml", Line: 2, Column: 1}, {File: "../a.yaml", Line: 1, Column: 1}} {
		if got := l.Placer()(at, "A"); got != at {
			t.Errorf("%s became %s", at, got)
		}
	}
	write(t, dir, "a.yaml", "queues: [A\n")
	if got := l.Placer()(at, "A"); got != at {
		t.Errorf("broken YAML: got %s", got)
	}
	must(t, os.Remove(filepath.Join(dir, "a.yaml")))
	if got := place(at, "A").String(); got != "a.yaml:1:10" {
		t.Errorf("a file is read again for each of its names: got %s", got)
	}
	must(t, os.Symlink("/etc/hostname", filepath.Join(dir, "a.yaml")))
	if got := l.Placer()(at, "A"); got != at {
		t.Errorf("a link: got %s", got)
	}
	if got := spec.NewLoader(filepath.Join(dir, "gone")).Placer()(at, "A"); got != at {
		t.Errorf("no folder: got %s", got)
	}
}
