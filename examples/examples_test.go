package examples_test

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usersyncd/examples"
	"usersyncd/spec"
)

// load reads the tree as it lies in the repository.
func load(t *testing.T) *spec.Tree {
	t.Helper()
	loader := spec.NewLoader("org")
	scan, err := loader.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := loader.Load(t.Context(), scan)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestOrgIsValid(t *testing.T) {
	tree := load(t)
	for _, p := range tree.Problems {
		t.Error(p)
	}
	if n := len(tree.Users); n < 60 {
		t.Errorf("%d users, want an organization of at least 60", n)
	}
}

// Every field of the format is shown by somebody.
func TestOrgShowsEveryField(t *testing.T) {
	used := map[spec.Field]bool{}
	for _, u := range load(t).Users {
		for f := range u.Fields.All() {
			used[f] = true
		}
	}
	for _, info := range spec.AllFields() {
		if !used[info.Field] {
			t.Errorf("nobody shows how %s is written", info.Field)
		}
	}
}

func TestManagersAreInTheTree(t *testing.T) {
	users := load(t).Users
	managers := map[spec.Value]spec.Value{} // by e-mail address
	for _, u := range users {
		managers[u.Fields.Get(spec.Email)] = u.Fields.Get(spec.Manager)
	}
	for _, u := range users {
		boss, managed := u.Fields.Lookup(spec.Manager)
		if !managed {
			continue
		}
		if _, ok := managers[boss]; !ok {
			t.Errorf("%v: the manager %s is not in the tree", at(u, spec.Manager), boss)
		}
		for steps := 0; boss != ""; boss = managers[boss] {
			if steps++; steps > len(users) {
				t.Errorf("%v: %s manages themselves, by a way round", at(u, spec.Manager), u.Key)
				break
			}
		}
	}
}

// The domains and numbers can belong to nobody, so an example that is sent by accident reaches nobody.
func TestNobodyIsReal(t *testing.T) {
	domain := regexp.MustCompile(`[a-z0-9.-]+@([a-z0-9.-]+)`)
	number := regexp.MustCompile(`\+[0-9]+`)
	reserved := regexp.MustCompile(`^\+(` + strings.Join([]string{
		`3532091\d{5}`,               // Ireland: ComReg, 020 91 and five digits
		`493023125\d{3}`,             // Berlin: Bundesnetzagentur, (0)30 23125 000 to 999
		`46701740(60[5-9]|6[1-9]\d)`, // Sweden: PTS, 070-174 06 05 to 99
		`1\d{3}55501\d{2}`,           // North America: NANPA, 555-0100 to 555-0199
	}, "|") + `)$`)
	for _, u := range load(t).Users {
		for f, v := range u.Fields.All() {
			for _, m := range domain.FindAllStringSubmatch(string(v), -1) {
				if m[1] != "example.com" && !strings.HasSuffix(m[1], ".example") { // RFC 2606
					t.Errorf("%v: %s: the domain of %s may be somebody's", at(u, f), f, m[0])
				}
			}
			for _, n := range number.FindAllString(string(v), -1) {
				if !reserved.MatchString(n) {
					t.Errorf("%v: %s: the number %s may be somebody's", at(u, f), f, n)
				}
			}
		}
	}
}

func TestReadmeIsTrue(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%d people", len(load(t).Users)); !strings.Contains(string(readme), want) {
		t.Errorf("README.md does not say %q", want)
	}
}

func TestFilesNameTheSchema(t *testing.T) {
	err := fs.WalkDir(examples.Org(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := examples.Org().Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		lines := bufio.NewScanner(f)
		lines.Scan()
		schema, ok := strings.CutPrefix(lines.Text(), "# yaml-language-server: $schema=")
		if !ok {
			t.Errorf("%s: the first line names no schema", name)
			return lines.Err()
		}
		file, definition, _ := strings.Cut(schema, "#")
		if _, err := os.Stat(filepath.Join("org", path.Dir(name), file)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := ""
		if d.Name() == "_defaults.yaml" {
			want = "/definitions/defaults"
		}
		if definition != want {
			t.Errorf("%s: the schema's part is %q, want %q", name, definition, want)
		}
		return lines.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOrgIsEmbeddedWhole(t *testing.T) {
	list := func(tree fs.FS) (names []string) {
		err := fs.WalkDir(tree, ".", func(name string, _ fs.DirEntry, err error) error {
			names = append(names, name)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	got, want := list(examples.Org()), list(os.DirFS("org"))
	if !slices.Equal(got, want) {
		t.Errorf("embedded %q,\nwant %q", got, want)
	}
	if !slices.Contains(got, "madrid/_defaults.yaml") {
		t.Error("the _defaults.yaml files are missing")
	}
}

// at is where a field was set.
func at(u *spec.User, f spec.Field) spec.Pos {
	pos, _ := u.At.Of(f)
	return pos
}
