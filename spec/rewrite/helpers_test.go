package rewrite_test

import (
	"os"
	"path/filepath"
	"testing"

	"usersyncd/spec"
)

// checkout writes files, by slash-separated path, to a new folder.
func checkout(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, dir, name, content)
	}
	return dir
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, l *spec.Loader) *spec.Tree {
	t.Helper()
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

func texts(problems []spec.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.String())
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const everything = `# yaml-language-server: $schema=schema.json
email: Ana.Perez@example.com
name: Ana Pérez
id: 3F0C9D2E-5b1a-4c7d-9e8f-0a1b2c3d4e5f
previousEmail: Ana@example.com
state: active
title: Senior agent
department: Support
manager: Luis.Gomez@example.com
division: EMEA
preferredName: Ana
acdAutoAnswer: false
certifications: [PCI, ISO]
profileSkills: [Chess]
employer: {officialName: Ana Pérez, employeeId: "007123", employeeType: Full-time, dateHire: 2024-03-01}
phones: [{type: work, number: "+34 (600) 000-001", extension: "4021", media: phone}]
emails: [{type: home, address: Ana@home.example}]
locations: [{name: Madrid HQ, notes: 3rd floor}]
skills: {Billing: 4, Refunds: 2.5}
languages: {Spanish: 5, English: 3.0}
roles: [{role: Supervisor, divisions: [EMEA]}, Employee]
queues: [Billing ES]
groups: [Madrid]
utilization: {call: {capacity: 1}, message: {capacity: 3, interruptedBy: [call]}}
voicemail: {alertTimeoutSeconds: 30, sendEmailNotifications: true}
externalIds: {workday: "W-1"}
`
