package checkout

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec/checkout/gittest"
)

// rulesets are attributes of a work tree, by file.
var rulesets = []map[string]string{
	{".gitattributes": "* text=auto\n*.yaml eol=lf\nusers/ filter=no\n/users/*.yaml filter=one\n"},
	{".gitattributes": "*.yaml filter=x\n", "users/.gitattributes": "a.yaml -filter\n/b.yaml !filter\neu/*.yaml filter=y\n"},
	{".gitattributes": "users/** filter=x\n**/eu/c.yaml -filter\n**/d.yaml ident\nusers/**/deep/*.yaml text\n"},
	{".gitattributes": "\"users/a b.yaml\" filter=x\n\"us\\145rs/a.yaml\" eol=crlf\nusers/[a-b].yaml text\nusers/[!a-c]*.yaml ident\n"},
	{".gitattributes": "[attr]secret filter=crypt diff\n*.yaml secret\nusers/eu/*.yaml -secret\nb.yaml binary\n"},
	{".gitattributes": "*.yaml working-tree-encoding=UTF-16LE\n", "users/eu/.gitattributes": "* -working-tree-encoding\n", ".git/info/attributes": "c.yaml filter=last\n"},
	{".gitattributes": "# filter=x\n!a.yaml filter=x\n a.yaml\ttext \t eol=crlf\n*.YAML ident\n*.ya?l crlf=input\n\\#x.yaml text\n"},
	{".gitattributes": "users/eu/** text\nusers/** -text\n**/eu filter=x\neu filter=x\nusers/*/c.yaml eol=lf\n"},
	{".gitattributes": "*.yaml filter=x eol=crlf text ident\n*.yaml !filter !eol -text !ident\n"},
	{".gitattributes": "users/{a,b}.yaml ident\nusers/\\{x}.yaml filter=x\nusers/**a.yaml text\nusers**/b.yaml eol=lf\n[\\{]y} -text\n**/ crlf\n"},
	{},
}

// What git may do to a file is what git says of it.
func TestAttributesAreReadAsGitReadsThem(t *testing.T) {
	names := []string{"a.yaml", "users/a.yaml", "users/b.yaml", "users/a b.yaml", "users/eu/c.yaml", "users/eu/a.yaml", "users/d.yaml", "users/eu/deep/e.yaml", "users/deep/e.yaml", "#x.yaml", "users/{x}.yaml", "users/{a,b}.yaml", "{y}"}
	for i, files := range rulesets {
		dir := t.TempDir()
		gittest.Run(t, dir, "init", "--quiet")
		for name, text := range files {
			write(t, dir, name, text)
		}
		r := repo{workTree: dir, gitDir: filepath.Join(dir, ".git"), commonDir: filepath.Join(dir, ".git")}
		for _, autocrlf := range []string{"", "true", "input", "false"} {
			a := newAttributes(r, config{"core.autocrlf": {autocrlf}})
			for _, name := range names {
				has := map[string]string{}
				for line := range strings.Lines(gittest.Run(t, dir, "check-attr", "filter", "ident", "working-tree-encoding", "text", "eol", "crlf", "--", name)) {
					fields := strings.Split(strings.TrimSpace(line), ": ")
					has[fields[len(fields)-2]] = fields[len(fields)-1]
				}
				set := func(name string) bool { return has[name] != "unspecified" && has[name] != "unset" }
				known := []string{"set", "unset", "auto", "input"}
				text := has["text"]
				if !slices.Contains(known, text) {
					text = has["crlf"]
				}
				want := none
				switch {
				case set("filter") || set("ident") || set("working-tree-encoding"):
					want = anything
				case text == "unset":
				case slices.Contains(known, text), has["eol"] == "lf", has["eol"] == "crlf", autocrlf == "true", autocrlf == "input":
					want = lineBreaks
				}
				if got := a.of(name); got != want {
					t.Errorf("rules %d, autocrlf=%s: %s: %d, not %d: %v", i, autocrlf, name, got, want, has)
				}
			}
		}
	}
}

// A file that differs from the index is dirty if git says so, whatever line breaks it has there and here.
func TestLineBreaksAreComparedAsGitComparesThem(t *testing.T) {
	contents := []string{"email: a\ntitle: b\n", "email: a\r\ntitle: b\r\n", "email: a\r\ntitle: b\n", "email: a\ntitle: c\n", "email: a\r\ntitle: c\r\n"}
	for _, attributes := range []string{"", "text", "text=auto", "-text", "text=other", "text=other crlf", "crlf=input", "-crlf", "eol=lf", "eol=crlf", "eol=other", "text=auto eol=crlf", "-text eol=crlf", "text=other eol=lf"} {
		for _, autocrlf := range []string{"true", "input", "false"} {
			t.Run(attributes+" autocrlf="+autocrlf, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				gittest.Run(t, dir, "init", "--quiet")
				each := func(do func(name string, there, here int)) {
					for there := range contents {
						for here := range contents {
							if here != there {
								do(fmt.Sprintf("users/%d/%d.yaml", there, here), there, here)
							}
						}
					}
				}
				each(func(name string, there, _ int) { write(t, dir, name, contents[there]) })
				gittest.Run(t, dir, "add", "--all")
				gittest.Run(t, dir, "commit", "--quiet", "--message", "as it is")
				write(t, dir, ".gitattributes", "*.yaml "+attributes+"\n")
				gittest.Run(t, dir, "config", "core.autocrlf", autocrlf)
				each(func(name string, _, here int) { write(t, dir, name, contents[here]) })
				_, s := compare(t, NewReader(func(string, bool) bool { return true }), filepath.Join(dir, "users"))
				want := strings.Fields(gittest.Run(t, dir, "diff", "--name-only", "--relative=users"))
				if diff := cmp.Diff(want, s.Dirty); diff != "" || len(s.NotCompared) > 0 {
					t.Errorf("%q: %s", s.NotCompared, diff)
				}
			})
		}
	}
}

// Patterns come by way of pull requests. This one would take for ever if each ** was tried with each other.
func TestHostilePatternEnds(t *testing.T) {
	pattern := globOf(strings.Repeat("**/a/", 500) + strings.Repeat("**/a*a*a*a*b/", 50) + "x")
	if matches(pattern, strings.Repeat("a/", 2000)+strings.Repeat("a", 255)) {
		t.Error("it matches")
	}
}

// Rules that cannot be read may be about any file.
func TestUnreadableRules(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "big/.gitattributes", strings.Repeat("# nothing\n", maxConfig/10+1))
	write(t, dir, "many/.gitattributes", strings.Repeat("a\n", maxRules+1))
	write(t, dir, "small/.gitattributes", strings.Repeat("a\n", maxRules))
	a := newAttributes(repo{workTree: dir, gitDir: dir, commonDir: dir}, config{})
	if big, many, small := a.of("big/a.yaml"), a.of("many/a.yaml"), a.of("small/a.yaml"); big != anything || many != anything || small != none {
		t.Errorf("%d, %d, %d", big, many, small)
	}
}

// FuzzAttributes: whatever the rules are, reading them and a path ends.
func FuzzAttributes(f *testing.F) {
	for _, files := range rulesets {
		f.Add(files[".gitattributes"], "users/eu/a.yaml")
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text, name string) {
		if name == "" || strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\x00") || strings.Contains(name, "..") {
			return
		}
		write(t, dir, ".gitattributes", text)
		a := newAttributes(repo{workTree: dir, gitDir: dir, commonDir: dir}, config{})
		if got := a.of(name); got > anything {
			t.Error(got)
		}
	})
}
