package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
)

// planOf takes the id of a plan out of what rollback prints.
func planOf(t *testing.T, text string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\nPlan ")
	id, _, _ := strings.Cut(rest, ":")
	if !found {
		t.Fatalf("there is no plan in\n%s", text)
	}
	return id
}

// moved applies a bad commit, and returns its revision.
func (r *running) moved() string {
	r.Helper()
	r.settled()
	r.moveAll("Bad")
	r.told(0, "sync")
	r.told(0, "sync")
	return r.settled().Revision
}

// A rollback that is agreed to ends the pass that still writes the bad commit, and takes back what it wrote. One
// that is not, as the plan is another one, leaves everything as it was: that a pass was paused, or that none was.
func TestRollbackDuringAPass(t *testing.T) {
	const users = 40
	r := newRunning(t, sim.Options{Users: users})
	r.start("--log-format=json", "--resync-interval=1h", "--max-in-flight=2")
	r.settled()

	// A first bad commit, fully applied, and what is refused.
	first := r.sim.Users()[0].Email
	r.declare(first, "Wrong")
	r.waitFor("the edit", func() bool { return r.title(first) == "Wrong" })
	s := r.settled()
	if a := r.told(exitFatal, "rollback", "--revision", s.Revision, "--confirm", "p-0123"); !strings.Contains(a.err, "nothing was written") {
		t.Errorf("another plan: %s", a.err)
	}
	if s := r.settled(); s.Paused != nil {
		t.Errorf("nothing was paused before, and now: %+v", s.Paused)
	}
	r.told(0, "pause", "--reason", "mine")
	r.told(exitFatal, "rollback", "--revision", s.Revision, "--confirm", "p-0123")
	if s := r.settled(); s.Paused == nil || s.Paused.Reason != "mine" {
		t.Errorf("it was paused before, and now: %+v", s.Paused)
	}
	r.told(0, "resume")
	r.told(exitUsage, "rollback", "--revision", "fffffff0")
	r.told(exitUsage, "rollback", "--revision", "f")

	// A second one, which is still being written.
	since := time.Now().UTC().Add(-time.Hour).Format(time.RFC3339)
	r.slowly()
	r.moveAll("Bad")
	r.waitFor("the pass is on its way", func() bool { return r.patches(200) >= 4 })
	r.told(0, "pause")
	r.waitFor("the pass has ended", func() bool { s, _ := r.status(); return s.Phase == usersync.PhaseIdle && s.Pending > 0 })
	plan := planOf(t, r.told(0, "rollback", "--since", since).out)
	r.told(0, "resume")
	r.waitFor("the pass goes on", func() bool { s, _ := r.status(); return s.Phase == usersync.PhaseApply && s.Done > 0 })
	a := r.told(exitFatal, "rollback", "--since", since, "--confirm", plan) // more was written since the plan
	_, moved, _ := strings.Cut(a.err, "changed since: ")
	moved, _, _ = strings.Cut(moved, ";")
	if !strings.HasPrefix(moved, "p-") || moved == plan {
		t.Fatalf("the plan is another one: %s", a.err)
	}
}

// The daemon ends the pass, restores what it wrote, and stays paused until somebody resumes.
func TestRollbackEndsThePass(t *testing.T) {
	const users, bad = 60, 30
	r := newRunning(t, sim.Options{Users: users})
	r.start("--log-format=json", "--resync-interval=1h", "--max-in-flight=2")
	r.settled()
	before := map[string]string{}
	for _, u := range r.sim.Users() {
		before[u.Email] = u.Title
	}
	// What is undone is a first commit, of some of the users; the pass under way is of a later one, of the others.
	for _, u := range r.sim.Users()[:bad] {
		r.declare(u.Email, "Bad")
	}
	r.told(0, "sync")
	r.told(0, "sync")
	s := r.settled()
	plan := planOf(t, r.told(0, "rollback", "--revision", s.Revision).out)
	written := r.patches()
	r.slowly()
	for _, u := range r.sim.Users()[bad:] {
		r.declare(u.Email, "Next")
	}
	r.waitFor("the next pass is on its way", func() bool { return r.patches(200) >= written+3 })
	rollback := r.begin("rollback", "--revision", s.Revision, "--confirm", plan)
	r.waitFor("the pass is to end", func() bool { s, _ := r.status(); return s.Paused != nil })
	r.sim.ClearFaults()
	if a := <-rollback; a.code != 0 || !strings.Contains(a.out, "usersyncd resume") {
		t.Errorf("exit code %d, it says\n%s%s", a.code, a.out, a.err)
	}
	for _, u := range r.sim.Users()[:bad] {
		if r.title(u.Email) != before[u.Email] {
			t.Errorf("%s has the title %q, not %q", u.Email, r.title(u.Email), before[u.Email])
		}
	}
	next := 0
	for _, u := range r.sim.Users()[bad:] {
		if u.Title == "Next" {
			next++
		}
	}
	if next == 0 || next == users-bad {
		t.Errorf("%d of %d were written by the pass that was to be ended", next, users-bad)
	}
	if s := r.settled(); s.Paused == nil || !s.Paused.Rollback {
		t.Errorf("the pause is %+v", s.Paused)
	}
	if a := r.told(0, "history", "--limit", "1"); !strings.Contains(a.out, "rollback of ") {
		t.Errorf("the history says\n%s", a.out)
	}
	r.quiet()
}

// Whoever confirms a rollback and gives up waiting has still confirmed it: it goes on, and the passes stay paused.
func TestRollbackOutlivesWhoAsked(t *testing.T) {
	const users = 40
	r := newRunning(t, sim.Options{Users: users})
	r.start("--log-format=json", "--resync-interval=1h", "--max-in-flight=2")
	head := r.moved()
	plan := planOf(t, r.told(0, "rollback", "--revision", head).out)
	written := r.patches()
	r.slowly()
	cmd := exec.Command("usersyncd", "rollback", "--revision", head, "--confirm", plan)
	cmd.Env = r.env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.waitFor("it is on its way", func() bool { return r.patches(200) >= written+3 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	r.sim.ClearFaults()
	r.waitFor("it has ended", func() bool { return r.lines("rollback") == 2 })
	if s := r.settled(); s.Paused == nil {
		t.Error("the passes are not paused any more")
	}
	for _, u := range r.sim.Users() {
		if u.Title == "Bad" {
			t.Errorf("%s is as the bad commit left it", u.Email)
		}
	}
}

// A pause ends a rollback that is under way, which says so, and another one beside it is refused.
func TestARollbackIsPaused(t *testing.T) {
	const users = 40
	r := newRunning(t, sim.Options{Users: users})
	r.start("--log-format=json", "--resync-interval=1h", "--max-in-flight=2")
	head := r.moved()
	plan := planOf(t, r.told(0, "rollback", "--revision", head).out)
	written := r.patches()
	r.slowly()
	first := r.begin("rollback", "--revision", head, "--confirm", plan)
	r.waitFor("it is on its way", func() bool { return r.patches(200) >= written+3 })
	if a := r.told(exitFatal, "rollback", "--revision", head, "--confirm", plan); !strings.Contains(a.err, "a rollback is under way") {
		t.Errorf("a second one: %s", a.err)
	}
	if a := r.told(exitFatal, "resume"); !strings.Contains(a.err, "a rollback is under way") {
		t.Errorf("resume: %s", a.err)
	}
	if s, _ := r.status(); s.Pending == 0 || s.InSync+s.Pending > s.Users {
		t.Errorf("meanwhile %d of %d are in sync and %d pending", s.InSync, s.Users, s.Pending)
	}
	r.told(0, "pause", "--reason", "stop that")
	a := <-first
	if a.code == 0 || !strings.Contains(a.err, "a pause ended the rollback") {
		t.Errorf("exit code %d: %s", a.code, a.err)
	}
	still := 0
	for _, u := range r.sim.Users() {
		if u.Title == "Bad" {
			still++
		}
	}
	if still == 0 || still == users {
		t.Errorf("%d of %d are as the bad commit left them", still, users)
	}
	if s := r.settled(); s.Paused == nil || s.Paused.Reason != "rollback of "+spec.ShortRevision(head)+"; stop that" {
		t.Errorf("the pause is %+v", s.Paused)
	}
}

// A rollback with nothing to write leaves the daemon as it was, and says nothing of a pause.
func TestARollbackOfNothing(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 4})
	r.start("--log-format=json", "--resync-interval=1h")
	head := r.moved()
	for _, u := range r.sim.Users() {
		r.sim.Edit(u.Email, func(u *sim.User) { u.Title = "By hand" })
	}
	var plan struct{ Plan string } // as text a plan that does nothing has no id
	if err := json.Unmarshal([]byte(r.told(0, "rollback", "--revision", head, "--output", "json").out), &plan); err != nil || plan.Plan == "" {
		t.Fatalf("%v: %+v", err, plan)
	}
	if a := r.told(0, "rollback", "--revision", head, "--confirm", plan.Plan); strings.Contains(a.out, "Paused") {
		t.Errorf("it says\n%s", a.out)
	}
	if s := r.settled(); s.Paused != nil {
		t.Errorf("paused: %+v", s.Paused)
	}
}

// What a guard holds of a rollback is released through the daemon as anything else, whatever passes are made
// meanwhile. The reason for which it was paused before is still there afterwards.
func TestReleaseOfARollback(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 3})
	for _, u := range r.sim.Users() {
		r.sim.Edit(u.Email, func(u *sim.User) { u.State = "inactive" })
		write(t, specPath(r.specs, u), "email: "+u.Email+"\nstate: active\n")
	}
	r.start("--log-format=json", "--resync-interval=1h", "--max-deactivations=0%,0")
	r.settled()
	s := r.settled()
	r.told(0, "pause", "--reason", "incident 4711")
	held := r.told(0, "rollback", "--revision", s.Revision).out
	_, id, found := strings.Cut(held, "usersyncd release ")
	id = id[:min(len(id), len("p-01234567"))]
	if !found || !strings.Contains(held, ": 3 held\n") {
		t.Fatalf("nothing is held of it:\n%s", held)
	}
	r.told(exitUsage, "release", "p-01234567")
	if a := r.told(0, "release", "--output=json", id); !strings.Contains(a.out, `"message": "Released: 3 users, held by --max-deactivations. Plan the rollback again."`) ||
		!strings.Contains(a.out, `"guard": "max-deactivations"`) {
		t.Errorf("it says\n%s", a.out)
	}
	r.told(0, "sync") // nothing is to be done
	plan := planOf(t, r.told(0, "rollback", "--revision", s.Revision).out)
	r.told(0, "rollback", "--revision", s.Revision, "--confirm", plan)
	for _, u := range r.sim.Users() {
		if u.State != "inactive" {
			t.Errorf("%s is %s", u.Email, u.State)
		}
	}
	if s := r.settled(); s.Paused == nil || !s.Paused.Rollback || !strings.Contains(s.Paused.Reason, "incident 4711") {
		t.Errorf("the pause is %+v", s.Paused)
	}
}

// sync over specs with problems ends as --once does, and the next pass is told as a time to come.
func TestSyncOverProblems(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 4})
	r.start("--log-format=json", "--resync-interval=1h")
	r.settled()
	if s := r.settled(); s.Next.Before(s.Now) || s.Next.Sub(s.Now) > time.Hour {
		t.Errorf("it is %s, and the next pass is due at %s", s.Now, s.Next)
	}
	write(t, r.specs+"/broken.yaml", "emial: x\n")
	r.told(exitInvalid, "sync")
	r.told(exitInvalid, "sync")
}

// What comes from elsewhere cannot move a cursor, in an error either.
func TestErrorTextIsVisible(t *testing.T) {
	got := errorText(usage("the API says \x1b[31m\"no\"\u202e\nC:\\x\tü"))
	if want := "the API says \\x1b[31m\"no\"\\u202e\nC:\\x\\tü"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}
