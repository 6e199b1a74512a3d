package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"usersyncd/spec"
	"usersyncd/spec/growth"
)

// Whatever a committer writes, it is read in time proportional to its size. Each row is a tree of n things.
func TestLoadingGrowsWithItsInput(t *testing.T) {
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	list := func(n int, format string) map[string]string {
		return map[string]string{"all.yaml": "users:\n" + repeat(n, format)}
	}
	each := func(n int, name, content string) map[string]string {
		files := map[string]string{}
		for i := range n {
			files[fmt.Sprintf(name, i)] = fmt.Sprintf(content, i)
		}
		return files
	}
	for _, row := range []struct {
		name string
		n    int // of the smaller size
		tree func(n int) map[string]string
	}{
		{"a list", 60, func(n int) map[string]string { return list(n, "  - {email: u%d@x.example, name: A}\n") }},
		{"a line", 60, func(n int) map[string]string {
			return map[string]string{"all.yaml": "users: [" + repeat(n, "{email: u%d@x.example}, ") + "]\n"}
		}},
		{"one id", 60, func(n int) map[string]string {
			return list(n, "  - {email: u%d@x.example, id: 3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f}\n")
		}},
		{"one former address", 60, func(n int) map[string]string {
			return list(n, "  - {email: u%d@x.example, previousEmail: a@x.example}\n")
		}},
		{"a chain of former addresses with a problem", 60, func(n int) map[string]string {
			files := list(n, "  - {email: u%[1]d@x.example, name: N%[1]d, previousEmail: \"u1%[1]d@x.example\"}\n")
			return files
		}},
		{"unknown keys", 150, func(n int) map[string]string {
			return map[string]string{"a.yaml": "email: a@x.example\n" + repeat(n, "key%d: a\n")}
		}},
		{"a key again and again", 150, func(n int) map[string]string {
			return map[string]string{"a.yaml": "email: a@x.example\n" + repeat(n, "name: a%d\n")}
		}},
		{"a long text", 2000, func(n int) map[string]string {
			return map[string]string{"a.yaml": "email: a@x.example\ntitle: '" + strings.Repeat("é ", n) + "'\n"}
		}},
		{"skills over inherited ones", 200, func(n int) map[string]string {
			return map[string]string{"_defaults.yaml": "skills:\n" + repeat(n, "  a%d: 1\n"), "a.yaml": "email: a@x.example\nskills:\n" + repeat(n, "  b%d: 1\n")}
		}},
		{"files below defaults with problems", 40, func(n int) map[string]string {
			files := each(n, "a/u%d.yaml", "email: u%d@x.example\n")
			files["_defaults.yaml"] = "skills:\n" + repeat(n, "  s%d: 9\n")
			return files
		}},
		{"files with problems below defaults with problems", 40, func(n int) map[string]string {
			files := each(n, "a/u%d.yaml", "email: u%d@x.example\nskills: {A: 9}\n")
			files["_defaults.yaml"] = "skills:\n" + repeat(n, "  s%d: 9\n")
			return files
		}},
		{"folders with defaults", 40, func(n int) map[string]string {
			files := each(n, "f%d/_defaults.yaml", "skills: {a%d: 1}\n")
			files["a.yaml"] = "email: a@x.example\n"
			return files
		}},
		{"folders in folders with defaults", 30, func(n int) map[string]string {
			files := map[string]string{"a.yaml": "email: a@x.example\n"}
			for i := range n {
				files[strings.Repeat("a/", i)+"_defaults.yaml"] = "skills: {" + repeat(50, fmt.Sprintf("s%d-%%d: 1, ", i)) + "}\n"
			}
			files[strings.Repeat("a/", n)+"b.yaml"] = "email: b@x.example\n"
			return files
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			growth.Check(t, row.n, func(n int) func() {
				l := spec.NewLoader(checkout(t, row.tree(n)))
				return func() {
					tree, err := l.ScanAndLoad(t.Context())
					if err != nil {
						t.Error(err)
					}
					_ = tree
				}
			})
		})
	}
}
