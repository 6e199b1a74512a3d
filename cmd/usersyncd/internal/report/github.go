package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
)

// mostAnnotations is how many annotations of a kind GitHub shows of a step.
const mostAnnotations = 10

// GitHub is the report as workflow commands of GitHub Actions, a line each: annotations of what is wrong or held, the most
// severe first, and a notice of the totals.
func (r *Report) GitHub() []string {
	var errors, warnings annotations
	if r.Error != "" {
		list := &errors
		if r.Result != nil && r.Result.Paused != nil {
			list = &warnings
		}
		list.add("usersyncd", r.Error, "", spec.Pos{})
	}
	for _, f := range r.findings() {
		title, message := f.annotation("specs")
		if !f.spec {
			title, message = "failed", text.Enclose("", f.user, ": ")+f.message
		}
		errors.add("usersyncd: "+title, text.Escape(message), masked(f.text()), r.inRepository(f.pos))
	}
	if n := r.Problems.ProblemsLeftOut; n > 0 {
		errors.add("usersyncd: specs", text.Plural(n, "more problem"), "", spec.Pos{})
	}
	for _, w := range r.Warnings().First {
		title, message := finding{field: w.Field, message: w.Message}.annotation("warning")
		warnings.add("usersyncd: "+title, text.Escape(message), masked(w.Message), r.inRepository(w.Pos))
	}
	lines := errors.lines("error")
	if r.Result != nil {
		for _, h := range r.Result.Holds {
			warnings.add("usersyncd: held", fmt.Sprintf("%s held by %s: %s", text.Count(len(h.Users), "user is", "users are"), h.By(), r.holdText(h)), "", spec.Pos{})
		}
	}
	lines = append(lines, warnings.lines("warning")...)
	if title, totals := r.totalsText(); totals != "" {
		lines = append(lines, command("notice", title, totals, spec.Pos{}))
	}
	return lines
}

// GitHubOutputs are the outputs of a step, one line each, as in the file of $GITHUB_OUTPUT: changed and managed say whether
// there is anything to apply. No text of users is in them.
func (r *Report) GitHubOutputs() []byte {
	if r.Result == nil {
		return nil
	}
	changed := 0
	for _, c := range r.Result.Changes {
		if done(r.Result, c) {
			changed++
		}
	}
	return fmt.Appendf(nil, "plan=%s\ndigest=%s\nchanged=%d\nheld=%d\nmanaged=%d\n", r.Result.Plan, r.Result.Digest, changed, r.Result.Held, managedFromNow(r.Result))
}

// annotation is the field as a title and, unless there is none, the message, which has the part of the field that is meant.
func (f finding) annotation(none string) (title, message string) {
	switch title = fieldName.FindString(f.field); title {
	case "":
		return none, text.Enclose("", f.field, ": ") + f.message
	case f.field:
		return title, f.message
	}
	return title, f.field + ": " + f.message
}

// totalsText is a title and what it is about: how many users are changed, or would be.
func (r *Report) totalsText() (title, totals string) {
	if r.Command == "validate" {
		if r.Tree == nil || len(r.Tree.Problems) > 0 {
			return "", ""
		}
		return "usersyncd validate", Valid(r.Tree)
	}
	if r.Result == nil {
		return "", ""
	}
	parts := slices.Concat(groupCounts(r.Result), keptCounts(r.Result), leftOutCounts(r.Result), failedCounts(r.Result), []text.Number{pendingCount(r.Result)})
	return "usersyncd " + r.Command + text.Enclose(" ", PlanID(r.Result), ""), cmp.Or(strings.Join(text.NonZero(parts...), ", "), "nothing to do") + ofThese(r.Result) + text.Enclose("; ", unknownRemovals(r.Result), "")
}

func (r *Report) inRepository(pos spec.Pos) spec.Pos {
	if pos.File != "" {
		pos.File = r.path(pos.File)
	}
	return pos
}

// annotations are those of a kind.
type annotations struct {
	list []*annotation
	same map[string]*annotation
}

type annotation struct {
	title, message string
	pos            spec.Pos
	more           int // others of the same kind
}

// add adds an annotation. Those with the same key, unless it is "", are one.
func (a *annotations) add(title, message, key string, pos spec.Pos) {
	if known := a.same[key]; known != nil {
		known.more++
		return
	}
	one := &annotation{title: title, message: message, pos: pos}
	a.list = append(a.list, one)
	if a.same == nil {
		a.same = map[string]*annotation{}
	}
	if key != "" {
		a.same[key] = one
	}
}

// lines are the annotations as commands: no more than GitHub shows.
func (a *annotations) lines(kind string) (lines []string) {
	list, left := a.list, 0
	if len(list) > mostAnnotations {
		list, left = list[:mostAnnotations-1], len(list)-mostAnnotations+1
	}
	for _, one := range list {
		message := one.message
		if one.more > 0 {
			message += fmt.Sprintf(" (and %d more like this)", one.more)
		}
		lines = append(lines, command(kind, one.title, message, one.pos))
	}
	if left > 0 {
		lines = append(lines, command(kind, "usersyncd", fmt.Sprintf("and %d more: see the log", left), spec.Pos{}))
	}
	return lines
}

// command is a workflow command, as actions/runner reads it: src/Runner.Common/ActionCommand.cs.
func command(kind, title, message string, pos spec.Pos) string {
	var properties []string
	if pos.File != "" {
		properties = append(properties, "file="+propertyEscape.Replace(runnerSafe(pos.File)),
			fmt.Sprintf("line=%d", max(1, pos.Line)), fmt.Sprintf("col=%d", max(1, pos.Column)))
	}
	properties = append(properties, "title="+propertyEscape.Replace(runnerSafe(title)))
	var lines []string
	for line := range strings.SplitSeq(message, "\n") {
		lines = append(lines, runnerSafe(line))
	}
	return "::" + kind + " " + strings.Join(properties, ",") + "::" + messageEscape.Replace(strings.Join(lines, "\n"))
}

// runnerSafe is one line of printable text without the beginning of the older form of commands.
func runnerSafe(s string) string {
	return strings.ReplaceAll(text.Escape(s), "##", `\x23#`)
}

var (
	messageEscape  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscape = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
