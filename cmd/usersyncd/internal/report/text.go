package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/window"
)

// Text writes for people.
type Text struct {
	Columns        int              // of the terminal; 0: there is none
	Color          bool             // of symbols and headings
	Details        bool             // a block for each change instead of groups
	DetailsCommand string           // that shows the details, if there is one
	Shown          *usersync.Result // the plan that was shown before: a result is written without what that has said
	Now            time.Time

	withoutManaged bool // no note of who is managed from now on: without a state file that is everybody
}

// columns is the width at which lists of addresses and totals are broken.
func (t Text) columns() int {
	if t.Columns == 0 {
		return 80
	}
	return min(max(t.Columns, 60), 120)
}

// symbolColors are SGR codes; a heading is bold.
var symbolColors = map[string]string{"-": "31", "!": "31", "+": "32", "~": "33", "=": "35"}

func (t Text) paint(color, s string) string {
	if !t.Color || color == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

func (t Text) heading(w io.Writer, title string) { fmt.Fprintln(w, t.paint("1", title)) }

// lines writes lines behind an indent.
func (t Text) lines(w io.Writer, indent string, lines []Line) {
	for _, l := range lines {
		if l.Symbol == "" {
			fmt.Fprintf(w, "%s    %s\n", indent, l.Text)
			continue
		}
		fmt.Fprintf(w, "%s%s %s\n", indent, t.paint(symbolColors[l.Symbol], l.Symbol), l.Text)
	}
}

// Plan writes what a pass, or a rollback, would do.
func (t Text) Plan(w io.Writer, res *usersync.Result) {
	t.changes(w, res)
	t.rest(w, res)
	t.list(w, "Fields: ", fieldTotals(res))
	t.list(w, "Plan"+text.Enclose(" ", PlanID(res), "")+": ", counts(res))
	if res.Estimate != nil { // a rollback has none
		then := ""
		if len(res.Estimate.Reads) > 0 {
			fmt.Fprintln(w, text.Wrap("Before it is carried out, "+reads(res.Estimate.Reads)+". Leavers and new users do not wait for it.", t.columns(), 2))
			then = "After that it takes "
		}
		fmt.Fprintln(w, text.Wrap(cmp.Or(then, "Takes ")+takes(res.Estimate), t.columns(), 2))
	}
}

// Result writes what a pass, or a rollback, has done.
func (t Text) Result(w io.Writer, res *usersync.Result) {
	rest := *res
	if t.Shown != nil {
		rest = without(res, t.Shown)
	}
	t.changes(w, &rest)
	if removes(res) && !removes(&rest) {
		t.takeBack(w, "", res)
	}
	t.rest(w, &rest)
	fmt.Fprintln(w, resultLine(res))
}

// list writes a list behind a title, on several lines if it is long.
func (t Text) list(w io.Writer, title string, list []string) {
	if len(list) == 0 {
		return
	}
	list = slices.Concat([]string{title + list[0]}, list[1:])
	for i, line := range listLines(list, t.columns()-2) {
		fmt.Fprintln(w, strings.Repeat(" ", min(2*i, 2))+line)
	}
}

// changes writes the groups.
func (t Text) changes(w io.Writer, res *usersync.Result) {
	if t.Details {
		for _, c := range res.Changes {
			if res.DryRun || c.Outcome != plan.Applied || c.Action.Removes() || len(c.Deferred)+len(c.Withheld) > 0 {
				fmt.Fprintln(w, c)
			}
		}
		if len(res.Changes) > 0 {
			fmt.Fprintln(w)
		}
		return
	}
	hint := t.DetailsCommand != "" && t.Columns > 0 // elsewhere nobody types it
	abridged := false
	for _, s := range Sections(res) {
		t.heading(w, s.Title())
		t.lines(w, "  ", s.Lines(t.columns(), Folded, t.DetailsCommand))
		abridged = abridged || hint && s.abridges(t.columns(), Folded)
		if s.Group == plan.Removals && !res.DryRun {
			t.takeBack(w, "  ", res)
		}
		fmt.Fprintln(w)
	}
	if abridged {
		fmt.Fprint(w, "To see every user: ", t.DetailsCommand, "\n\n")
	}
}

// takeBack writes the command that takes removals back.
func (t Text) takeBack(w io.Writer, indent string, res *usersync.Result) {
	if res.RollbackWith != "" {
		fmt.Fprintln(w, indent+"To take it back: "+res.RollbackWith)
	}
}

// Pass writes what one pass has written to users, below a title.
func (t Text) Pass(w io.Writer, title string, sections []Section) {
	fmt.Fprintln(w, t.paint("1", text.Wrap(title, t.Columns, 2)))
	for _, s := range sections {
		if s.Group == plan.Unmanaged {
			for i := range s.entries {
				s.entries[i].verb = "no longer managed, not changed in Genesys"
			}
		}
		t.lines(w, "  ", s.Lines(t.columns(), Folded, t.DetailsCommand))
	}
}

// rest writes what is not changed, and why: what waits, failures, holds and notes. Problems of specs are errors, and on stderr.
func (t Text) rest(w io.Writer, res *usersync.Result) {
	var lines []Line
	if !t.Details {
		lines = waiting(res, t.columns(), 0)
	}
	all := failures(res)
	for _, f := range all[:min(len(all), mostFailures)] {
		lines = append(lines, f.lines(t.columns(), 0)...)
	}
	if n := len(all) - mostFailures; n > 0 {
		lines = append(lines, Line{Text: "and " + text.Plural(n, "more failure") + ", which are in the log"})
	}
	for _, h := range res.Holds[:min(len(res.Holds), mostFailures)] {
		lines = append(lines, t.holdLines(res, h, 0)...)
	}
	if n := len(res.Holds) - mostFailures; n > 0 {
		lines = append(lines, Line{Text: "and " + text.Plural(n, "more hold")})
	}
	t.lines(w, "", lines)
	if len(lines) > 0 && res.DryRun {
		fmt.Fprintln(w)
	}
	t.notes(w, res)
}

// notes writes what qualifies a result: uncommitted edits, notes, removals held back, and what waits for a window.
func (t Text) notes(w io.Writer, res *usersync.Result) {
	if spec.IsDirty(res.Revision) {
		fmt.Fprintf(w, "Revision %s: the specs have uncommitted edits; git status or usersyncd doctor lists the files.\n", spec.ShortRevision(res.Revision))
	}
	if res.Paused != nil && (res.DryRun || res.Pending == 0) && res.Mode != "rollback" { // otherwise it is the error
		fmt.Fprintf(w, "Note: paused %s\n", Paused(res.Paused, t.Now))
	}
	for _, note := range res.Notes[:min(len(res.Notes), mostFailures)] {
		fmt.Fprintln(w, "Note:", note)
	}
	if n := len(res.Notes) - mostFailures; n > 0 {
		fmt.Fprintf(w, "Note: and %s\n", text.Plural(n, "more note"))
	}
	if n := managedFromNow(res); n > 0 && res.DryRun && !t.withoutManaged {
		fmt.Fprintf(w, "Note: %s managed once this is applied\n", text.Count(n, "user is", "users are"))
	}
	if res.Retained > 0 {
		fmt.Fprintf(w, "%s no longer declared, or with problems: no user counts as removed until the problems and notes above are resolved.\n", text.Plural(res.Retained, "managed user"))
	}
	if res.WaitingForWindow > 0 {
		fmt.Fprintf(w, "Waiting for the change window, %s: %s\n", window.Format(res.WindowOpens), text.Plural(res.WaitingForWindow, "user"))
	}
}

// Paused tells who has paused the changes, when and why, and how to end it.
func Paused(p *state.Pause, now time.Time) string {
	by, reason := text.Enclose("by ", text.Escape(p.By), " "), text.Enclose(" (", text.Escape(p.Reason), ")")
	end := "nothing is changed until usersyncd resume"
	if p.Rollback {
		end = "take that change back in the specs, too, then: usersyncd resume"
	}
	return by + text.ShortDuration(now.Sub(p.At)) + " ago" + reason + ": " + end
}
