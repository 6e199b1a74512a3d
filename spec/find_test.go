package spec_test

import (
	"os"
	"path/filepath"
	"testing"

	"usersyncd/spec"
)

// Find gives the one user as Load does, with what is inherited and where it stands, and parses little else.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"_defaults.yaml":      "department: Support\n",
		"team/_defaults.yaml": "title: Agent\n",
		"team/ana.yaml":       "email: Ana@Example.com\nname: Ana\n",
		"team/luis.yaml":      "email: luis@example.com\nmanager: ana@example.com\n",
		"team/mei.yaml":       "email: mei@example.com\n",
		"broken.yaml":         "email: joe@example.com\ntitel: x\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := spec.NewLoader(dir)
	s, err := l.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	whole, err := l.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	part, err := l.Find(t.Context(), "ana@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if len(part.Users) != 2 || len(part.Problems) != 0 || part.Parsed != 4 || part.Revision != whole.Revision {
		t.Errorf("users %d, problems %v, parsed %d", len(part.Users), part.Problems, part.Parsed)
	}
	for i, u := range part.Users { // who mentions her comes along
		if w := whole.Users[i]; u.Key != w.Key || u.Hash() != w.Hash() || u.Pos != w.Pos {
			t.Errorf("%+v is not %+v", u, w)
		}
	}
	if part, err = l.Find(t.Context(), "joe@example.com"); err != nil || len(part.Problems) != 1 || len(part.Users) != 0 {
		t.Errorf("%v %+v", err, part)
	}
	if part, err = l.Find(t.Context(), "nobody@example.com"); err != nil || len(part.Users)+len(part.Problems) != 0 {
		t.Errorf("%v %+v", err, part)
	}
}
