package report

import (
	"slices"
	"strings"

	"usersyncd/spec"
)

// givesAccess reports whether an entry is of users who are made to exist with access.
func (e entry) givesAccess() bool {
	return e.creates && slices.ContainsFunc(e.changes, fieldLine.givesAccess)
}

// compact is what new users get, in few lines: access first, then the other fields, and those in which they differ.
func (e entry) compact(columns int) (all []string) {
	var access, other []string
	for _, line := range e.changes {
		if line.givesAccess() {
			access = append(access, line.text)
		} else {
			other = append(other, line.text)
		}
	}
	for _, parts := range [][]string{access, other} {
		if len(parts) > 0 {
			all = append(all, breakBehind(";", parts, columns)...)
		}
	}
	if len(e.others) > 0 {
		list := slices.Sorted(slices.Values(e.others))
		list[0] = "different: " + list[0]
		all = append(all, listLines(list, columns)...)
	}
	return all
}

// foldByAccess puts new users with the same access into one entry.
func foldByAccess(entries []entry) []entry {
	folded := map[string]*entry{}
	for _, e := range entries {
		parts := []string{e.symbol, e.verb}
		for _, line := range e.changes {
			if line.givesAccess() {
				parts = append(parts, line.whole)
			}
		}
		key := strings.Join(parts, "\x00")
		one := folded[key]
		if one == nil {
			e.users = slices.Clone(e.users)
			folded[key] = &e
			continue
		}
		one.addDiffering(e)
	}
	all := make([]entry, 0, len(folded))
	for _, e := range folded {
		slices.SortFunc(e.users, compareNames)
		all = append(all, *e)
	}
	slices.SortFunc(all, entry.compare)
	return all
}

// addDiffering adds users with other fields to an entry, which keeps the fields that are equal.
func (e *entry) addDiffering(other entry) {
	equal := func(line fieldLine, in []fieldLine) bool {
		return slices.ContainsFunc(in, func(l fieldLine) bool { return l.whole == line.whole })
	}
	var kept []fieldLine
	for _, line := range slices.Concat(e.changes, other.changes) {
		switch name := string(line.field); {
		case equal(line, e.changes) && equal(line, other.changes):
			if !equal(line, kept) {
				kept = append(kept, line)
			}
		case !slices.Contains(e.others, name) && line.field != spec.Email && line.field != spec.Name: // every new user has others
			e.others = append(e.others, name)
		}
	}
	e.changes, e.where, e.users = kept, "", append(e.users, other.users...)
}
