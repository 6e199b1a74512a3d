package spec_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsNoRegularFileIsAProblem(t *testing.T) {
	dir := checkout(t, map[string]string{
		"good.yaml": "email: good@x.example\n", "target/in.yaml": "email: in@x.example\n",
		"esc\x1b[31m.yaml": "email: e@x.example\n", "rtl\u202e.yaml": "email: e@x.example\n", "new\nline/x.yaml": "email: e@x.example\n",
		"not utf8 \xff.yaml": "email: e@x.example\n", "big.yaml": "# " + strings.Repeat("x", 2<<20), "huge/_defaults.yaml": "title: A\n#" + strings.Repeat("x", 64<<10),
		"esc\x1b.md": "not a spec file",
	})
	outside := checkout(t, map[string]string{"secret.yaml": "email: secret@x.example\n"})
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.Symlink(filepath.Join(outside, "secret.yaml"), in("out.yaml")))
	must(t, os.Symlink("target/in.yaml", in("in.yaml")))
	must(t, os.Symlink("loop.yaml", in("loop.yaml")))
	must(t, os.Symlink(outside, in("outside")))
	must(t, os.Symlink("target", in("inside")))
	must(t, os.Symlink("good.yaml", in("README.md")))
	must(t, os.Symlink("nowhere", in("broken.md")))
	must(t, os.Mkdir(in("folder.yaml"), 0o755))
	must(t, syscall.Mkfifo(in("fifo.yaml"), 0o644))
	must(t, os.WriteFile(in("sparse.yaml"), nil, 0o644))
	must(t, os.Truncate(in("sparse.yaml"), 10<<30))

	tree := load(t, spec.NewLoader(dir))
	const name, link = "has invisible characters in its name; rename it", "is a symbolic link; put the file itself there"
	want := []string{
		`big.yaml:1:1: is larger than 2 MiB; split it into several files`,
		`esc\x1b[31m.yaml:1:1: ` + name,
		`fifo.yaml:1:1: is not a regular file; put the file itself there`,
		`folder.yaml:1:1: is a folder with the name of a spec file; rename it`,
		`huge/_defaults.yaml:1:1: is larger than 64 KiB, which is too much for what every user below has; move some of it to the users`,
		`in.yaml:1:1: ` + link,
		`inside:1:1: is a symbolic link to a folder; put the folder itself there`,
		`loop.yaml:1:1: ` + link,
		`new\nline:1:1: ` + name,
		`not utf8 \xff.yaml:1:1: ` + name,
		`out.yaml:1:1: ` + link,
		`outside:1:1: is a symbolic link to a folder; put the folder itself there`,
		`rtl\u202e.yaml:1:1: ` + name,
		`sparse.yaml:1:1: is larger than 2 MiB; split it into several files`,
	}
	if diff := cmp.Diff(want, texts(tree.Problems)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"good@x.example", "in@x.example"}, keys(tree)); diff != "" {
		t.Error(diff)
	}
}

// Users inherit from every folder above them, so the folders are limited.
func TestFoldersAreNestedToALimit(t *testing.T) {
	deepest := strings.Repeat("d/", 50)
	tree := load(t, spec.NewLoader(checkout(t, map[string]string{deepest + "a.yaml": "email: a@x.example\n", deepest + "d/b.yaml": "email: b@x.example\n"})))
	if diff := cmp.Diff([]string{deepest + "d:1:1: is in more than 50 folders, one in the other; move it up"}, texts(tree.Problems)); diff != "" || len(tree.Users) != 1 {
		t.Error(keys(tree), diff)
	}
}

func TestAFileOfExactlyTheLimitIsRead(t *testing.T) {
	content := "email: a@x.example\n# "
	content += strings.Repeat("x", 2<<20-len(content))
	tree := load(t, spec.NewLoader(checkout(t, map[string]string{"a.yaml": content})))
	if len(tree.Problems) > 0 || len(tree.Users) != 1 {
		t.Errorf("%q, %q", keys(tree), texts(tree.Problems))
	}
}

// A file of all of a company's agents, as another system may export them.
func TestAListOfAThousandUsersIsRead(t *testing.T) {
	var b strings.Builder
	b.WriteString("users:\n")
	for i := range 1000 {
		user := strings.ReplaceAll(everything[strings.Index(everything, "name:"):], "id: 3F0C9D2E-5b1a-4c7d-9e8f-0a1b2c3d4e5f\npreviousEmail: Ana@example.com\n", "")
		fmt.Fprintf(&b, "- email: a%d@x.example\n  %s\n", i, strings.ReplaceAll(strings.TrimSpace(user), "\n", "\n  "))
	}
	tree := load(t, spec.NewLoader(checkout(t, map[string]string{"a.yaml": b.String()})))
	if len(tree.Problems) > 0 || len(tree.Users) != 1000 {
		t.Errorf("%d users in %d bytes, %q", len(tree.Users), b.Len(), texts(tree.Problems)[:1])
	}
}

func TestScanErrors(t *testing.T) {
	for what, c := range map[string]struct {
		files map[string]string
		want  error
		text  string
	}{
		"no files":      {nil, spec.ErrNoSpecs, "no spec file: expected *.yaml or *.yml in it or below it"},
		"defaults only": {map[string]string{"_defaults.yaml": "title: A\n"}, spec.ErrNoSpecs, "no spec file"},
		"other files":   {map[string]string{"README.md": "", ".git/x.yaml": ""}, spec.ErrNoSpecs, "no spec file"},
	} {
		_, err := spec.NewLoader(checkout(t, c.files)).Scan(t.Context())
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := spec.NewLoader(filepath.Join(t.TempDir(), "nowhere")).Scan(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	file := filepath.Join(checkout(t, map[string]string{"a.yaml": ""}), "a.yaml")
	if _, err := spec.NewLoader(file).Scan(t.Context()); err == nil {
		t.Error("a file is not a folder")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := spec.NewLoader(filepath.Dir(file)).Scan(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// git-sync publishes a checkout by moving a link to it.
func TestRootLinkIsFollowedAtEachScan(t *testing.T) {
	one := checkout(t, map[string]string{"a.yaml": "email: one@x.example\n"})
	two := checkout(t, map[string]string{"a.yaml": "email: two@x.example\n"})
	link := filepath.Join(t.TempDir(), "current")
	l := spec.NewLoader(link)
	for _, target := range []string{one, two} {
		must(t, os.Symlink(target, link+".new"))
		must(t, os.Rename(link+".new", link))
		want := load(t, spec.NewLoader(target))
		want.Checkout = link // outside git a checkout is known by the path that people give
		if diff := cmp.Diff(want, load(t, l), cmp.AllowUnexported(spec.Positions{})); diff != "" {
			t.Error(diff)
		}
	}
}

// A volume that Kubernetes makes of a ConfigMap is all links, through ..data, which moves.
func TestKubernetesVolume(t *testing.T) {
	dir := checkout(t, map[string]string{
		"..2026_01/a.yaml": "email: one@x.example\n", "..2026_02/a.yaml": "email: two@x.example\n", "..2026_01/eu/b.yaml": "email: b@x.example\n",
	})
	for link, to := range map[string]string{"..data": "..2026_01", "a.yaml": "..data/a.yaml", "eu": "..data/eu"} {
		must(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	data := filepath.Join(dir, "..data")
	instead := "in a Kubernetes volume, give the folder " + data + " instead of " + dir
	want := []string{"a.yaml:1:1: is a symbolic link; " + instead, "eu:1:1: is a symbolic link to a folder; " + instead}
	if diff := cmp.Diff(want, texts(load(t, spec.NewLoader(dir)).Problems)); diff != "" {
		t.Error(diff)
	}
	l := spec.NewLoader(data)
	if diff := cmp.Diff([]string{"b@x.example", "one@x.example"}, keys(load(t, l))); diff != "" {
		t.Error(diff)
	}
	must(t, os.Symlink("..2026_02", data+"_tmp"))
	must(t, os.Rename(data+"_tmp", data))
	if diff := cmp.Diff([]string{"two@x.example"}, keys(load(t, l))); diff != "" {
		t.Error(diff)
	}
}

func TestDigest(t *testing.T) {
	digest := func(files map[string]string) string {
		s, err := spec.NewLoader(checkout(t, files)).Scan(t.Context())
		must(t, err)
		if s.Revision != s.Digest {
			t.Errorf("outside git the revision is %s", s.Revision)
		}
		return s.Digest
	}
	base := map[string]string{"a.yaml": "A", "b.yaml": "B"}
	if digest(base) != digest(map[string]string{"b.yaml": "B", "a.yaml": "A", "README.md": "C", ".x.yaml": "D"}) {
		t.Error("the digest depends on more than the spec files")
	}
	seen := map[string]int{digest(base): -1}
	for i, files := range []map[string]string{
		{"a.yaml": "A"},
		{"a.yaml": "B", "b.yaml": "A"},
		{"a.yaml": "A", "b.yaml": "B", "c.yaml": ""},
		{"a.yaml": "A", "c.yaml": "B"},
		{"a.yaml": "A", "b.yaml": "B "},
		{"a.yaml": "A", "b.yaml": "B", "c.yaml/x": ""},
		{"a.yaml": "A", "b.yaml": "B", "c.yaml": strings.Repeat("x", 70_000)},
	} {
		d := digest(files)
		if other, twice := seen[d]; twice {
			t.Errorf("%d and %d have one digest", i, other)
		}
		seen[d] = i
	}
}
