package checkout

import (
	"path/filepath"
	"strings"
	"testing"

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
	{},
}

// What git may do to a file is what git says of it.
func TestAttributesAreReadAsGitReadsThem(t *testing.T) {
	names := []string{"a.yaml", "users/a.yaml", "users/b.yaml", "users/a b.yaml", "users/eu/c.yaml", "users/eu/a.yaml", "users/d.yaml", "users/eu/deep/e.yaml", "users/deep/e.yaml", "#x.yaml"}
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
				text := has["text"]
				if text == "unspecified" {
					text = has["crlf"]
				}
				want := none
				switch {
				case set("filter") || set("ident") || set("working-tree-encoding"):
					want = anything
				case text == "unset":
				case set("eol") || autocrlf == "true" || autocrlf == "input":
					want = anything
				case text != "unspecified":
					want = lineBreaks
				}
				if got := a.of(name); got != want {
					t.Errorf("rules %d, autocrlf=%s: %s: %d, not %d: %v", i, autocrlf, name, got, want, has)
				}
			}
		}
	}
}

// Patterns come by way of pull requests. This one would take for ever if each ** was tried with each other.
func TestHostilePatternEnds(t *testing.T) {
	pattern := segmentsOf(strings.Repeat("**/a/", 500) + strings.Repeat("**/a*a*a*a*b/", 50) + "x")
	if fits(pattern, strings.Split(strings.Repeat("a/", 2000)+strings.Repeat("a", 255), "/")) {
		t.Error("it fits")
	}
}

// Rules that cannot be read may be about any file.
func TestUnreadableRules(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "big/.gitattributes", strings.Repeat("# nothing\n", maxConfig/10+1))
	write(t, dir, "small/.gitattributes", "# nothing\n")
	a := newAttributes(repo{workTree: dir, gitDir: dir, commonDir: dir}, config{})
	if big, small := a.of("big/a.yaml"), a.of("small/a.yaml"); big != anything || small != none {
		t.Errorf("%d, %d", big, small)
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
