package notify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

func began() time.Time { return time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC) }

// A story shows a Notifier a status every five seconds. Unless broken, a pass ends well every minute.
type story struct {
	n        *Notifier
	receiver receiver
	now      time.Time
	st       control.Status
	broken   bool
	told     []Message
}

func newStory(t rapid.TB) *story {
	t.Helper()
	target, err := ParseTarget(secretURL)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{
		now: began(),
		st:  control.Status{Started: began(), Status: usersync.Status{Success: began(), Revision: "abc"}, Dir: "/srv/users", API: "https://api.example.com"},
	}
	if s.n, err = New(Options{Target: target, RepeatInterval: 24 * time.Hour, Details: true, Transport: &s.receiver}); err != nil {
		t.Fatal(err)
	}
	return s
}

// lasts lets time go by, and returns what is told meanwhile as "kind status".
func (s *story) lasts(d time.Duration) []string {
	from := len(s.told)
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(pollInterval)
		if !s.broken && s.now.Sub(s.st.Success) >= time.Minute {
			s.st.Success = s.now
		}
		s.st.Now = s.now
		st := s.st
		s.n.dispatch(context.Background(), &st)
	}
	s.told = s.receiver.got
	said := []string{}
	for _, m := range s.told[from:] {
		word := m.Status
		if m.Reminder {
			word = "reminder"
		}
		said = append(said, m.Kind+" "+word)
	}
	return said
}

func (s *story) want(t *testing.T, d time.Duration, what string, want ...string) {
	t.Helper()
	if got := s.lasts(d); !slices.Equal(got, want) {
		t.Fatalf("%s: told %q, not %q", what, got, want)
	}
}

func (s *story) last() Message { return s.told[len(s.told)-1] }

func holds(ids ...string) []plan.Hold {
	var all []plan.Hold
	for _, id := range ids {
		all = append(all, plan.Hold{ID: id, Guard: "max-removals", Users: []string{"a@x.org", "b@x.org", "c@x.org", "d@x.org"}, Reason: "4 removals, and 2 are allowed"})
	}
	return all
}

func (s *story) fails(emails ...string) {
	s.st.Failures = nil
	for i, e := range emails {
		s.st.Failures = append(s.st.Failures, usersync.Failure{Email: e, File: "users/x.yaml", Line: 3 + i, Status: 400, Message: "phone is wrong"})
	}
	s.st.Failed = len(emails)
}

func TestHeldIsToldOnceAndWhenItIsOver(t *testing.T) {
	s := newStory(t)
	s.want(t, time.Hour, "all is well")
	s.st.Holds, s.st.Held = holds("p-1"), 4
	s.want(t, 20*time.Second, "it has not lasted")
	s.want(t, 20*time.Second, "it lasts", "held firing")
	m := s.last()
	want := Message{
		Schema: "usersyncd.notification/v1", ID: m.ID, Kind: "held", Status: "firing", At: m.At, API: "https://api.example.com", Dir: "/srv/users", Revision: "abc",
		Title: "4 users are held by a guard", Text: "Other users are not affected. max-removals holds 4 users: 4 removals, and 2 are allowed.",
		Fix: "If the change is intended: usersyncd release p-1", Users: 4, Examples: []string{"a@x.org", "b@x.org", "c@x.org"},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	s.want(t, 23*time.Hour, "nothing new")
	s.want(t, 2*time.Hour, "a day later", "held reminder")
	if !strings.HasPrefix(s.last().Text, "It has lasted 24 hours. ") {
		t.Error(s.last().Text)
	}
	s.st.Holds, s.st.Held = holds("p-1", "p-2"), 8
	s.want(t, time.Minute, "another hold", "held firing")
	if s.last().Fix != "If the change is intended: usersyncd release p-2" || s.last().ID != m.ID {
		t.Errorf("%+v", s.last())
	}
	s.st.Holds, s.st.Held = holds("p-2"), 4
	s.want(t, 10*time.Minute, "one is released")
	s.st.Holds, s.st.Held = nil, 0
	s.want(t, 10*time.Minute, "so is the other", "held resolved")
	if s.last().ID != m.ID || s.last().Title != "Resolved: no users are held" {
		t.Errorf("%+v", s.last())
	}
	s.st.Holds, s.st.Held = holds("p-1"), 4
	s.want(t, 10*time.Minute, "it is back", "held firing")
	if s.last().ID == m.ID {
		t.Error("a new incident has the id of the old one")
	}
}

func TestWhatLastsSecondsIsNotTold(t *testing.T) {
	s := newStory(t)
	for range 60 {
		s.st.Holds, s.st.Held, s.st.CredentialsDead = holds("p-1"), 4, true
		s.fails("a@x.org")
		s.want(t, groupWait-pollInterval, "it comes")
		s.st.Holds, s.st.Held, s.st.CredentialsDead = nil, 0, false
		s.fails()
		s.want(t, 2*time.Minute, "it is gone")
	}
}

func TestAnEarlyEndIsNoRecovery(t *testing.T) {
	s := newStory(t)
	s.st.Holds, s.st.Held = holds("p-1"), 4
	s.want(t, time.Minute, "held", "held firing")
	// The passes do not come to the guard any more: that nothing is held cannot be said.
	s.broken, s.st.Holds, s.st.Held, s.st.CredentialsDead, s.st.Error = true, nil, 0, true, "401 invalid_client"
	s.want(t, time.Hour, "credentials", "credentials firing")
	if m := s.last(); m.At.Sub(s.now) > -59*time.Minute || !strings.HasSuffix(m.Text, "401 invalid_client") {
		t.Errorf("late, or without the reason: %+v", m)
	}
	s.broken, s.st.CredentialsDead, s.st.Error = false, false, ""
	s.want(t, 10*time.Minute, "all is well", "held resolved", "credentials resolved")
}

func TestFailuresComeInGroups(t *testing.T) {
	s := newStory(t)
	s.fails("a@x.org", "b@x.org", "c@x.org", "d@x.org", "e@x.org")
	s.want(t, 10*time.Minute, "five users fail", "failing firing")
	if diff := cmp.Diff([]string{"a@x.org (users/x.yaml:3): phone is wrong", "b@x.org (users/x.yaml:4): phone is wrong", "c@x.org (users/x.yaml:5): phone is wrong"}, s.last().Examples); diff != "" {
		t.Error(diff)
	}
	var more []string
	for i := range 60 { // one by one, for an hour
		more = append(more, fmt.Sprintf("more%d@x.org", i))
		s.fails(append(more, "a@x.org", "b@x.org", "c@x.org", "d@x.org", "e@x.org")...)
		s.lasts(time.Minute)
	}
	if n := len(s.told); n < 4 || n > 6 {
		t.Errorf("%d messages in an hour, not one in a quarter of an hour", n)
	}
	if m := s.told[1]; !strings.Contains(m.Title, "of them new") || m.Examples[0] != "more0@x.org (users/x.yaml:3): phone is wrong" {
		t.Errorf("%+v", m)
	}
	s.fails()
	s.want(t, 10*time.Minute, "all is well", "failing resolved")
}

// A status lists the first failures only: all are counted, and that others are first now is no recovery.
func TestMoreFailuresThanAreListed(t *testing.T) {
	s := newStory(t)
	s.fails("a@x.org")
	s.st.Failed = 20
	s.want(t, time.Hour, "twenty", "failing firing")
	if m := s.last(); m.Users != 20 || m.Title != "20 users fail" {
		t.Errorf("%+v", m)
	}
	s.fails("b@x.org")
	s.st.Failed = 20
	s.want(t, time.Hour, "another one is first", "failing firing")
	if m := s.last(); m.Users != 20 || m.Title != "20 users fail, 1 of them new" {
		t.Errorf("%+v", m)
	}
}

// A user who fails now and then, beside one who always does, is told once a day.
func TestOneThatComesAndGoes(t *testing.T) {
	s := newStory(t)
	for range 24 * 6 {
		s.fails("a@x.org", "b@x.org")
		s.lasts(5 * time.Minute)
		s.fails("a@x.org")
		s.lasts(5 * time.Minute)
	}
	if len(s.told) > 2 {
		t.Errorf("%d messages, such as %+v", len(s.told), s.told[1])
	}
}

func TestFlappingIsDamped(t *testing.T) {
	s := newStory(t)
	for range 12 * 12 { // half a day, with a hold that lasts 2 of 5 minutes
		s.st.Holds, s.st.Held = holds("p-1"), 4
		s.lasts(2 * time.Minute)
		s.st.Holds, s.st.Held = nil, 0
		s.lasts(3 * time.Minute)
	}
	if len(s.told) > 12 {
		t.Errorf("%d messages", len(s.told))
	}
	s.lasts(time.Hour + time.Minute)
	if s.last().Status != resolved {
		t.Errorf("the last word is %+v", s.last())
	}
}

// Whatever happens: an incident begins with a firing that is no reminder, has one end at most, and nothing
// after it; two of its messages are at least groupInterval apart, and reminders the repeat interval; what was told
// is not told again in the same incident unless it was gone; and when all has been well for long enough, everything
// is resolved.
func TestGroupsKeepTheirRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t)
		s.n.opts.RepeatInterval = rapid.SampledFrom([]time.Duration{0, time.Hour, 24 * time.Hour}).Draw(t, "repeat")
		flag := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
		present, gone := map[string]time.Time{}, map[string][]time.Time{} // when a hold was last, and when it had been absent for long
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			s.broken = flag("broken")
			s.st.CredentialsDead, s.st.Error, s.st.Stuck = s.broken && flag("dead"), "", ""
			if s.broken {
				s.st.Error = "an error"
			}
			if flag("stuck") {
				s.st.Stuck = "stuck"
			}
			s.fails(subset(t, "failing", "a@x.org", "b@x.org", "c@x.org")...)
			s.st.Quarantined = rapid.IntRange(0, 3).Draw(t, "unlisted")
			s.st.Holds = holds(subset(t, "held", "p-1", "p-2")...)
			s.st.Held = 4 * len(s.st.Holds)
			s.lasts(rapid.SampledFrom([]time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 20 * time.Minute, 80 * time.Minute}).Draw(t, "lasts"))
			for _, h := range s.st.Holds {
				present[h.ID] = s.now
			}
			for id, at := range present {
				if s.now.Sub(at) > resolveTimeout {
					gone[id] = append(gone[id], s.now)
				}
			}
		}
		s.broken, s.st.CredentialsDead, s.st.Error, s.st.Stuck, s.st.Quarantined, s.st.Held, s.st.Holds = false, false, "", "", 0, 0, nil
		s.fails()
		s.lasts(groupInterval + resolveTimeout + time.Minute)

		open, ended, lastOf := map[string]string{}, map[string]bool{}, map[string]Message{}
		released := map[string]time.Time{} // when an incident told a hold last
		for _, m := range s.told {
			last, known := lastOf[m.ID]
			switch {
			case ended[m.ID]:
				t.Fatalf("after its end: %+v", m)
			case !known && (m.Status != firing || m.Reminder):
				t.Fatalf("begins so: %+v", m)
			case m.Reminder && (s.n.opts.RepeatInterval == 0 || m.At.Sub(last.At) < s.n.opts.RepeatInterval):
				t.Fatalf("a reminder %s after the last message: %+v", m.At.Sub(last.At), m)
			case known && m.At.Sub(last.At) < groupInterval:
				t.Fatalf("%s after the last one: %+v", m.At.Sub(last.At), m)
			}
			if m.Kind == "held" && m.Status == firing {
				for _, id := range []string{"p-1", "p-2"} {
					if !strings.Contains(m.Fix, id) {
						continue
					}
					told, ok := released[m.ID+id]
					back := slices.ContainsFunc(gone[id], func(at time.Time) bool { return at.After(told) && at.Before(m.At) })
					if ok && !m.Reminder && !back {
						t.Fatalf("%s is told again after %s: %+v", id, m.At.Sub(told), m)
					}
					released[m.ID+id] = m.At
				}
			}
			lastOf[m.ID], ended[m.ID] = m, m.Status == resolved
			if open[m.Kind] = m.ID; ended[m.ID] {
				delete(open, m.Kind)
			}
		}
		if len(open) > 0 {
			t.Fatalf("all is well, and not resolved: %v", slices.Collect(maps.Keys(open)))
		}
	})
}

func subset(t *rapid.T, label string, of ...string) []string {
	var some []string
	for _, s := range of {
		if rapid.Bool().Draw(t, label+" "+s) {
			some = append(some, s)
		}
	}
	return some
}
