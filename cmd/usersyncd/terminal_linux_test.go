package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/sync/genesys/sim"
)

// openTerminal returns the two ends of a pseudo-terminal of some width: a person's, and a program's.
func openTerminal(t *testing.T, columns uint16) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return person, program
}

// Whether text has colors is decided by the first rule that says something, for each stream by itself: here one is a terminal, and
// the other a file.
func TestColors(t *testing.T) {
	_, terminal := openTerminal(t, 80)
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	for _, test := range []struct {
		color, environment    string
		onTerminal, elsewhere bool
	}{
		// 1 --color
		{"always", "NO_COLOR=1 CLICOLOR=0 TERM=dumb", true, true},
		{"never", "CLICOLOR_FORCE=1 FORCE_COLOR=1 TERM=xterm", false, false},
		// 2 NO_COLOR
		{"auto", "NO_COLOR=1 TERM=xterm", false, false},
		{"auto", "NO_COLOR=1 CLICOLOR_FORCE=1 FORCE_COLOR=1", false, false},
		{"auto", "NO_COLOR=0 FORCE_COLOR=1", false, false},
		{"auto", "NO_COLOR= TERM=xterm", true, false},
		// 3 CLICOLOR_FORCE, FORCE_COLOR
		{"auto", "CLICOLOR_FORCE=1 CLICOLOR=0", true, true},
		{"auto", "FORCE_COLOR=1 TERM=dumb", true, true},
		{"auto", "FORCE_COLOR=0 CLICOLOR_FORCE=1", true, true},
		{"auto", "FORCE_COLOR=0 CLICOLOR_FORCE=0", true, false},
		// 4 CLICOLOR, TERM
		{"auto", "CLICOLOR=0 TERM=xterm", false, false},
		{"auto", "CLICOLOR=1 TERM=dumb", false, false},
		{"auto", "CLICOLOR=1 TERM=xterm", true, false},
		// 5 is it a terminal?
		{"auto", "", true, false},
	} {
		environment := map[string]string{}
		for variable := range strings.FieldsSeq(test.environment) {
			name, value, _ := strings.Cut(variable, "=")
			environment[name] = value
		}
		c := config.New(func(name string) (string, bool) { v, ok := environment[name]; return v, ok })
		c.Color = test.color
		for _, streams := range []process{{stdout: terminal, stderr: file}, {stdout: file, stderr: terminal}} {
			for _, w := range []io.Writer{streams.stdout, streams.stderr} {
				want := test.elsewhere
				if w == terminal {
					want = test.onTerminal
				}
				if got := colored(c, w); got != want {
					t.Errorf("--color %s, %s: %v, terminal: %v", test.color, test.environment, got, w == terminal)
				}
			}
		}
	}
}

// screenOf runs the program with stderr on a terminal, and returns its stdout and what the person saw. No line may be so long that
// the terminal wraps it, which could not be cleared.
func screenOf(r *running, columns uint16, args ...string) (stdout, seen string, code int) {
	r.Helper()
	person, program := openTerminal(r.T, columns)
	cmd := exec.Command("usersyncd", append(args, r.specs)...)
	cmd.Env, cmd.Dir = append(r.env, "TERM=xterm"), r.TempDir()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, program
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	_ = program.Close() // now the program has the only one, and reading ends with it
	data := make(chan string)
	go func() {
		all, _ := io.ReadAll(person) // ends with EIO
		data <- string(all)
	}()
	seen = <-data
	if err := cmd.Wait(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			r.Fatal(err)
		}
	}
	for _, line := range strings.FieldsFunc(escape.ReplaceAllString(seen, ""), func(c rune) bool { return c == '\r' || c == '\n' }) {
		if len(line) >= int(columns) {
			r.Errorf("a line of %d characters on %d columns: %q", len(line), columns, line)
		}
	}
	return out.String(), seen, cmd.ProcessState.ExitCode()
}

var escape = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// left returns what a terminal shows at the end: a carriage return lets the next text cover the line,
// ESC [2K empties it, and ESC [0K what is behind the cursor.
func left(seen string) string {
	seen = strings.NewReplacer("\x1b[2K", "\x00", "\x1b[0K", "\x01").Replace(seen)
	var screen strings.Builder
	for line := range strings.SplitSeq(escape.ReplaceAllString(seen, ""), "\n") {
		shown := []rune{}
		for text := range strings.SplitSeq(line, "\r") {
			if before, after, empties := strings.Cut(text, "\x00"); empties {
				shown, text = nil, strings.Repeat(" ", len(before))+after
			}
			over := []rune(strings.TrimSuffix(text, "\x01"))
			if strings.HasSuffix(text, "\x01") {
				shown = over
			} else {
				shown = append(over, shown[min(len(over), len(shown)):]...)
			}
		}
		screen.WriteString(strings.TrimRight(string(shown), " ") + "\n")
	}
	return screen.String()
}

// Typed alone it is a question, which the help answers with examples. In a pipe, or as a service, it is a mistake.
func TestTypedAlone(t *testing.T) {
	for _, args := range [][]string{nil, {"--once"}} {
		person, program := openTerminal(t, 80)
		cmd := exec.Command("usersyncd", args...)
		cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(os.Environ(), "HOME="+t.TempDir(), "USERSYNCD_DIR="), t.TempDir(), program, program
		err := cmd.Start()
		if err != nil {
			t.Fatal(err)
		}
		_ = program.Close()
		seen, _ := io.ReadAll(person) // ends with EIO
		err = cmd.Wait()
		help := strings.Contains(string(seen), "  usersyncd demo  ") && strings.Contains(string(seen), "  usersyncd plan ./users  ")
		if alone := args == nil; help != alone || alone != (err == nil) || !alone && !strings.Contains(string(seen), "no directory of specs") {
			t.Errorf("%q: %v\n%s", args, err, seen)
		}
	}
}

// A person sees a bar with all that matters, and nothing of it at the end. What has failed is in the result.
func TestBar(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 8, Latency: 200 * time.Millisecond})
	for _, u := range r.sim.Users() {
		r.declare(u.Email, "Moved")
	}
	r.sim.AddFault(sim.Fault{Method: "PATCH", User: mei, Effect: sim.Status, Code: 400})
	stdout, seen, code := screenOf(r, 100, "--once") // room for the bar beside a failure, whenever that comes
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"reading the organization: ", "/8 users, ", " calls/s, ", " left", " calls to go", "% [###"} {
		if !strings.Contains(seen, want) {
			t.Errorf("the terminal does not show %q", want)
		}
	}
	if strings.Contains(seen, "user ") {
		t.Error("the log repeats what the bar shows")
	}
	if left := strings.TrimSpace(left(seen)); left != "" {
		t.Errorf("at the end the terminal shows %q", left)
	}
	if strings.ContainsAny(stdout, "\x1b\r") || !strings.HasSuffix(stdout, "s\n") || strings.Count(stdout, mei) != 1 {
		t.Errorf("stdout: %q", stdout)
	}
	if t.Failed() {
		t.Logf("%q", seen)
	}
}

// plan shows that it reads, and colours only if the terminal can.
func TestBarOfPlan(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 3, Latency: 250 * time.Millisecond})
	stdout, seen, code := screenOf(r, 40, "plan")
	if code != 0 || !strings.Contains(seen, "reading the organization") || !strings.Contains(stdout, "nothing to do, 3 unchanged") {
		t.Errorf("exit code %d, %q, %q", code, stdout, seen)
	}
}
