package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
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
		warm := spec.NewLoader(dir)
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
			if diff := cmp.Diff(described(load(t, spec.NewLoader(dir))), described(load(t, warm))); diff != "" {
				rt.Fatal(diff)
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
