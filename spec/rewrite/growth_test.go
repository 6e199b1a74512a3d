package rewrite_test

import (
	"fmt"
	"strings"
	"testing"

	"usersyncd/spec"
	"usersyncd/spec/growth"
	"usersyncd/spec/rewrite"
)

// An export into specs that somebody else has written takes time in proportion to them, whatever their form.
func TestWritingGrowsWithItsInput(t *testing.T) {
	skills := func(n int, level float64) spec.Value {
		all := map[string]float64{}
		for i := range n {
			all[fmt.Sprintf("Skill %d", i)] = level
		}
		return spec.Proficiencies(all)
	}
	list := func(n int, before, each, after string) map[string]string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, each, i)
		}
		return map[string]string{"all.yaml": before + b.String() + after}
	}
	for _, row := range []struct {
		name  string
		n     int // of the smaller size
		files func(n int) map[string]string
		user  func(n, i int) *spec.User // changed; nil for no more
	}{
		{"a list", 100, func(n int) map[string]string {
			return list(n, "users:\n", "  - {email: u%d@x.example, title: A}\n", "")
		},
			func(n, i int) *spec.User { return person(fmt.Sprintf("u%d@x.example", i), "title", `"B"`) }},
		{"a line", 40, func(n int) map[string]string { return list(n, "users: [", "{email: u%d@x.example, title: A}, ", "]\n") },
			func(n, i int) *spec.User { return person(fmt.Sprintf("u%d@x.example", i), "title", `"B"`) }},
		{"a map", 100, func(n int) map[string]string { return list(n, "email: a@x.example\nskills:\n", "  Skill %d: 1\n", "") },
			func(n, _ int) *spec.User { return person("a@x.example", "skills", string(skills(n, 2))) }},
		{"another map", 100, func(n int) map[string]string { return list(n, "email: a@x.example\nskills:\n", "  Other %d: 1\n", "") },
			func(n, _ int) *spec.User { return person("a@x.example", "skills", string(skills(n, 2))) }},
		{"a list of names", 60, func(n int) map[string]string { return list(n, "email: a@x.example\nqueues:\n", "  - Queue %d\n", "") },
			func(n, _ int) *spec.User {
				var names []string
				for i := range n {
					names = append(names, fmt.Sprintf("Queue %d", 2*i))
				}
				return person("a@x.example", "queues", string(spec.Strings(names)))
			}},
		{"inherited", 100, func(n int) map[string]string {
			files := list(n, "skills:\n", "  Skill %d: 1\n", "")
			return map[string]string{"_defaults.yaml": files["all.yaml"], "a.yaml": "email: a@x.example\n"}
		}, func(n, _ int) *spec.User { return person("a@x.example", "skills", string(skills(2*n, 1))) }},
		{"inherited and not wanted", 100, func(n int) map[string]string {
			files := list(n, "skills:\n", "  Skill %d: 1\n", "")
			return map[string]string{"_defaults.yaml": files["all.yaml"], "a.yaml": "email: a@x.example\n"}
		}, func(n, _ int) *spec.User { return person("a@x.example", "skills", string(skills(n/2, 1))) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			growth.Check(t, row.n, func(n int) func() {
				dir, users := checkout(t, row.files(n)), []*spec.User{row.user(n, 0)}
				for i := 1; row.user(n, i).Key != users[0].Key && i < n; i++ {
					users = append(users, row.user(n, i))
				}
				return func() {
					if _, err := rewrite.Write(t.Context(), spec.NewLoader(dir), users, rewrite.Options{Fields: []spec.Field{spec.Title, spec.Skills, spec.Queues}}); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}
