package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/window"
)

// show writes what a command without reports has found: as JSON, or as text, to stdout or files, as --output asks for.
func (p process) show(c *config.Config, v any, print func(w io.Writer)) error {
	for _, o := range c.Outputs {
		var b bytes.Buffer
		if o.Format == config.JSON {
			data, err := report.Encode(v)
			if err != nil {
				return err
			}
			b.Write(data)
		} else {
			print(&b)
		}
		if o.File != "" {
			if err := writeFile(o.File, b.Bytes()); err != nil {
				return err
			}
		} else if _, err := p.stdout.Write(b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func printResult(w io.Writer, res *usersync.Result) {
	unmanaged := 0
	var notable []*plan.Change
	for _, c := range res.Changes {
		if c.Hold == "" && (c.Outcome != plan.Applied && c.Outcome != plan.Planned || c.Action.Removes() || len(c.Deferred)+len(c.Withheld) > 0) {
			notable = append(notable, c)
		}
		if c.Action == plan.Unmanage && c.Outcome == plan.Applied {
			unmanaged++
		}
	}
	printFirst(w, "", notable, 0, "user")
	printFirst(w, "", res.Problems, res.ProblemsLeftOut, "problem")
	printHolds(w, res)
	printNotes(w, res)
	users := append([]string{fmt.Sprintf("%d applied", res.Applied-unmanaged), fmt.Sprintf("%d unchanged", res.Unchanged)}, text.NonZero(
		text.Of(unmanaged, "no longer declared"), text.Of(res.Failed-res.Partial, "failed"), text.Of(res.Partial, "failed in part"),
		text.Of(res.Held, "held"), text.Of(res.HeldInPart, "held in part"), text.Of(res.Quarantined, "quarantined"),
		text.Of(res.Skipped, "skipped"), text.Of(res.Deferred, "deferred"), text.Of(res.Pending, "not reached"),
	)...)
	calls := append([]string{text.Plural(res.Calls.Reads, "read"), text.Plural(res.Calls.Writes, "write")},
		text.NonZero(text.Of(res.Calls.Throttled, "throttled"), text.Of(res.Calls.Retried, "retried"))...)
	fmt.Fprintf(w, "%s: %s; %s (%s) in %.1fs\n", text.Plural(res.Users, "user"), strings.Join(users, ", "),
		text.Plural(res.Calls.Total, "call"), strings.Join(calls, ", "), res.Seconds)
}

func printHolds(w io.Writer, res *usersync.Result) {
	texts := make([]string, len(res.Holds))
	for i, h := range res.Holds {
		if texts[i] = h.String(); res.ReleaseWith != nil {
			texts[i] = h.ReleasedWith(res.ReleaseWith(h.ID))
		}
	}
	printFirst(w, "", texts, 0, "hold")
}

// printPlan writes what a pass, or a rollback, would do.
func printPlan(w io.Writer, res *usersync.Result) {
	printEach(w, res.Changes)
	if len(res.Changes) > 0 {
		fmt.Fprintln(w)
	}
	printHolds(w, res)
	printNotes(w, res)
	e := res.Estimate
	if e != nil && len(e.Reads) > 0 {
		fmt.Fprintf(w, "Before it is carried out: %s. Leavers and new users do not wait for it.\n", estimatedReads(e.Reads))
	}
	fmt.Fprintf(w, "Plan %s: %s", res.Plan, counts(res.Changes))
	if e != nil { // a rollback has none
		parts := append([]string{fmt.Sprintf(", %d unchanged", res.Unchanged)},
			text.NonZero(text.Of(res.Failed-res.Partial, "left out because of problems"), text.Of(res.Partial, "left out in part because of problems"))...)
		fmt.Fprint(w, strings.Join(parts, ", "), "; ", estimated(e))
	}
	fmt.Fprintln(w)
}

// estimatedReads is what must be read as text: "reads voicemail of 50000 users: about 2h46m40s at 300/min".
func estimatedReads(reads []usersync.ReadEstimate) string {
	parts := make([]string, len(reads))
	for i, r := range reads {
		parts[i] = fmt.Sprintf("reads %s of %s", r.Field, text.Plural(r.Users, "user"))
		if r.Seconds >= 1 {
			parts[i] += fmt.Sprintf(": about %s at %.0f/min", text.ShortDuration(seconds(r.Seconds)), float64(r.Users)/r.Seconds*60)
		}
	}
	return strings.Join(parts, ", ")
}

func printEach[T any](w io.Writer, list []T) {
	for _, v := range list {
		fmt.Fprintln(w, v)
	}
}

// mostPrinted is how many of one kind a text lists, besides the changes of a plan.
const mostPrinted = 200

// printFirst writes a line for each of the first of a list, and how many more there are, with those that the list leaves out.
func printFirst[T any](w io.Writer, label string, list []T, leftOut int, noun string) {
	n := min(len(list), mostPrinted)
	for _, v := range list[:n] {
		fmt.Fprintf(w, "%s%v\n", label, v)
	}
	if n = len(list) - n + leftOut; n > 0 {
		fmt.Fprintf(w, "%sand %s\n", label, text.Plural(n, "more "+noun))
	}
}

// printNotes writes what qualifies a result: uncommitted edits, notes, removals held back, and what waits for a window.
func printNotes(w io.Writer, res *usersync.Result) {
	if spec.IsDirty(res.Revision) {
		fmt.Fprintf(w, "Revision %s: the specs have uncommitted edits; git status or usersyncd doctor lists the files.\n", spec.ShortRevision(res.Revision))
	}
	if res.Paused != nil && (res.DryRun || res.Pending == 0) && res.Mode != "rollback" { // otherwise it is the error
		fmt.Fprintf(w, "Note: paused %s; until then nothing is changed\n", pausedText(res.Paused, time.Now()))
	}
	printFirst(w, "Note: ", res.Notes, 0, "note")
	leftOut := map[string]int{}
	for _, c := range res.Changes {
		if c.LeftOut() {
			leftOut[c.Note]++
		}
	}
	for _, why := range slices.Sorted(maps.Keys(leftOut)) {
		fmt.Fprintf(w, "Note: %s left as they are: %s\n", text.Plural(leftOut[why], "user"), why)
	}
	if res.Retained > 0 {
		fmt.Fprintf(w, "%s no longer declared, or with problems: no user counts as removed until the problems and notes above are resolved.\n", text.Plural(res.Retained, "managed user"))
	}
	if res.WaitingForWindow > 0 {
		fmt.Fprintf(w, "Waiting for the change window, %s: %s\n", window.Format(res.WindowOpens), text.Plural(res.WaitingForWindow, "user"))
	}
}

// printProblems writes a line for each problem, and how many there are.
func printProblems(w io.Writer, found spec.ProblemList) {
	files := map[string]bool{}
	for _, p := range found.Problems {
		files[p.File] = true
		fmt.Fprintln(w, p)
	}
	if found.ProblemsLeftOut > 0 {
		fmt.Fprintf(w, "%d errors; the first %d are shown\n", found.ProblemCount(), len(found.Problems))
		return
	}
	fmt.Fprintf(w, "%s in %s\n", text.Plural(len(found.Problems), "error"), text.Plural(len(files), "file"))
}

// counts counts changes by what is to be done with them.
func counts(changes []*plan.Change) string {
	actions, outcomes, inPart := map[plan.Action]int{}, map[plan.Outcome]int{}, 0
	for _, c := range changes {
		outcomes[c.Outcome]++
		if c.Outcome == plan.Planned {
			actions[c.Action]++
		}
		if c.HeldInPart() {
			inPart++
		}
	}
	var all []text.Number
	for _, a := range []plan.Action{plan.Create, plan.Restore, plan.Adopt, plan.Update, plan.Deactivate, plan.Delete, plan.Unmanage} {
		all = append(all, text.Of(actions[a], "to "+string(a)))
	}
	waiting := len(changes) - outcomes[plan.Planned] - outcomes[plan.Held] - outcomes[plan.Deferred]
	all = append(all, text.Of(outcomes[plan.Held], "held"), text.Of(inPart, "held in part"), text.Of(outcomes[plan.Deferred], "deferred"),
		text.Of(waiting, "waiting or skipped"))
	return cmp.Or(strings.Join(text.NonZero(all...), ", "), "nothing to do")
}
