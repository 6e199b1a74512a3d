package report

import (
	"slices"

	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// A Section has the changes of one group.
type Section struct {
	Group plan.Group
	Users int // with a change in this group
	// entries have equal changes in one, the largest first.
	entries []entry
}

// titles of the groups.
var titles = map[plan.Group]string{
	plan.Removals: "Removals and deactivations", plan.Access: "Access", plan.Renames: "Renames", plan.Creations: "Creations",
	plan.Restores: "Restores", plan.Updates: "Updates", plan.Reported: "Drift, only reported", plan.Unmanaged: "No longer managed",
}

// namesUsers reports whether everybody in a group is named: who is removed, renamed, or may do other things than before.
func namesUsers(g plan.Group) bool {
	return g == plan.Removals || g == plan.Access || g == plan.Renames
}

// Sections returns what a plan changes, or a pass has changed. What is held as a whole, has failed or waits for another user is left out.
func Sections(res *usersync.Result) []Section {
	var shown []*plan.Change
	for _, c := range res.Changes {
		g := c.Group()
		switch c.Outcome {
		case plan.Planned, plan.Deferred:
			if !res.DryRun && c.Outcome == plan.Planned {
				continue // not reached
			}
		case plan.Applied:
		case plan.Skipped:
			if g != plan.Reported && len(c.Withheld) == 0 {
				continue
			}
		default:
			continue
		}
		shown = append(shown, c)
	}
	return Fold(shown)
}

// Fold puts changes into their groups, equal ones into one entry.
func Fold(changes []*plan.Change) []Section {
	folds := map[plan.Group]*folder{}
	for _, c := range changes {
		g := c.Group()
		if folds[g] == nil {
			folds[g] = newFolder()
		}
		folds[g].add(c)
	}
	var all []Section
	for _, g := range plan.Groups() {
		if f := folds[g]; f != nil {
			all = append(all, Section{Group: g, Users: f.users, entries: f.sorted()})
		}
	}
	return all
}

// Title is the section's heading, with the number of its users. That of access names the fields.
func (s Section) Title() string {
	title := titles[s.Group]
	if s.Group == plan.Access {
		var fields []string
		for _, e := range s.entries {
			for _, f := range e.fields() {
				if plan.GivesAccess(spec.Field(f)) && !slices.Contains(fields, f) {
					fields = append(fields, f)
				}
			}
		}
		slices.Sort(fields)
		title += text.Enclose(" (", text.List(fields, 6, len(fields)), ")")
	}
	return title + ": " + text.Plural(s.Users, "user")
}

// A Line is one of the lines of a section.
type Line struct {
	Symbol string // "+", "~", "-" or "." of a new entry; "" if the line goes on with the one before
	Text   string
}

// A Detail is how much of a section is shown.
type Detail int

// The details, from much to little.
const (
	Full   Detail = iota // equal changes in one entry, and everybody is named
	Folded               // the same, but of many entries those of few users folded once more, by their fields, and fewer addresses
	Terse                // entries of few users folded once more, by their fields, and addresses on one line
	Counts               // no line
)

// The most entries and addresses that are shown.
const (
	mostEntries = 12
	mostNamed   = 50 // in a group in which everybody is named
	mostHires   = 4  // of new users with access, before they are folded by it
	fewUsers    = 10 // entries of fewer are folded once more if there are more than mostEntries
)

// Lines returns the section's lines, without its title. Only lists of addresses are broken, at so many columns; an address, a
// value or a command never is. with names what shows all of them: "and 7 more entries: WITH".
func (s Section) Lines(columns int, detail Detail, with string) (lines []Line) {
	if detail == Counts {
		return nil
	}
	var named, others, rest []entry
	for _, e := range s.entries {
		if namesUsers(s.Group) || e.givesAccess() {
			named = append(named, e)
		} else {
			others = append(others, e)
		}
	}
	show := func(entries []entry, most, names int) {
		most = min(len(entries), most)
		for _, e := range entries[:most] {
			lines = append(lines, e.lines(columns, names)...)
		}
		rest = append(rest, entries[most:]...)
	}
	if detail == Full {
		show(slices.Concat(named, others), len(s.entries), s.Users)
		return lines
	}
	if creates := slices.ContainsFunc(named, entry.givesAccess); creates && len(named) > mostHires {
		named = foldByAccess(named)
	}
	if detail != Folded && len(s.entries) > mostEntries {
		named = foldByFields(named)
	}
	if len(others) > mostEntries {
		others = foldByFields(others)
	}
	show(named, mostNamed, map[bool]int{true: mostNamed}[detail == Folded])
	show(others, mostEntries, 0)
	if len(rest) > 0 {
		users := 0
		for _, e := range rest {
			users += len(e.users)
		}
		more := "and " + text.Count(len(rest), "more entry", "more entries") + " of " + text.Plural(users, "user")
		lines = append(lines, Line{Text: more + text.Enclose(": ", with, "")})
	}
	return lines
}

// abridges reports whether Lines leaves something out in this detail.
func (s Section) abridges(columns int, detail Detail) bool {
	return !slices.Equal(s.Lines(columns, detail, ""), s.Lines(columns, Full, ""))
}

// lines of one entry, with the addresses of so many users; 0: of those for which one line has room.
func (e entry) lines(columns, names int) []Line {
	head, below := e.head(columns - 6)
	lines := []Line{{e.symbol, head}}
	for _, line := range below {
		lines = append(lines, Line{Text: line})
	}
	if len(e.users) == 1 {
		return lines
	}
	return append(lines, nameLines(e.users, columns-6, names)...)
}

// nameLines are the addresses of so many users; 0: of those for which one line has room.
func nameLines(users []string, columns, most int) (lines []Line) {
	if most == 0 {
		return []Line{{Text: fitNames(users, columns)}}
	}
	shown := users[:min(len(users), most)]
	for _, line := range listLines(shown, columns) {
		lines = append(lines, Line{Text: line})
	}
	if rest := len(users) - len(shown); rest > 0 {
		lines = append(lines, Line{Text: "and " + text.Count(rest, "more", "more")})
	}
	return lines
}

// fitNames lists as many addresses as fit into a line, at least one, and counts the rest.
func fitNames(users []string, columns int) string {
	line := text.List(users, 1, len(users))
	for n := 2; n <= len(users); n++ {
		longer := text.List(users, n, len(users))
		if text.Columns(longer) > columns {
			break
		}
		line = longer
	}
	return text.Escape(line)
}

// listLines is a list in lines that are broken behind commas.
func listLines(list []string, columns int) (lines []string) { return breakBehind(",", list, columns) }

// breakBehind is a list in lines that are broken behind its separator.
func breakBehind(separator string, list []string, columns int) (lines []string) {
	line := ""
	for i, word := range list {
		if word = text.Escape(word); i < len(list)-1 {
			word += separator
		}
		switch {
		case line == "":
			line = word
		case text.Columns(line)+1+text.Columns(word) <= columns:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}
