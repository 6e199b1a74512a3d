package plan_test

import (
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// What an earlier pass sent without ever getting an answer counts once it is found done, whatever else of the user is
// still to be done; what was refused, or asked for by another spec, was somebody else.
func TestWhatIsFoundDoneCounts(t *testing.T) {
	for name, tt := range map[string]struct {
		spec   *spec.User
		status int
		desire *spec.User // that failed; nil: the same
		want   int
	}{
		"no answer":                       {spec: declared("a@x.example", "state", "inactive"), want: 1},
		"a gateway's":                     {spec: declared("a@x.example", "state", "inactive"), status: 504, want: 1},
		"and a title is still to be done": {spec: declared("a@x.example", "state", "inactive", "title", "New"), want: 1},
		"refused":                         {spec: declared("a@x.example", "state", "inactive"), status: 400},
		"another spec":                    {spec: declared("a@x.example", "state", "inactive"), desire: declared("a@x.example", "state", "inactive", "title", "T")},
	} {
		t.Run(name, func(t *testing.T) {
			desire := tt.spec
			if tt.desire != nil {
				desire = tt.desire
			}
			o := &orgTest{tree: tree(tt.spec), snap: snapshot(known("1", "a@x.example", fields("state", "active", "title", "T"), "state", "inactive", "title", "T"))}
			o.snap.Failures["a@x.example"] = state.Failure{Key: "a@x.example", Desired: desire.Hash(), Status: tt.status, Next: now.Add(-time.Minute)}
			for pass := range 2 {
				p := o.plan(t, policy(), now)
				n := 0
				for _, tally := range p.Guards.Tallies {
					n += tally.Deactivated
				}
				if n != tt.want {
					t.Errorf("pass %d: %d count, want %d", pass, n, tt.want)
				}
				o.apply(p, now)
			}
		})
	}
}

// What counts is kept by the minute for a day, and by the hour for a week.
func TestTalliesAreKept(t *testing.T) {
	o := org(10)
	for _, ago := range []time.Duration{8 * 24 * time.Hour, 50*time.Hour + 10*time.Minute, 50 * time.Hour, 2 * time.Minute, time.Minute} {
		o.snap.Guards.Tallies = append(o.snap.Guards.Tallies, state.Tally{At: now.Add(-ago), Removed: 1, Losses: map[string]int{"queues A": 1}})
	}
	for range 2 { // it is kept as it is
		p := plan.New(o.tree, o.snap, policy(), nil, now)
		if done := p.Guards.Tallies; len(done) != 4 || done[0].Removed != 1 || done[3].Losses["queues A"] != 1 {
			t.Errorf("%+v", done)
		}
	}
	o.snap.Guards.Tallies[1].At = now.Add(-50*time.Hour + 10*time.Minute) // within one hour with the next
	p := plan.New(o.tree, o.snap, policy(), nil, now)
	if done := p.Guards.Tallies; len(done) != 3 || done[0].Removed != 2 || done[0].Losses["queues A"] != 2 || o.snap.Guards.Tallies[2].Losses["queues A"] != 1 {
		t.Errorf("%+v", done)
	}
}
