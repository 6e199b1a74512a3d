package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// printResult writes what a pass did, as text or as JSON of the schema usersyncd.result/v1.
func printResult(w io.Writer, format string, res *usersync.Result) error {
	if format == "json" {
		return printJSON(w, res)
	}
	for _, c := range res.Changes {
		if c.Hold == "" && (c.Outcome != plan.Applied && c.Outcome != plan.Planned || c.Action.Removes() || len(c.Deferred)+len(c.Withheld) > 0) {
			if _, err := fmt.Fprintln(w, c); err != nil {
				return err
			}
		}
	}
	for _, p := range res.Problems {
		if _, err := fmt.Fprintln(w, p); err != nil {
			return err
		}
	}
	for _, h := range res.Holds {
		if _, err := fmt.Fprintln(w, h); err != nil {
			return err
		}
	}
	if err := printKept(w, res); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(printWaiting(res))
	unmanaged := 0
	for _, c := range res.Changes {
		if c.Action == plan.Unmanage && c.Outcome == plan.Applied {
			unmanaged++
		}
	}
	fmt.Fprintf(&b, "%s: %d applied, %d unchanged", text.Plural(res.Users, "user"), res.Applied-unmanaged, res.Unchanged)
	for _, n := range []struct {
		count int
		word  string
	}{
		{unmanaged, "no longer declared"}, {res.Failed - res.Partial, "failed"}, {res.Partial, "failed in part"}, {res.Held, "held"}, {res.HeldInPart, "held in part"}, {res.Quarantined, "in quarantine"},
		{res.Skipped, "skipped"}, {res.Deferred, "deferred"}, {res.Pending, "not reached"},
	} {
		if n.count > 0 {
			fmt.Fprintf(&b, ", %d %s", n.count, n.word)
		}
	}
	fmt.Fprintf(&b, "; %s (%s, %s", text.Plural(res.Calls.Total, "call"), text.Plural(res.Calls.Reads, "read"), text.Plural(res.Calls.Writes, "write"))
	if n := res.Calls.Throttled; n > 0 {
		fmt.Fprintf(&b, ", %d throttled", n)
	}
	if n := res.Calls.Retried; n > 0 {
		fmt.Fprintf(&b, ", %d retried", n)
	}
	fmt.Fprintf(&b, ") in %.1fs", res.Seconds)
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// printKept prints whether the specs are as committed, and the notes, and says that nobody is removed while something is wrong, if somebody would be.
func printKept(w io.Writer, res *usersync.Result) error {
	if spec.IsDirty(res.Revision) {
		if _, err := fmt.Fprintf(w, "Revision %s: the specs are not as committed; git status, or usersyncd doctor, lists the files.\n", spec.ShortRevision(res.Revision)); err != nil {
			return err
		}
	}
	for _, note := range res.Notes {
		if _, err := fmt.Fprintln(w, "Note:", note); err != nil {
			return err
		}
	}
	if res.Kept == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s no longer declared, or with problems: nobody counts as removed until the problems and notes above are resolved.\n", text.Plural(res.Kept, "managed user"))
	return err
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
	n, held, deferred, inPart := map[plan.Action]int{}, 0, 0, 0
	for _, c := range changes {
		if c.HeldInPart() {
			inPart++
		}
		switch c.Outcome {
		case plan.Planned:
			n[c.Action]++
		case plan.Held:
			held++
		case plan.Deferred:
			deferred++
		}
	}
	var parts []string
	for _, a := range []plan.Action{plan.Create, plan.Restore, plan.Adopt, plan.Update, plan.Deactivate, plan.Delete, plan.Unmanage} {
		if n[a] > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n[a], a))
		}
	}
	if held > 0 {
		parts = append(parts, fmt.Sprintf("%d held", held))
	}
	if inPart > 0 {
		parts = append(parts, fmt.Sprintf("%d held in part", inPart))
	}
	if deferred > 0 {
		parts = append(parts, fmt.Sprintf("%d deferred", deferred))
	}
	if waiting := len(changes) - sum(n) - held - deferred; waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d that wait or are skipped", waiting))
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}

func sum(n map[plan.Action]int) int {
	total := 0
	for _, v := range n {
		total += v
	}
	return total
}
