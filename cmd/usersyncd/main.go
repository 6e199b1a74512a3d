// Command usersyncd keeps the users of a Genesys Cloud organization as a directory of YAML specs says.
// Run "usersyncd help", or "usersyncd demo" to see it work on a simulated organization.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/memory"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/cmd/usersyncd/internal/stream"
	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

func main() {
	memory.Limit(os.LookupEnv)
	start()
}

// start is main without the settings of the garbage collector, which tests have of their own.
func start() {
	os.Exit(run(os.Args[1:], process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, lookupEnv: os.LookupEnv, environment: os.Environ()}))
}

type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookupEnv      func(string) (string, bool)
	environment    []string          // NAME=value, to find misspelt names
	args           []string          // of the command line, for a daemon that reads its settings again
	transport      http.RoundTripper // instead of the network; nil outside tests
	end            *ending           // of the command; run has one
}

// run is main without the process: it returns the exit code.
func run(args []string, p process) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal ends the work in an orderly way; the second one ends the process.
	context.AfterFunc(ctx, stop)
	return execute(ctx, args, p)
}

// execute is run until ctx ends.
func execute(ctx context.Context, args []string, p process) int {
	p.args, p.end = args, new(ending)
	p.stdout, p.stderr = stream.New(p.stdout), stream.New(p.stderr)
	root, c := newRoot(p)
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	return p.finish(cmd, c, err)
}

// tell writes to stderr why a command has failed.
func (p process) tell(cmd *cobra.Command, err error) {
	if e := (*exitError)(nil); errors.As(err, &e) && len(e.problems.Problems) > 0 {
		printProblems(p.stderr, e.problems)
		if e.notDone != "" {
			defer fmt.Fprintln(p.stderr, "usersyncd:", e.notDone)
		}
	}
	for _, line := range p.end.Warnings().Lines() {
		fmt.Fprintln(p.stderr, "warning:", line)
	}
	if message := errorText(err); message != "" {
		fmt.Fprintln(p.stderr, "usersyncd:", message)
	}
	if exitCode(err) == exitUsage {
		if cmd.Name() == "help" {
			cmd = cmd.Root()
		}
		fmt.Fprintf(p.stderr, "Run \"%s --help\" for usage.\n", cmd.CommandPath())
	}
}

// errorText is what is left to say of an error; "" if nothing is.
func errorText(err error) string {
	var quiet *exitError
	if err == nil || errors.As(err, &quiet) && quiet.err == nil {
		return ""
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = text.Escape(line) // it may come from specs or from the API
	}
	return strings.Join(lines, "\n")
}

// Exit codes; the README and "usersyncd help" show this table.
const (
	exitDone    = 0  // success, or nothing to do
	exitFatal   = 1  // failure: credentials, API or state file
	exitChanges = 2  // plan --detailed-exitcode: there are changes
	exitInvalid = 3  // the specs are invalid
	exitHeld    = 4  // a guard holds changes, or passes are paused; the rest is applied
	exitFailed  = 5  // some users failed, or time ran out; the rest is applied
	exitUsage   = 64 // wrong usage: command line or configuration
)

// An exitError ends the program with a code. Without an error and problems inside there is nothing left to print.
type exitError struct {
	code     int
	err      error
	problems spec.ProblemList // in the specs
	notDone  string           // because of them
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return config.Errorf(format, args...) }

func exitCode(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, apply.ErrThrottled):
		return exitFailed
	case errors.Is(err, plan.ErrUnknownAddress), errors.Is(err, plan.ErrUndeclaredAddress), errors.As(err, new(*config.Error)):
		return exitUsage
	case errors.Is(err, usersync.ErrProblems), errors.Is(err, spec.ErrNoSpecs):
		return exitInvalid
	}
	return exitFatal
}

// outcome is the exit code of a pass, or of a rollback, that was carried out.
func outcome(res *usersync.Result) error {
	switch {
	case res.DryRun:
		return nil
	case res.Paused != nil && res.Pending > 0:
		return &exitError{code: exitHeld, err: fmt.Errorf("paused %s; %s would be changed", report.Paused(res.Paused, time.Now()), text.Plural(res.Pending, "user"))}
	case res.Failed+res.Quarantined+res.Waiting+res.Pending > 0:
		return &exitError{code: exitFailed, problems: res.ProblemList}
	case res.Held+len(res.Holds) > 0:
		return &exitError{code: exitHeld}
	}
	return nil
}
