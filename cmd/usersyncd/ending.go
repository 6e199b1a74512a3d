package main

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/cmd/usersyncd/internal/stream"
	usersync "usersyncd/sync"
)

// An ending is what a command with reports leaves for them: they are written when the exit code is known.
type ending struct {
	report.Report
	began bool
	text  func(report.Text, io.Writer) // nil: nothing was found
	after func(io.Writer)              // for stderr, behind the text
	shown *usersync.Result             // a plan that a person was shown before
	token string                       // between whose lines GitHub obeys no command; "" for none
}

// reporting makes a command leave an ending. It takes further formats.
func (p process) reporting(c *config.Config, cmd *cobra.Command, formats ...string) *cobra.Command {
	config.TakeFormats(cmd, formats...)
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := p.begin(c); err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
}

// begin begins a command that leaves an ending.
func (p process) begin(c *config.Config) error {
	p.end.began, p.end.Began = true, time.Now()
	if c.Stdout() != config.GitHub {
		return nil
	}
	var token [16]byte
	_, _ = rand.Read(token[:]) // it never fails
	p.end.token = hex.EncodeToString(token[:])
	return p.command("::stop-commands::" + p.end.token)
}

// command writes a command to GitHub's runner, which the stream lets nobody else write.
func (p process) command(line string) error {
	s, ok := p.stdout.(*stream.Stream)
	if !ok {
		return errors.New("stdout takes no commands")
	}
	return s.Command(line)
}

// reportFormats are those of a command that makes a plan.
func reportFormats() []string {
	return []string{config.Markdown, config.GitHub, config.JUnit, config.GitLab, config.GitLabPlan}
}

// pass records what a pass has found, nil if it had no plan yet, and returns what the exit code is made of.
func (e *ending) pass(res *usersync.Result, err error, print func(report.Text, io.Writer, *usersync.Result)) error {
	if e.Result = res; res != nil {
		e.text = func(t report.Text, w io.Writer) { print(t, w, res) }
	}
	if err != nil {
		return refused(res, err)
	}
	return outcome(res)
}

// planShown records that a person was shown a plan, which is all there is until a pass has carried it out.
func (e *ending) planShown(res *usersync.Result) {
	e.Result, e.shown = res, res
	e.text = func(t report.Text, w io.Writer) {
		if t.Shown == nil {
			t.Plan(w, res)
		}
	}
}

// finish writes the reports of a command and says on stderr why it has failed. It returns the exit code.
func (p process) finish(cmd *cobra.Command, c *config.Config, err error) int {
	e, code := p.end, exitCode(err)
	if !e.began && (err == nil || !config.HasReports(cmd) || cmd == cmd.Root() && !c.Once) { // help, say, or a command without reports
		p.tell(cmd, err)
		return code
	}
	e.complete(cmd, c, err)
	var unwritten []error
	if c.CheckOutputs(config.FormatsOf(cmd), "") == nil {
		unwritten = p.writeReports(c)
	}
	if c.Stdout() == "" && (e.Result == nil || e.Result != e.shown) {
		printEach(p.stderr, e.Summary(e.shown))
	}
	if e.after != nil {
		e.after(p.stderr)
	}
	p.tell(cmd, err)
	if c.Writes(config.GitHub) {
		unwritten = append(unwritten, e.appendForGitHub(c)...)
	}
	for _, err := range unwritten {
		fmt.Fprintln(p.stderr, "usersyncd:", errorText(err))
	}
	if e.token != "" {
		unwritten = append(unwritten, p.command("::"+e.token+"::"))
	}
	if c.Stdout() == config.GitHub {
		for _, line := range e.GitHub() {
			unwritten = append(unwritten, p.command(line))
		}
	}
	if errors.Join(unwritten...) != nil {
		return cmp.Or(code, exitFatal)
	}
	return code
}

// complete adds what is known at the end.
func (e *ending) complete(cmd *cobra.Command, c *config.Config, err error) {
	if e.Command = cmd.Name(); cmd == cmd.Root() {
		e.Command = "once"
	}
	e.Name, e.Specs, e.Dir = cmp.Or(c.NotifyName, c.Dir), c.Dir, repositoryDir(c)
	e.Error, e.ExitCode, e.Took = errorText(err), exitCode(err), time.Since(e.Began)
	if x := (*exitError)(nil); errors.As(err, &x) && len(x.problems.Problems) > 0 {
		e.Problems = x.problems
	} else if e.Result != nil {
		e.Problems = e.Result.ProblemList
	}
}
