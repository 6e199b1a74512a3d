package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/window"
)

// printResult writes what a pass did, as text or as JSON of the schema usersyncd.result/v1.
func printResult(w io.Writer, format string, res *usersync.Result) error {
	if format == "json" {
		return printJSON(w, res)
	}
	var b strings.Builder
	unmanaged := 0
	for _, c := range res.Changes {
		if c.Hold == "" && (c.Outcome != plan.Applied && c.Outcome != plan.Planned || c.Action.Removes() || len(c.Deferred)+len(c.Withheld) > 0) {
			fmt.Fprintln(&b, c)
		}
		if c.Action == plan.Unmanage && c.Outcome == plan.Applied {
			unmanaged++
		}
	}
	printEach(&b, res.Problems)
	printEach(&b, res.Holds)
	printNotes(&b, res)
	users := text.NonZero(
		text.Of(unmanaged, "no longer declared"), text.Of(res.Failed-res.Partial, "failed"), text.Of(res.Partial, "failed in part"),
		text.Of(res.Held, "held"), text.Of(res.HeldInPart, "held in part"), text.Of(res.Quarantined, "in quarantine"),
		text.Of(res.Skipped, "skipped"), text.Of(res.Deferred, "deferred"), text.Of(res.Pending, "not reached"),
	)
	users = append([]string{fmt.Sprintf("%d applied", res.Applied-unmanaged), fmt.Sprintf("%d unchanged", res.Unchanged)}, users...)
	calls := append([]string{text.Plural(res.Calls.Reads, "read"), text.Plural(res.Calls.Writes, "write")},
		text.NonZero(text.Of(res.Calls.Throttled, "throttled"), text.Of(res.Calls.Retried, "retried"))...)
	fmt.Fprintf(&b, "%s: %s; %s (%s) in %.1fs\n", text.Plural(res.Users, "user"), strings.Join(users, ", "),
		text.Plural(res.Calls.Total, "call"), strings.Join(calls, ", "), res.Seconds)
	_, err := io.WriteString(w, b.String())
	return err
}

// printEach writes a line for each.
func printEach[T any](w io.Writer, list []T) {
	for _, v := range list {
		fmt.Fprintln(w, v)
	}
}

// printNotes writes whether the specs are as committed, and the notes, says that nobody is removed while something is
// wrong, if somebody would be, and what waits for a change window.
func printNotes(w io.Writer, res *usersync.Result) {
	if spec.IsDirty(res.Revision) {
		fmt.Fprintf(w, "Revision %s: the specs are not as committed; git status, or usersyncd doctor, lists the files.\n", spec.ShortRevision(res.Revision))
	}
	for _, note := range res.Notes {
		fmt.Fprintln(w, "Note:", note)
	}
	if res.Retained > 0 {
		fmt.Fprintf(w, "%s no longer declared, or with problems: nobody counts as removed until the problems and notes above are resolved.\n", text.Plural(res.Retained, "managed user"))
	}
	if res.WaitingForWindow > 0 {
		fmt.Fprintf(w, "Waiting for the change window, %s: %s\n", window.Format(res.WindowOpens), text.Plural(res.WaitingForWindow, "user"))
	}
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printProblems writes one line for each problem, and how many there are in how many files.
func printProblems(w io.Writer, e *usersync.ProblemsError) {
	files := map[string]bool{}
	for _, p := range e.Problems {
		files[p.File] = true
		fmt.Fprintln(w, p)
	}
	fmt.Fprintf(w, "%s in %s\n", text.Plural(len(e.Problems), "error"), text.Plural(len(files), "file"))
}

// counts says how many changes there are of each kind.
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
		text.Of(waiting, "that wait or are skipped"))
	return cmp.Or(strings.Join(text.NonZero(all...), ", "), "nothing to do")
}
