package report

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"usersyncd/cmd/usersyncd/internal/stream"
	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/sync/plan"
)

// mostMarkdown is how many bytes a report has: a comment on GitHub may have 65,536 characters.
const mostMarkdown = 60_000

// A block is a section of the report: a title of our own words, and lines that may have text of users.
type block struct {
	title string
	open  bool
	texts [Counts]string // by Detail; of Counts there is none
}

// newBlock makes a block of the lines of each detail.
func newBlock(title string, open bool, lines func(Detail) []Line) block {
	b := block{title: title, open: open}
	for d := range b.texts {
		b.texts[d] = fenced(lines(Detail(d)))
	}
	return b
}

// fits reports whether a report could have room for a block in some detail.
func (b block) fits(d Detail) bool { return d >= Counts || len(b.texts[d]) < mostMarkdown }

// Markdown is the report as a comment on a pull request. The first line is a marker by which the comment is found again, to be
// replaced. Text of users is in fenced blocks alone. If it is too long, sections are shown in less detail, the last ones first,
// or left out; the counts are always those of all.
func (r *Report) Markdown() []byte {
	head, blocks, foot := r.head(), r.blocks(), r.foot()
	details := make([]Detail, len(blocks))
	for i, b := range blocks {
		for !b.fits(details[i]) {
			details[i]++
		}
	}
	out := assemble(head, blocks, details, foot)
	for _, less := range []Detail{Folded, Terse, Counts, leftOut} {
		for i := len(blocks) - 1; i >= 0 && len(out) > mostMarkdown; i-- {
			details[i] = max(details[i], less)
			out = assemble(head, blocks, details, foot)
		}
	}
	for i, less := range details { // there may be room for some again, now that others are small
		for detail := range less {
			if !blocks[i].fits(detail) {
				continue
			}
			details[i] = detail
			if larger := assemble(head, blocks, details, foot); len(larger) <= mostMarkdown {
				out = larger
				break
			}
			details[i] = less
		}
	}
	return out
}

// leftOut is the Detail of a section that is not there.
const leftOut = Counts + 1

// head is what stands above the sections: marker, title, error and totals.
func (r *Report) head() string {
	var w strings.Builder
	fmt.Fprintf(&w, "<!-- usersyncd:%s %s -->\n### usersyncd: %s\n", r.Command, marker(r.Name), r.headline())
	if r.Error != "" {
		var lines []Line
		for line := range strings.SplitSeq(text.Cut(r.Error, 2000), "\n") {
			lines = append(lines, Line{"!", text.Escape(line)})
		}
		fmt.Fprintf(&w, "\n%s", fenced(lines))
	}
	if rows := r.rows(); len(rows) > 0 {
		fmt.Fprintf(&w, "\n| | users |\n| --- | ---: |\n%s", strings.Join(rows, ""))
	}
	if r.Result != nil {
		if fields := fieldTotals(r.Result); len(fields) > 0 {
			fmt.Fprintf(&w, "\nFields: %s\n", strings.Join(fields, ", "))
		}
	}
	return w.String()
}

// assemble is the whole report, with each section in some detail.
func assemble(head string, blocks []block, details []Detail, foot string) []byte {
	var b bytes.Buffer
	w := stream.New(&b) // the report is also printed to logs
	fmt.Fprint(w, head)
	left := 0
	for i, s := range blocks {
		switch details[i] {
		case leftOut:
			left++
		case Counts:
			fmt.Fprintf(w, "\n%s; see the job's log\n", s.title)
		default:
			open := map[bool]string{true: " open"}[s.open]
			fmt.Fprintf(w, "\n<details%s><summary>%s</summary>\n\n%s\n</details>\n", open, s.title, s.texts[details[i]])
		}
	}
	if left > 0 {
		fmt.Fprintf(w, "\nLeft out: %s, see the job's log\n", text.Plural(left, "section"))
	}
	if foot != "" {
		fmt.Fprintf(w, "\n%s\n", foot)
	}
	return b.Bytes()
}

// notInMarker are the characters that a comment of HTML may not have, or that somebody may not expect in one.
var notInMarker = regexp.MustCompile(`[^\pL\pN ._/@-]|--+`)

// marker is a name in the comment of HTML that the report begins with.
func marker(name string) string { return notInMarker.ReplaceAllString(text.Cut(name, 200), "_") }

// fenced is a block of code. Its fence is longer than every run of backticks in it.
func fenced(lines []Line) string {
	var b bytes.Buffer
	for _, l := range lines {
		if l.Symbol == "~" {
			l.Symbol = "!" // which has a color in a diff
		}
		Text{}.lines(&b, "", []Line{l})
	}
	fence := "```"
	for run := range bytes.FieldsFuncSeq(b.Bytes(), func(r rune) bool { return r != '`' }) {
		if len(run) >= len(fence) {
			fence = strings.Repeat("`", len(run)+1)
		}
	}
	return fence + "diff\n" + b.String() + fence + "\n"
}

// blocks are the sections, the most important first.
func (r *Report) blocks() (all []block) {
	// entries takes how many users of each are named, as nameLines does.
	addNaming := func(title string, open bool, entries func(names int) [][]Line, more int, noun string) {
		if len(entries(0))+more == 0 {
			return
		}
		all = append(all, newBlock(title, open, func(d Detail) (lines []Line) {
			list := entries(map[bool]int{true: math.MaxInt}[d == Full])
			shown := list
			if d == Terse {
				shown = list[:min(len(list), mostEntries)]
			}
			lines = slices.Concat(shown...)
			if n := len(list) - len(shown) + more; n > 0 {
				lines = append(lines, Line{Text: "and " + text.Plural(n, "more "+noun)})
			}
			return lines
		}))
	}
	add := func(title string, open bool, entries [][]Line, more int, noun string) {
		addNaming(title, open, func(int) [][]Line { return entries }, more, noun)
	}
	res := r.Result
	if res != nil {
		addNaming("Held: "+text.Plural(len(res.Holds), "hold"), true, func(names int) (holds [][]Line) {
			for _, h := range res.Holds {
				holds = append(holds, Text{}.holdLines(res, h, names))
			}
			return holds
		}, 0, "hold")
	}
	var problems, warnings [][]Line
	for _, p := range r.Problems.Problems {
		problems = append(problems, []Line{{"!", text.Escape(p.String())}})
	}
	add("Problems in the specs: "+fmt.Sprint(r.Problems.ProblemCount()), res == nil, problems, r.Problems.ProblemsLeftOut, "problem")
	for _, p := range r.Warnings().First {
		warnings = append(warnings, []Line{{"!", text.Escape(p.String())}})
	}
	add("Warnings: "+fmt.Sprint(r.Warnings().Count), false, warnings, r.Warnings().Count-len(warnings), "warning")
	if res == nil {
		return all
	}
	users, list := 0, failures(res)
	for _, f := range list {
		users += len(f.users)
	}
	addNaming("Failed: "+text.Plural(users, "user"), false, func(names int) (failed [][]Line) {
		for _, f := range list {
			failed = append(failed, f.lines(80, names))
		}
		return failed
	}, 0, "failure")
	for _, s := range Sections(res) {
		all = append(all, newBlock(s.Title(), s.Group == plan.Removals || s.Group == plan.Access, func(d Detail) []Line { return s.Lines(80, d, "") }))
	}
	addNaming("Waiting or skipped: "+text.Plural(res.Skipped, "user"), false, func(names int) (waits [][]Line) {
		for _, l := range waiting(res, 80, names) {
			if l.Symbol != "" || len(waits) == 0 {
				waits = append(waits, nil)
			}
			waits[len(waits)-1] = append(waits[len(waits)-1], l)
		}
		return waits
	}, 0, "reason")
	var notes [][]Line
	var b strings.Builder
	Text{Now: r.Began.Add(r.Took), withoutManaged: res.NoState}.notes(&b, res)
	for line := range strings.Lines(b.String()) {
		notes = append(notes, []Line{{Text: text.Escape(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "Note: "))}})
	}
	add("Notes: "+fmt.Sprint(len(notes)), unknownRemovals(res) != "", notes, 0, "note")
	return all
}

// foot says what it takes, and of which commit it is.
func (r *Report) foot() string {
	res := r.Result
	if res == nil {
		return ""
	}
	var parts []string
	if res.Estimate != nil {
		parts = append(parts, "Takes "+takes(res.Estimate)+".")
	} else {
		parts = append(parts, fmt.Sprintf("%s in %.1fs.", text.Plural(res.Calls.Total, "call"), res.Seconds))
	}
	of := text.Enclose(" `", PlanID(res), "`") + text.Enclose(" of `", inCode(spec.ShortRevision(res.Revision)), "`")
	return strings.Join(append(parts, text.Enclose("Plan", of, "")), " ")
}

// inCode is text in backticks.
func inCode(s string) string { return strings.ReplaceAll(text.Escape(s), "`", "'") }
