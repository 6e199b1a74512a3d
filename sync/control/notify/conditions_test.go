package notify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
)

func TestAnOutageIsToldWhenItLasts(t *testing.T) {
	s := newStory(t)
	s.broken, s.st.Error = true, "dial tcp: connection refused"
	s.want(t, 14*time.Minute, "short")
	s.want(t, 3*time.Minute, "long", "stopped firing")
	if m := s.last(); m.Title != "no pass has completed for 16 minutes" || !strings.HasSuffix(m.Text, "dial tcp: connection refused") {
		t.Errorf("%+v", m)
	}
	s.st.Error = "dial tcp: i/o timeout"
	s.want(t, 3*time.Hour, "with another text")
	s.st.Error = "" // a pass has begun
	s.want(t, 10*time.Minute, "nobody knows")
	s.broken = false
	s.want(t, 2*time.Minute, "over", "stopped resolved")
	s.st.Stuck = "the loop has not moved for 2m0s"
	s.want(t, time.Minute, "stuck", "stopped firing")
}

func TestSpecsAndPause(t *testing.T) {
	s := newStory(t)
	problem := spec.Problem{Pos: spec.Pos{File: "users/a.yaml", Line: 7, Column: 3}, Field: "title", Message: "is no text"}
	s.st.Specs, s.st.Problems = []spec.Problem{problem}, 1
	s.want(t, time.Minute, "a problem", "specs firing")
	if m := s.last(); m.Fix != "usersyncd validate /srv/users" || m.Examples[0] != problem.String() {
		t.Errorf("%+v", m)
	}
	problem.Line, s.st.Revision = 9, "def"
	s.st.Specs = []spec.Problem{problem}
	s.want(t, time.Hour, "the same two lines down, in another revision")
	s.st.Specs, s.st.Problems = nil, 0
	s.want(t, 10*time.Minute, "fixed", "specs resolved")

	s.st.Paused = &state.Pause{At: s.now, By: "eva", Reason: "migration"}
	s.want(t, 23*time.Hour, "a pause")
	s.want(t, 2*time.Hour, "forgotten", "paused firing")
	if m := s.last(); m.Text != "Passes plan, and change nothing until usersyncd resume. Paused by eva. Reason: migration" || m.Fix != "usersyncd resume" {
		t.Errorf("%+v", m)
	}
	s.st.Paused = nil
	s.want(t, groupInterval, "ended", "paused resolved")
}

func contests(users ...string) []contest.Contest {
	var all []contest.Contest
	for _, u := range users {
		all = append(all, contest.Contest{Email: u, Field: spec.Title, Until: began()})
	}
	return all
}

func (s *story) contested(all []contest.Contest) {
	st := control.New(usersync.Status{Result: &usersync.Result{Contested: all}})
	s.st.Contested, s.st.ContestedUsers, s.st.Contests = st.Contested, st.ContestedUsers, st.Contests
}

// What somebody else keeps changing back is told once, as long as it stays so; those who join are told together.
func TestContestedIsTold(t *testing.T) {
	s := newStory(t)
	s.contested(contests("a@x.org"))
	s.want(t, time.Hour, "one field", "contested firing")
	if m := s.last(); m.Title != "1 field is changed back by somebody else" || m.Users != 1 || !slices.Equal(m.Examples, []string{"a@x.org: title"}) ||
		!strings.Contains(m.Fix, "audit log") {
		t.Errorf("%+v", m)
	}
	s.contested(contests("a@x.org", "b@x.org", "c@x.org"))
	s.want(t, time.Hour, "two more", "contested firing")
	if m := s.last(); m.Title != "3 fields are changed back by somebody else" || !slices.Equal(m.Examples, []string{"b@x.org: title", "c@x.org: title"}) {
		t.Errorf("%+v", m)
	}
	s.contested(nil)
	s.want(t, time.Hour, "it is over", "contested resolved")
}

// The users are counted, listed or not: one with several fields once.
func TestContestedUsersAreCounted(t *testing.T) {
	s := newStory(t)
	all := contests("a@x.org", "a@x.org", "b@x.org")
	all[1].Field = spec.Department
	s.contested(all)
	s.want(t, time.Hour, "two users", "contested firing")
	if m := s.last(); m.Users != 2 || m.Title != "3 fields are changed back by somebody else" {
		t.Errorf("%+v", m)
	}
	s = newStory(t)
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("u%02d@x.org", i))
	}
	s.contested(contests(many...))
	s.want(t, time.Hour, "more than are listed", "contested firing")
	if m := s.last(); m.Users != 60 || m.Title != "60 fields are changed back by somebody else" {
		t.Errorf("%+v", m)
	}
}

func TestWithoutDetails(t *testing.T) {
	s := newStory(t)
	s.n.opts.Details = false
	s.fails("hush@x.org")
	s.st.Holds, s.st.Held = []plan.Hold{{ID: "p-1", Guard: "min-admins", Users: []string{"hush@x.org"}, Reason: "hush"}}, 1
	s.st.Specs, s.st.Problems = []spec.Problem{{Pos: spec.Pos{File: "hush.yaml"}, Message: "hush"}}, 1
	s.st.CredentialsDead, s.st.Error, s.st.Stuck = true, "hush", "hush"
	s.st.Paused = &state.Pause{At: s.now.Add(-48 * time.Hour), By: "hush", Reason: "hush"}
	s.lasts(time.Hour)
	if len(s.told) != 6 {
		t.Fatalf("%+v", s.told)
	}
	for _, m := range s.told {
		if strings.Contains(fmt.Sprint(m), "hush") {
			t.Errorf("%+v", m)
		}
	}
}
