package report

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// holdLines are what a guard holds, why, and what to do about it. names is as of nameLines.
func (t Text) holdLines(res *usersync.Result, h plan.Hold, names int) []Line {
	lines := []Line{{"=", heldTitle(res, h)}, {Text: text.Escape(h.Reason)}}
	if h.Releasable() {
		lines = append(lines, nameLines(h.Users, t.columns()-6, names)...)
	} else {
		for _, d := range h.Differences {
			lines = append(lines, Line{Text: d})
		}
		return append(lines, Line{Text: text.Pad(h.ReleasedIf()+":", 24) + releasedBy(res, h)})
	}
	if folders := folders(res, h); folders != "" {
		lines = append(lines, Line{Text: folders})
	}
	advice := func(what, do string) { lines = append(lines, Line{Text: text.Pad(what, 24) + do}) }
	advice(h.ReleasedIf()+":", releasedBy(res, h))
	if len(h.Users) > 1 && t.DetailsCommand != "" {
		advice("To see them:", t.DetailsCommand)
	}
	advice("If it is a mistake:", "restore or correct the specs; none of it is applied")
	return lines
}

// heldTitle says how many users a guard holds, of what, and by which guard.
func heldTitle(res *usersync.Result, h plan.Hold) string {
	title := "Held: " + text.Plural(len(h.Users), "user") + text.Enclose(" to ", heldRemoval(res, h), "")
	if len(h.Fields) > 0 {
		names := make([]string, len(h.Fields))
		for i, f := range h.Fields {
			names[i] = string(f)
		}
		title += " (" + text.List(names, mostParts, len(names)) + ")"
	}
	if !h.Releasable() {
		return title
	}
	return title + ", by " + h.By()
}

// releasedBy is what lets through what is held.
func releasedBy(res *usersync.Result, h plan.Hold) string {
	switch {
	case !h.Releasable():
		return "plan again, and apply that"
	case res.ReleaseWith != nil:
		return res.ReleaseWith(h.ID)
	}
	return "usersyncd release " + h.ID
}

// heldRemoval is how all users of a hold would be removed; "" if they would not, or not all in the same way.
func heldRemoval(res *usersync.Result, h plan.Hold) string {
	removal := ""
	for _, c := range res.Changes {
		if c.Hold != h.ID || h.ID == "" {
			continue
		}
		how := c.Action.Verb()
		if !c.Action.Removes() || removal != "" && removal != how {
			return ""
		}
		removal = how
	}
	return removal
}

// mostFolders is how many folders of a hold are named.
const mostFolders = 3

// folders says how many users of a hold are declared in which folders, or were: a lost folder is what most often explains a hold. It
// is "" where there are no folders, or as many as users.
func folders(res *usersync.Result, h plan.Hold) string {
	held := make(map[string]bool, len(h.Users))
	for _, key := range h.Users {
		held[key] = true
	}
	users, all := map[string]int{}, 0
	for _, c := range res.Changes {
		file := c.Pos.File
		if file == "" && c.Current != nil {
			file = c.Current.Declared.File
		}
		if held[c.Key] && file != "" {
			users[path.Dir(file)+"/"]++
			all++
		}
	}
	delete(users, "./")
	if len(users) == 0 || len(users) >= len(h.Users) {
		return ""
	}
	names := slices.SortedFunc(maps.Keys(users), func(a, b string) int { return cmp.Or(users[b]-users[a], compareNames(a, b)) })
	if users[names[0]] == len(h.Users) {
		return "all in " + text.Escape(names[0])
	}
	var parts []string
	for _, name := range names[:min(len(names), mostFolders)] {
		parts = append(parts, fmt.Sprintf("%d in %s", users[name], text.Escape(name)))
		all -= users[name]
	}
	if all > 0 {
		parts = append(parts, fmt.Sprintf("%d elsewhere", all))
	}
	return strings.Join(parts, ", ")
}
