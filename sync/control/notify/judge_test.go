package notify

import (
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

// A story shows a judge a status every five seconds. Unless broken, a pass ends well every minute.
type story struct {
	judge  judge
	now    time.Time
	st     control.Status
	broken bool
	told   []Message
}

func newStory() *story {
	return &story{
		judge: judge{repeat: 24 * time.Hour, details: true}, now: began(),
		st: control.Status{Started: began(), Success: began(), Dir: "/srv/users", API: "https://api.example.com", Head: "abc"},
	}
}

// lasts lets time go by, and returns what is told meanwhile as "kind status".
func (s *story) lasts(d time.Duration) []string {
	from := len(s.told)
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(lookEvery)
		if !s.broken && s.now.Sub(s.st.Success) >= time.Minute {
			s.st.Success = s.now
		}
		s.st.Now = s.now
		st := s.st
		s.told = append(s.told, s.judge.look(&st)...)
	}
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

func held(ids ...string) []plan.Hold {
	var holds []plan.Hold
	for _, id := range ids {
		holds = append(holds, plan.Hold{ID: id, Guard: "max-removals", Users: []string{"a@x.org", "b@x.org", "c@x.org", "d@x.org"}, Reason: "4 removals, and 2 are allowed"})
	}
	return holds
}

func (s *story) fails(emails ...string) {
	s.st.Failures = nil
	for i, e := range emails {
		s.st.Failures = append(s.st.Failures, usersync.Failure{Email: e, File: "users/x.yaml", Line: 3 + i, Status: 400, Message: "phone is wrong"})
	}
	s.st.Failed = len(emails)
}

func TestHeldIsToldOnceAndWhenItIsOver(t *testing.T) {
	s := newStory()
	s.want(t, time.Hour, "all is well")
	s.st.Holds, s.st.Held = held("p-1"), 4
	s.want(t, 20*time.Second, "it has not lasted")
	s.want(t, 20*time.Second, "it lasts", "held firing")
	m := s.last()
	want := Message{
		Schema: "usersyncd.notification/v1", ID: m.ID, Kind: "held", Status: "firing", At: m.At, API: "https://api.example.com", Dir: "/srv/users", Revision: "abc",
		Title: "4 users are held back by a guard", Text: "The others go on. max-removals holds 4 users: 4 removals, and 2 are allowed.",
		Fix: "If it is meant: usersyncd release p-1", Users: 4, Examples: []string{"a@x.org", "b@x.org", "c@x.org"},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	s.want(t, 23*time.Hour, "nothing new")
	s.want(t, 2*time.Hour, "a day later", "held reminder")
	if !strings.HasPrefix(s.last().Text, "It has lasted 24 h. ") {
		t.Error(s.last().Text)
	}
	s.st.Holds, s.st.Held = held("p-1", "p-2"), 8
	s.want(t, time.Minute, "another hold", "held firing")
	if s.last().Fix != "If it is meant: usersyncd release p-2" || s.last().ID != m.ID {
		t.Errorf("%+v", s.last())
	}
	s.st.Holds, s.st.Held = held("p-2"), 4
	s.want(t, 10*time.Minute, "one is released")
	s.st.Holds, s.st.Held = nil, 0
	s.want(t, 10*time.Minute, "so is the other", "held resolved")
	if s.last().ID != m.ID || s.last().Title != "Over: nothing is held any more" {
		t.Errorf("%+v", s.last())
	}
	s.st.Holds, s.st.Held = held("p-1"), 4
	s.want(t, 10*time.Minute, "it is back", "held firing")
	if s.last().ID == m.ID {
		t.Error("a new incident has the id of the old one")
	}
}

func TestAnEarlyEndIsNoRecovery(t *testing.T) {
	s := newStory()
	s.st.Holds, s.st.Held = held("p-1"), 4
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
	s := newStory()
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

// A status lists the first failures only. That others are first now is no recovery, and twice as many are news.
func TestMoreFailuresThanAreListed(t *testing.T) {
	s := newStory()
	s.fails("a@x.org")
	s.st.Failed = 20
	s.want(t, time.Hour, "twenty", "failing firing")
	s.st.Failed = 39
	s.want(t, time.Hour, "not twice as many")
	s.st.Failed = 40
	s.want(t, time.Hour, "twice as many", "failing firing")
	if s.last().Users != 40 {
		t.Errorf("%+v", s.last())
	}
}

// A user who fails now and then, beside one who always does, is told once a day.
func TestOneThatComesAndGoes(t *testing.T) {
	s := newStory()
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
	s := newStory()
	for range 12 * 12 { // half a day, with a hold that lasts 2 of 5 minutes
		s.st.Holds, s.st.Held = held("p-1"), 4
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
// after it; reminders keep their distance; what was told is not told again in the same incident; kinds with
// many items keep theirs; and when all has been well for long enough, everything is resolved.
func TestJudgeKeepsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory()
		s.judge.repeat = rapid.SampledFrom([]time.Duration{0, time.Hour, 24 * time.Hour}).Draw(t, "repeat")
		flag := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
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
			s.st.Holds = held(subset(t, "held", "p-1", "p-2")...)
			s.st.Held = 4 * len(s.st.Holds)
			s.lasts(rapid.SampledFrom([]time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 20 * time.Minute, 80 * time.Minute}).Draw(t, "lasts"))
		}
		s.broken, s.st.CredentialsDead, s.st.Error, s.st.Stuck, s.st.Quarantined, s.st.Held, s.st.Holds = false, false, "", "", 0, 0, nil
		s.fails()
		s.lasts(longestGone + 2*time.Minute)

		open, ended, lastOf := map[string]string{}, map[string]bool{}, map[string]Message{}
		released := map[string]time.Time{} // when an incident told a hold last
		for _, m := range s.told {
			last, known := lastOf[m.ID]
			switch {
			case ended[m.ID]:
				t.Fatalf("after its end: %+v", m)
			case !known && (m.Status != firing || m.Reminder):
				t.Fatalf("begins so: %+v", m)
			case m.Reminder && (s.judge.repeat == 0 || m.At.Sub(last.At) < s.judge.repeat):
				t.Fatalf("a reminder %s after the last message: %+v", m.At.Sub(last.At), m)
			case known && m.Kind == "failing" && m.Status == firing && m.At.Sub(last.At) < gather:
				t.Fatalf("%s after the last one: %+v", m.At.Sub(last.At), m)
			}
			if m.Kind == "held" && m.Status == firing {
				for _, id := range []string{"p-1", "p-2"} {
					if !strings.Contains(m.Fix, id) {
						continue
					}
					if at, ok := released[m.ID+id]; ok && (s.judge.repeat == 0 || m.At.Sub(at) < s.judge.repeat) {
						t.Fatalf("%s is told again after %s: %+v", id, m.At.Sub(at), m)
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

func TestQuota(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q quota
		var sent []time.Time
		now, in, out, folded := began(), 0, 0, 0
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			now = now.Add(rapid.SampledFrom([]time.Duration{5 * time.Second, time.Minute, 11 * time.Minute}).Draw(t, "pause"))
			n := rapid.IntRange(0, 6).Draw(t, "messages")
			in += n
			for _, m := range q.take(now, make([]Message, n)) {
				sent = append(sent, now)
				if m.Kind != kindMore {
					out++
					continue
				}
				var k int
				if _, err := fmt.Sscanf(m.Title, "%d more", &k); err != nil || k < 1 {
					t.Fatalf("%q: %v", m.Title, err)
				}
				folded += k
			}
			for i, at := range sent {
				if i >= quotaMessages && at.Sub(sent[i-quotaMessages]) < quotaSpan {
					t.Fatalf("%d messages in %s", quotaMessages+1, at.Sub(sent[i-quotaMessages]))
				}
			}
		}
		for _, m := range q.take(now.Add(quotaSpan), nil) {
			var k int
			_, _ = fmt.Sscanf(m.Title, "%d more", &k)
			folded += k
		}
		if in != out+folded {
			t.Fatalf("%d messages: %d sent, %d told of", in, out, folded)
		}
	})
}
