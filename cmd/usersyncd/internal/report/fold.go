package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/maruel/natural"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/sync/plan"
)

// An entry is what is done to one user, or the same to several.
type entry struct {
	symbol    string
	verb      string // "deactivate, no longer declared"; "" of an update, of which the fields tell all
	changes   []fieldLine
	users     []string // addresses
	where     string   // of a single user: where it is declared
	different int      // of an entry that is folded by fields: how many different changes it has
	creates   bool     // users who are made to exist
	others    []string // of users with the same access: the fields in which they differ
	order     int      // of the first change among all; no two entries have the same
}

// head is the entry's first line, and what stands below it, in so many columns.
func (e entry) head(columns int) (head string, below []string) {
	what := e.texts()
	switch {
	case e.different > 0:
		names := e.fields()
		what = []string{text.Enclose("", text.List(names, mostParts, len(names)), ": ") + text.Plural(e.different, "different change")}
	case e.creates && len(what)+len(e.others) > 1:
		what = e.compact(columns)
	}
	if len(e.users) == 1 {
		head = text.Escape(e.users[0]) + text.Enclose(" (", text.Escape(e.where), ")")
		if e.verb != "" && e.symbol != "+" { // which says it
			head += ": " + e.verb
		}
		return head, what
	}
	head = text.Plural(len(e.users), "user") + ":"
	if e.verb != "" {
		head += " " + e.verb
	}
	if len(what) == 1 && (e.different > 0 || len(e.changes) == 1 && len(e.others) == 0) {
		return strings.TrimSuffix(head, ":") + map[bool]string{true: ": ", false: ", "}[e.verb == ""] + what[0], nil
	}
	return head, what
}

// texts are the lines of the fields, and fields their names.
func (e entry) texts() (all []string) {
	for _, line := range e.changes {
		all = append(all, line.text)
	}
	return all
}

func (e entry) fields() (all []string) {
	for _, line := range e.changes {
		all = append(all, string(line.field))
	}
	return all
}

// without are the lines of all fields but some.
func (e entry) without(fields ...spec.Field) []fieldLine {
	return slices.DeleteFunc(slices.Clone(e.changes), func(line fieldLine) bool { return slices.Contains(fields, line.field) })
}

// A folder puts equal changes into one entry.
type folder struct {
	users   int
	entries map[string]*entry
}

func newFolder() *folder { return &folder{entries: map[string]*entry{}} }

func (f *folder) add(c *plan.Change) {
	f.users++
	symbol, verb := does(c)
	e := entry{symbol: symbol, verb: verb, changes: fieldLines(c), users: []string{c.Key}, where: where(c), creates: c.Action == plan.Create || c.Action == plan.Restore, order: f.users}
	if c.Group() == plan.Removals {
		e.changes = e.without(spec.State) // the verb tells it
	}
	if c.Action == plan.Create && slices.ContainsFunc(c.Fields, func(fc plan.FieldChange) bool { return fc.Field == spec.Email && fc.After == spec.Text(c.Key) }) {
		e.changes = e.without(spec.Email) // the line above has it
	}
	same := e
	if c.Action == plan.Create {
		same.changes = e.without(spec.Email, spec.Name) // every new user has others
	}
	parts := []string{symbol, verb}
	for _, line := range same.changes {
		parts = append(parts, line.whole)
	}
	key := strings.Join(parts, "\x00")
	if equal := f.entries[key]; equal != nil {
		equal.changes, equal.where = same.changes, ""
		equal.users = append(equal.users, c.Key)
		return
	}
	f.entries[key] = &e
}

func (f *folder) sorted() []entry {
	all := make([]entry, 0, len(f.entries))
	for _, e := range f.entries {
		slices.SortFunc(e.users, compareNames)
		all = append(all, *e)
	}
	slices.SortFunc(all, entry.compare)
	return all
}

// compareNames compares as people sort: a2 before a10.
func compareNames(a, b string) int { return cmp.Or(natural.Compare(a, b), strings.Compare(a, b)) }

// compare orders entries: the largest first, then by address, then as the changes are given: the history has several of a user.
func (e entry) compare(other entry) int {
	return cmp.Or(cmp.Compare(len(other.users), len(e.users)), compareNames(e.users[0], other.users[0]), cmp.Compare(e.order, other.order))
}

// foldByFields puts the entries of few users into one for each set of fields.
func foldByFields(entries []entry) []entry {
	var all []entry
	folded := map[string]*entry{}
	for _, e := range entries {
		if len(e.users) >= fewUsers {
			all = append(all, e)
			continue
		}
		same := e
		if e.creates {
			same.changes = e.without(spec.Email, spec.Name) // every new user has others
		}
		key := e.symbol + "\x00" + e.verb + "\x00" + strings.Join(same.fields(), "\x00")
		if one := folded[key]; one != nil {
			one.changes, one.where = same.changes, ""
			one.users = append(one.users, e.users...)
			one.order = min(one.order, e.order)
			one.different++
			continue
		}
		e.users = slices.Clone(e.users)
		e.different = 1
		folded[key] = &e
	}
	for _, e := range folded {
		if e.different == 1 {
			e.different = 0
		}
		slices.SortFunc(e.users, compareNames)
		all = append(all, *e)
	}
	slices.SortFunc(all, entry.compare)
	return all
}

// does is what a change does to its user: the symbol, and the words.
func does(c *plan.Change) (symbol, verb string) {
	past := ""
	if c.Outcome == plan.Applied {
		past = "d"
	}
	switch c.Group() {
	case plan.Removals:
		symbol, verb = "-", "deactivate"+past
		switch c.Action {
		case plan.Delete:
			verb = "delete" + past + ", no longer declared"
		case plan.Deactivate:
			verb += ", no longer declared"
		default:
			verb += ", state: inactive"
		}
	case plan.Creations:
		symbol, verb = "+", "create"+past
	case plan.Restores:
		symbol, verb = "+", "restore"+past
	case plan.Unmanaged:
		symbol, verb = "-", "not changed in Genesys"
	default:
		symbol = "~"
	}
	if c.Outcome == plan.Deferred || c.Outcome == plan.Skipped && c.Group() != plan.Reported {
		symbol = "."
	}
	return symbol, verb
}

// where is the position of the spec, if there is one.
func where(c *plan.Change) string {
	if c.Action.Removes() || c.Cause == plan.RolledBack || c.Pos.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", c.Pos.File, c.Pos.Line)
}
