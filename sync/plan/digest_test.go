package plan_test

import (
	"strings"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// The id of a plan depends on what would be done, and on nothing else.
func TestTheIDIsThatOfTheEffects(t *testing.T) {
	skill := spec.Proficiencies(map[string]float64{"A": 4})
	planOf := func(edit func(*orgTest, *plan.Policy)) *plan.Plan {
		o, p := org(40, "title", "T", "department", "D"), defaults(plan.Deactivate)
		u := o.tree.Users[3]
		u.Fields.Set("title", spec.Text("New"))
		u.Fields.Set("skills", skill)
		o.tree.Users[4].Fields.Set("department", spec.Text("E"))
		o.tree.Users = append(o.tree.Users, declared("new@x.example", "name", "New"))
		edit(o, &p)
		return o.plan(t, p, now)
	}
	first := planOf(func(*orgTest, *plan.Policy) {})
	if len(first.Changes) != 3 || !strings.HasPrefix(first.Digest, "sha256:") || "p-"+first.Digest[7:15] != first.ID {
		t.Fatalf("%d changes, %s, %s", len(first.Changes), first.ID, first.Digest)
	}
	for name, tt := range map[string]struct {
		edit func(*orgTest, *plan.Policy)
		same bool
	}{
		"another line": {func(o *orgTest, _ *plan.Policy) {
			o.tree.Users[3].Pos = spec.Pos{File: "other.yaml", Line: 70, Column: 3}
		}, true},
		"another order of the files": {func(o *orgTest, _ *plan.Policy) {
			o.tree.Users[3], o.tree.Users[30] = o.tree.Users[30], o.tree.Users[3]
		}, true},
		"another revision":         {func(o *orgTest, _ *plan.Policy) { o.tree.Revision = "abc" }, true},
		"drift instead of an edit": {func(o *orgTest, _ *plan.Policy) { o.snap.Users[idOf(3)].LastApplied.Set("title", spec.Text("New")) }, true},
		"no state is kept":         {func(o *orgTest, _ *plan.Policy) { o.stateless() }, true},
		"a user is no longer managed": {func(o *orgTest, p *plan.Policy) {
			o.tree.Users = o.tree.Users[:len(o.tree.Users)-1]
			p.OnRemoval = ""
			o.tree.Users = append(o.tree.Users[1:], declared("new@x.example", "name", "New"))
		}, false},
		"a field waits for a window": {func(_ *orgTest, p *plan.Policy) { p.Schedule = hours(t, "Sun 00:00-00:01 UTC") }, true},
		"a change is in quarantine": {func(o *orgTest, _ *plan.Policy) {
			u := o.tree.Users[3]
			o.snap.Failures[u.Key] = state.Failure{Key: u.Key, Desired: u.Hash(), Attempts: 1, Next: now.Add(time.Hour)}
		}, false},
		"another value":                 {func(o *orgTest, _ *plan.Policy) { o.tree.Users[3].Fields.Set("title", spec.Text("Newer")) }, false},
		"another value before":          {func(o *orgTest, _ *plan.Policy) { o.snap.Users[idOf(3)].Fields.Set("title", spec.Text("U")) }, false},
		"another user":                  {func(o *orgTest, _ *plan.Policy) { o.tree.Users[5].Fields.Set("title", spec.Text("New")) }, false},
		"a user less":                   {func(o *orgTest, _ *plan.Policy) { o.tree.Users[4].Fields.Set("department", spec.Text("D")) }, false},
		"another user is created":       {func(o *orgTest, _ *plan.Policy) { o.tree.Users[40] = declared("other@x.example", "name", "New") }, false},
		"nobody is created":             {func(_ *orgTest, p *plan.Policy) { p.Create = false }, false},
		"a user is deactivated":         {func(o *orgTest, _ *plan.Policy) { o.tree.Users = o.tree.Users[1:] }, false},
		"a change is held":              {func(o *orgTest, p *plan.Policy) { p.Guard.Protected = []string{o.tree.Users[3].Key} }, false},
		"a guard holds all the changes": {func(_ *orgTest, p *plan.Policy) { p.Guard.Changes = &plan.Limit{Percent: 1, Floor: 1} }, false},
	} {
		if p := planOf(tt.edit); (p.ID == first.ID) != tt.same || (p.Digest == first.Digest) != tt.same {
			t.Errorf("%s: the id is the same: %v\n%s\n%s", name, !tt.same, strings.Join(lines(first), "\n"), strings.Join(lines(p), "\n"))
		}
	}
}
