// Command usersyncd keeps the users of a Genesys Cloud organization as a directory of YAML specs says.
// Run "usersyncd help", or "usersyncd demo" to see it work on a simulated organization.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"usersyncd/spec/text"
)

func main() {
	os.Exit(run(os.Args[1:], process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, lookupEnv: os.LookupEnv}))
}

// process is what a program is given by its surroundings.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookupEnv      func(string) (string, bool)
	args           []string // of the command line, for a daemon that reads its settings again
}

// run is main without the process: it returns the exit code.
func run(args []string, p process) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal ends the work in good order; the second one ends the process.
	context.AfterFunc(ctx, stop)

	p.args = args
	root := newRoot(p)
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	if message := errorText(err); message != "" {
		fmt.Fprintln(p.stderr, message)
	}
	if code == exitUsage {
		fmt.Fprintln(p.stderr, `Run "usersyncd help" for usage.`)
	}
	return code
}

func errorText(err error) string {
	var quiet *exitError
	if err == nil || errors.As(err, &quiet) && quiet.err == nil {
		return ""
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = text.Escape(line) // it may come from specs or from the API
	}
	return "usersyncd: " + strings.Join(lines, "\n")
}
