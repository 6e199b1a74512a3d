package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"usersyncd/sync/genesys/sim"
)

// An asked is usersyncd apply on a terminal, with a person who reads and types.
type asked struct {
	*running
	cmd    *exec.Cmd
	person *os.File
	stdout strings.Builder
	seen   string
}

func (r *running) apply(args ...string) *asked {
	r.Helper()
	person, program := openTerminal(r.T, 120)
	a := &asked{running: r, person: person, cmd: exec.Command("usersyncd", append([]string{"apply"}, args...)...)}
	a.cmd.Env, a.cmd.Dir = append(r.env, "TERM=xterm"), r.TempDir()
	a.cmd.Stdin, a.cmd.Stdout, a.cmd.Stderr = program, &a.stdout, program
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := a.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	_ = program.Close()
	return a
}

// reads reads until the terminal shows a text that matches, and has not been read before.
func (a *asked) reads(want string) {
	a.Helper()
	pattern := regexp.MustCompile(want)
	from := len(a.seen)
	for buffer := make([]byte, 1000); !pattern.MatchString(a.seen[from:]); {
		n, err := a.person.Read(buffer)
		if a.seen += string(buffer[:n]); err != nil {
			a.Fatalf("%s does not appear: %v\n%s", want, err, a.seen)
		}
	}
}

func (a *asked) types(text string) {
	a.Helper()
	if _, err := a.person.WriteString(text); err != nil {
		a.Fatal(err)
	}
}

// ends reads the rest, and returns the exit code.
func (a *asked) ends() int {
	a.Helper()
	for buffer := make([]byte, 1000); ; { // ends with EIO
		n, err := a.person.Read(buffer)
		if a.seen += string(buffer[:n]); err != nil {
			break
		}
	}
	if err := a.cmd.Wait(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			a.Fatal(err)
		}
	}
	return a.cmd.ProcessState.ExitCode()
}

const question = `Apply these \d+ changes to "Example Contact Centre"\? Only "yes" is taken: `

// It shows the plan, asks, and does it when the answer is yes.
func TestApplyAsks(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	users := r.sim.Users()
	for _, u := range users[:2] {
		r.declare(u.Email, "Moved")
	}
	for _, answer := range []string{"\n", "y\n", "2\n", "no\n", "\x04", "\x03"} {
		a := r.apply(r.specs)
		a.reads(question)
		a.types(answer)
		if code := a.ends(); code != exitFatal || !strings.Contains(a.seen, "nothing was applied") || strings.Count(a.stdout.String(), `-> "Moved"`) == 0 {
			t.Errorf("%q: exit code %d\n%s\n%s", answer, code, a.seen, a.stdout.String())
		}
	}
	if n := r.sim.Ledger().Count("PATCH /api/v2/users/{id}"); n > 0 {
		t.Fatalf("%d writes", n)
	}
	a := r.apply(r.specs)
	a.reads(question)
	a.types("yes\n")
	if code := a.ends(); code != 0 || r.title(users[0].Email) != "Moved" || !strings.Contains(a.stdout.String(), "6 users: 2 applied, 4 unchanged") {
		t.Errorf("exit code %d\n%s\n%s", code, a.seen, a.stdout.String())
	}
	a = r.apply(r.specs) // there is nothing to ask
	if code := a.ends(); code != 0 || strings.Contains(a.seen, "Apply") {
		t.Errorf("exit code %d\n%s\n%s", code, a.seen, a.stdout.String())
	}
}

// If the plan has changed before the answer, it is shown and asked about again. With --yes, which no one can ask, it ends.
func TestApplyPlansAgain(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	users := r.sim.Users()
	r.declare(users[0].Email, "Moved")
	r.declare(users[1].Email, "Moved")
	a := r.apply(r.specs)
	a.reads(question)
	r.sim.Edit(users[2].Email, func(u *sim.User) { u.Title = "By hand" })
	a.types("yes\n")
	a.reads(`The plan is p-\w+ now, not p-\w+\. It is shown again; nothing was applied\.(?s:.*)` + question)
	if n := r.sim.Ledger().Count("PATCH /api/v2/users/{id}"); n > 0 {
		t.Errorf("%d writes before the second answer", n)
	}
	a.types("yes\n")
	if code := a.ends(); code != 0 || r.title(users[0].Email) != "Moved" || r.title(users[2].Email) == "By hand" || strings.Count(a.stdout.String(), "\nPlan p-") != 2 {
		t.Errorf("exit code %d\n%s\n%s", code, a.seen, a.stdout.String())
	}
}

// While the question is open, another run may use the state file. The answer is to a plan, so what is made of it then is
// planned from what that run has left: another plan is shown again, and the same one is carried out.
func TestApplyLetsOthersRunWhileItAsks(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	users := r.sim.Users()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("usersyncd", args...)
		cmd.Env, cmd.Dir = r.env, t.TempDir()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	r.declare(users[0].Email, "Moved")
	a := r.apply(r.specs)
	a.reads(`Only "yes" is taken: `)
	run("--once", r.specs)
	a.types("yes\n")
	if code := a.ends(); code != 0 || !strings.Contains(a.seen, "The plan is empty now, not p-") || !strings.Contains(a.stdout.String(), "6 users: 0 applied, 6 unchanged") {
		t.Errorf("exit code %d\n%s\n%s", code, a.seen, a.stdout.String())
	}
	if n := r.sim.Ledger().Count("PATCH /api/v2/users/{id}"); n != 1 {
		t.Errorf("%d writes", n)
	}
	run("--once", r.specs)
	r.declare(users[1].Email, "Moved")
	a = r.apply(r.specs)
	a.reads(`Only "yes" is taken: `)
	a.types("yes\n")
	if code := a.ends(); code != 0 || r.title(users[1].Email) != "Moved" || strings.Contains(a.seen, "again") {
		t.Errorf("exit code %d\n%s\n%s", code, a.seen, a.stdout.String())
	}
	if out := run("history", users[1].Email); !strings.Contains(out, `"Moved"`) {
		t.Errorf("the change is not in the history:\n%s", out)
	}
}

// If a daemon has the state file when the answer comes, the daemon applies the specs, and apply does nothing.
func TestApplyFindsADaemon(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	user := r.sim.Users()[0].Email
	r.declare(user, "Moved")
	a := r.apply(r.specs)
	a.reads(`Only "yes" is taken: `)
	r.start()
	r.settled()
	a.types("yes\n")
	if code := a.ends(); code == 0 || !strings.Contains(a.seen, "usersyncd: nothing was applied: the usersyncd daemon (pid ") || strings.Contains(a.stdout.String(), "1 applied") {
		t.Errorf("exit code %d\n%s\n%s", code, a.seen, a.stdout.String())
	}
	if n := r.sim.Ledger().Count("PATCH /api/v2/users/{id}"); n != 1 || r.title(user) != "Moved" {
		t.Errorf("%d writes, title %s", n, r.title(user))
	}
}

// One change is asked about as one, and so are users who are no longer managed. What ends the input ends the line of the question.
func TestApplyAsksInWords(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	users := r.sim.Users()
	r.declare(users[0].Email, "Moved")
	a := r.apply(r.specs)
	a.reads(`Apply this change to "Example Contact Centre"\? Only "yes" is taken: `)
	a.types("\x04")
	if code := a.ends(); code != exitFatal || !strings.Contains(a.seen, "is taken: \r\nusersyncd: not confirmed") {
		t.Errorf("exit code %d\n%q", code, a.seen)
	}
	a = r.apply(r.specs)
	a.reads(`Only "yes" is taken: `)
	a.types("yes\n")
	if code := a.ends(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, a.seen)
	}
	for _, u := range users[:2] {
		if err := os.Remove(specPath(r.specs, u)); err != nil {
			t.Fatal(err)
		}
	}
	a = r.apply(r.specs)
	a.reads(`Apply these 2 changes to "Example Contact Centre"\? Only "yes" is taken: `)
	a.types("no\n")
	if code := a.ends(); code != exitFatal || !strings.Contains(a.stdout.String(), "No longer managed: 2 users\n") {
		t.Errorf("exit code %d\n%s\n%s", code, a.seen, a.stdout.String())
	}
}

// Ten removals are confirmed by their number.
func TestApplyAsksForTheNumber(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 30})
	users := r.sim.Users()
	r.env = append(r.env, "USERSYNCD_MAX_DEACTIVATIONS=50%,20")
	for _, u := range users[:10] {
		write(t, specPath(r.specs, u), "email: "+u.Email+"\nstate: inactive\n")
	}
	for _, answer := range []string{"yes\n", "9\n", "10\n"} {
		a := r.apply(r.specs)
		a.reads(`Apply these 10 changes to "Example Contact Centre"\? 10 of them end a user's access. Type 10 to confirm: `)
		a.types(answer)
		code, left := a.ends(), 0
		for _, u := range r.sim.Users() {
			if u.State == "inactive" {
				left++
			}
		}
		if done := answer == "10\n"; done != (code == 0) || done != (left == 10) {
			t.Errorf("%q: exit code %d, %d have left\n%s", answer, code, left, a.seen)
		}
	}
}

// While the specs have problems, it asks about the leavers alone.
func TestApplyAsksAboutLeavers(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	users := r.sim.Users()
	write(t, specPath(r.specs, users[0]), "email: "+users[0].Email+"\nstate: inactive\n")
	write(t, specPath(r.specs, users[1]), "email: "+users[1].Email+"\ntitel: Typo\n")
	for _, tt := range []struct {
		answer, state string
		code          int
	}{{"no\n", "active", exitFatal}, {"yes\n", "inactive", exitInvalid}} {
		a := r.apply(r.specs)
		a.reads(`only users with state: inactive can be deactivated until they are correct\.\s+Apply this change to "Example Contact Centre"\? Only "yes" is taken: `)
		a.types(tt.answer)
		code := a.ends()
		if u, _ := r.sim.User(users[0].Email); code != tt.code || u.State != tt.state || strings.Count(a.seen, "titel: unknown field") != 1 {
			t.Errorf("%q: exit code %d, %s is %s\n%s", tt.answer, code, u.Email, u.State, a.seen)
		}
	}
}
