package spec_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/spec"
)

// A loader that has read a tree before gives the same as one that has not, whatever was edited, moved or removed meanwhile.
func TestALoaderKeepsNothingThatHasChanged(t *testing.T) {
	names := []string{"_defaults.yaml", "_defaults.yml", "a/_defaults.yaml", "a/b/_defaults.yaml", "u.yaml", "a/u.yaml", "a/v.yaml", "a/b/u.yaml"}
	contents := []string{
		"title: A\n", "title: B\nskills: {A: 1}\n", "skills: {B: 9}\n", "utilization: {call: {capacity: 1}}\n",
		"email: a@x.example\n", "email: a@x.example\nskills: {C: 1}\n", "email: b@x.example\nutilization: {call: {interruptedBy: [chat]}}\n",
		"# first\nemail: b@x.example\nstate: inactive\n", "users: [{email: c@x.example, title: C}, {email: d@x.example}]\n", "title: [\n",
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "warm")
		must(t, err)
		defer func() { _ = os.RemoveAll(dir) }()
		write(t, dir, "first.yaml", "email: first@x.example\n")
		warm, file := spec.NewLoader(dir), filepath.Join(t.TempDir(), "cache")
		for range rapid.IntRange(1, 6).Draw(rt, "steps") {
			for range rapid.IntRange(1, 4).Draw(rt, "edits") {
				name := rapid.SampledFrom(names).Draw(rt, "name")
				switch rapid.SampledFrom([]string{"write", "move", "remove"}).Draw(rt, "edit") {
				case "write":
					write(t, dir, name, rapid.SampledFrom(contents).Draw(rt, "content"))
				case "move":
					to := filepath.Join(dir, rapid.SampledFrom(names).Draw(rt, "to"))
					must(t, os.MkdirAll(filepath.Dir(to), 0o755))
					_ = os.Rename(filepath.Join(dir, name), to) // it may not exist
				default:
					_ = os.Remove(filepath.Join(dir, name))
				}
			}
			want := described(load(t, spec.NewLoader(dir)))
			if diff := cmp.Diff(want, described(load(t, warm))); diff != "" {
				rt.Fatal(diff)
			}
			cached := spec.NewLoader(dir)
			must(t, cached.ReadCache(file))
			if diff := cmp.Diff(want, described(load(t, cached))); diff != "" {
				rt.Fatal("with a cache file: ", diff)
			}
			if rapid.Bool().Draw(rt, "written") {
				cached.Uncached(1000)
				must(t, cached.WriteCache(file))
			}
		}
	})
}

// described is all that a tree says of its users, and of what is wrong.
func described(tree *spec.Tree) (all []string) {
	for _, u := range append(tree.Users, tree.Leavers...) {
		all = append(all, fmt.Sprintf("%s at %v: %+v", u.Key, u.Pos, *u))
		for _, info := range spec.AllFields() {
			if at, ok := u.At.Of(info.Field); ok {
				all = append(all, fmt.Sprintf("%s of %s at %v", info.Field, u.Key, at))
			}
		}
	}
	return append(all, texts(tree.Problems)...)
}

// A cache file saves the parsing of what has not changed. One that is damaged, or another program's, is not used.
func TestACacheFile(t *testing.T) {
	dir := checkout(t, map[string]string{"_defaults.yaml": "title: A\n", "a.yaml": "email: a@x.example\nskills: {A: 1}\n", "b.yaml": "email: b@x.example\n", "bad.yaml": "name: A\n"})
	file := filepath.Join(t.TempDir(), "cache")
	first := spec.NewLoader(dir)
	want := described(load(t, first))
	must(t, first.WriteCache(file))
	if _, err := os.Stat(file); err == nil {
		t.Error("it is written for a few files")
	}
	first.Uncached(1000)
	must(t, first.WriteCache(file))
	write(t, dir, "b.yaml", "email: b@x.example\n\n")
	l := spec.NewLoader(dir)
	must(t, l.ReadCache(file))
	if tree := load(t, l); tree.Parsed != 3 { // all but a.yaml
		t.Errorf("%d files were parsed", tree.Parsed)
	} else if diff := cmp.Diff(want, described(tree)); diff != "" {
		t.Error(diff)
	}
	content, err := os.ReadFile(file)
	must(t, err)
	for i := range content {
		damaged := bytes.Clone(content)
		damaged[i] ^= 1 << (i % 8)
		for _, text := range [][]byte{damaged, content[:i]} {
			must(t, os.WriteFile(file, text, 0o600))
			if err := spec.NewLoader(dir).ReadCache(file); err == nil {
				t.Fatalf("damage at %d of %d is not seen", i, len(content))
			}
		}
	}
}

// A cache file for which there is no room is given up at once, and nothing is left of it.
func TestACacheFileOnAFullDisk(t *testing.T) {
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("%d.yaml", i)] = fmt.Sprintf("email: u%d@x.example\ntitle: %s\n", i, strings.Repeat("A", 800))
	}
	l := spec.NewLoader(checkout(t, files))
	load(t, l)
	l.Uncached(1000)
	file := filepath.Join(t.TempDir(), "cache")
	must(t, os.Symlink("/dev/full", file+".new"))
	err := l.WriteCache(file)
	if !errors.Is(err, syscall.ENOSPC) || len(err.Error()) > 200 {
		t.Errorf("%.300v", err)
	}
	if left, _ := filepath.Glob(file + "*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
