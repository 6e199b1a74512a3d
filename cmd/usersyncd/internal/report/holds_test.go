package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// A hold names its guard, and the folders that its users are, or were, declared in.
func TestHoldNamesGuardAndFolders(t *testing.T) {
	for _, tt := range []struct {
		guard string
		users []int // by folder: a/, b/ and so on
		want  []string
	}{
		{"max-removals", []int{97, 13}, []string{", by --max-removals", "97 in a/, 13 in b/"}},
		{"max-removals", []int{3}, []string{"all in a/"}},
		{"max-losses", []int{3, 9, 1, 2, 4}, []string{"9 in b/, 4 in e/, 3 in a/, 3 elsewhere"}},
		{"renames", []int{1, 1}, []string{"Held: 2 users, by the guard renames"}},
		{"reactivations", []int{1}, []string{"Held: 1 user, by --hold-reactivations"}},
	} {
		h := plan.Hold{ID: "p-1", Guard: tt.guard, Reason: "too many"}
		var all []*plan.Change
		for folder, n := range tt.users {
			for i := range n {
				c := change(plan.Update, fmt.Sprintf("u%d-%d@example.com", folder, i), fmt.Sprintf("%c/u%d.yaml", 'a'+folder, i), textField(spec.Title, "a", "b"))
				c.Outcome, c.Hold = plan.Held, h.ID
				all, h.Users = append(all, c), append(h.Users, c.Key)
			}
		}
		lines := Text{}.holdLines(planned(len(all), all...), h, 0)
		for _, want := range tt.want {
			if !slices.ContainsFunc(lines, func(l Line) bool {
				return l.Text == want || strings.HasPrefix(want, ", ") && strings.HasSuffix(l.Text, want)
			}) {
				t.Errorf("%s of %v: %q, without %q", tt.guard, tt.users, lines, want)
			}
		}
	}
	top := change(plan.Update, "top@example.com", "top.yaml", textField(spec.Title, "a", "b"))
	below := change(plan.Update, "below@example.com", "a/below.yaml", textField(spec.Title, "a", "b"))
	other := change(plan.Update, "other@example.com", "b/other.yaml", textField(spec.Title, "a", "b"))
	for want, users := range map[string][]string{"": {below.Key, other.Key}, "1 in a/, 1 elsewhere": {top.Key, below.Key}} {
		if got := folders(planned(3, top, below, other), plan.Hold{ID: "p-1", Users: users}); got != want {
			t.Errorf("%v: %q, want %q", users, got, want)
		}
	}
}
