package checkout

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec/checkout/gittest"
)

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// configs are files as people, git and other programs write them, and some that git refuses.
var configs = []string{
	"",
	"[core]\n\trepositoryformatversion = 0\n\tbare = false\n[remote \"origin\"]\n\turl = git@git.example.com:a/b.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
	"[remote \"origin\"]\r\n\turl = https://git.example.com/a/b\r\n",
	"\ufeff[core]\n bare\n",
	"[core] autocrlf = true # a comment\n; another\n[Core]AutoCRLF=input\n",
	"[remote \"a \\\"quoted\\\" \\\\ name\"]\nurl=x\n[remote \"CaseCounts\"]\nurl = y\n[remote.Dotted]\nurl = z\n",
	"[a]\nb = \"two  spaces # no comment\" ; a comment\nc = one\\\n  two\nd = tab\\tnew\\nback\\\\slash\\\"\ne = a b  c  \nf =\ng = \"\"\nh = \" lead\" and trail \n",
	"[a]\nb = 1\nb = 2\nb\n[c]\nd=e\n[a]\nb = 3\n",
	"[remote \"origin\"] url = on the same line\n",
	"[a]\nb-c = 1\nb2 = 2\n",
	"[core\n", "[core \"x]\n", "[core \"x\"\n", "[core x]\n", "[a]\nb c\n", "[a]\nb = \"open\n", "[a]\nb = \\q\n", "b = 1\n", "[a]\n2b = 1\n", "[a]\n!\n", "[a]\nb = \"open", "[a b]\n", "[a]\nb \\\n",
}

// The parser reads what git reads, and refuses what git refuses.
func TestConfigIsReadAsGitReadsIt(t *testing.T) {
	for _, text := range configs {
		name := filepath.Join(t.TempDir(), "config")
		write(t, filepath.Dir(name), "config", text)
		out, gitErr := gittest.Try(t, filepath.Dir(name), "config", "--null", "--no-includes", "--list", "--file", name)
		want := config{}
		for field := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
			key, value, hasValue := strings.Cut(field, "\n")
			if !hasValue {
				value = "true"
			}
			if key != "" {
				want[key] = append(want[key], value)
			}
		}
		got := config{}
		err := got.parse(text)
		if (err == nil) != (gitErr == nil) {
			t.Errorf("%q: %v, and git says %v", text, err, gitErr)
		}
		if diff := cmp.Diff(want, got); diff != "" && err == nil {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestConfigErrorNamesTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"[core\n":                         "line 1 is not valid git configuration",
		"[a]\n\nb = \"open\nc=d":          "line 3 is not valid git configuration",
		"[a]\nb = 1\\\n2\n  nonsense !\n": "line 4 is not valid git configuration",
	} {
		if err := (config{}).parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestConfigTruth(t *testing.T) {
	c := config{"a": {"true"}, "b": {"yes", "Off"}, "c": {"input"}, "d": {""}}
	for name, want := range map[string][2]bool{"a": {true, true}, "b": {false, true}, "c": {false, false}, "d": {false, true}, "none": {false, true}} {
		if value, ok := c.truth(name); value != want[0] || ok != want[1] {
			t.Errorf("%s: %v, %v", name, value, ok)
		}
	}
}

// FuzzConfig: whatever a file holds, parsing ends, and what it found has names.
func FuzzConfig(f *testing.F) {
	for _, text := range configs {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := config{}
		if err := c.parse(text); err != nil && !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%v", err)
		}
		for name, values := range c {
			if key := name[strings.LastIndexByte(name, '.')+1:]; key == "" || key != strings.ToLower(key) || len(values) == 0 {
				t.Errorf("%q: %q", name, values)
			}
		}
	})
}
