package checkout

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A conversion is what git may do between a file and what it keeps of it (gitattributes(5)).
type conversion uint8

const (
	none       conversion = iota
	lineBreaks            // CR LF in the file, LF in the index
	anything
)

// attributes are the rules of a work tree, read folder by folder as they are needed.
type attributes struct {
	workTree string
	autocrlf bool
	macros   map[string][]assignment
	folders  map[string][]rule // by path in the work tree
	info     []rule            // of the repository: they count more
}

// A rule gives attributes to the files that its pattern fits.
type rule struct {
	pattern []string // by segment; "**" is any number of them
	assigns []assignment
}

// An assignment sets one attribute: "true", "false", "" (unspecified) or a value.
type assignment struct{ name, value string }

// unreadable stands for rules that cannot be read: whatever they say may hold for every file.
func unreadable() []rule {
	return []rule{{[]string{"**", "*"}, []assignment{{"filter", "unknown"}}}}
}

func newAttributes(r repo, c config) *attributes {
	convert, known := c.truth("core.autocrlf")
	a := &attributes{workTree: r.workTree, autocrlf: convert || !known, folders: map[string][]rule{}, // "input" is not a truth value
		macros: map[string][]assignment{"binary": {{"diff", "false"}, {"merge", "false"}, {"text", "false"}}}}
	a.info = a.read(filepath.Join(r.commonDir, "info", "attributes"), true)
	return a
}

// of is what may be done to a file, by path in the work tree.
func (a *attributes) of(name string) conversion {
	var all []assignment // what counts more comes later
	for folder, rest := "", name; ; {
		rules, read := a.folders[folder]
		if !read {
			rules = a.read(filepath.Join(a.workTree, filepath.FromSlash(folder), ".gitattributes"), folder == "")
			a.folders[folder] = rules
		}
		all = appendFitting(all, rules, rest)
		step, below, deeper := strings.Cut(rest, "/")
		if !deeper {
			break
		}
		folder, rest = pathBelow(folder, step), below
	}
	has := map[string]string{}
	a.fill(has, appendFitting(all, a.info, name))

	set := func(name string) bool { return has[name] != "" && has[name] != "false" }
	text, known := isText(has["text"])
	if !known {
		text, known = isText(has["crlf"]) // its old name
	}
	switch {
	case set("filter") || set("ident") || set("working-tree-encoding"):
		return anything
	case known && !text:
		return none
	case known || has["eol"] == "lf" || has["eol"] == "crlf" || a.autocrlf:
		return lineBreaks
	}
	return none
}

// isText reports what a value of the attribute text means. git ignores one that it does not know.
func isText(value string) (text, known bool) {
	return value != "false", value == "true" || value == "false" || value == "auto" || value == "input"
}

// appendFitting adds what the rules say of a file, by path relative to where they stand.
func appendFitting(all []assignment, rules []rule, name string) []assignment {
	segments := strings.Split(name, "/")
	for _, r := range rules {
		if fits(r.pattern, segments) {
			all = append(all, r.assigns...)
		}
	}
	return all
}

// fill goes from the last assignment to the first, and takes the first that it meets of each attribute. A macro that is
// set stands for others.
func (a *attributes) fill(has map[string]string, all []assignment) {
	for _, s := range slices.Backward(all) {
		if _, known := has[s.name]; known {
			continue
		}
		if has[s.name] = s.value; s.value == "true" {
			a.fill(has, a.macros[s.name])
		}
	}
}

// read reads a file of rules. Macros count in the topmost one and the repository's own.
func (a *attributes) read(name string, macros bool) []rule {
	text, err := readFile(name, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unreadable()
	}
	var rules []rule
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		pattern, rest := cutPattern(strings.Trim(line, " \t\r\n"))
		if pattern == "" || pattern[0] == '#' || pattern[0] == '!' || strings.HasSuffix(pattern, "/") { // a folder has no attributes
			continue
		}
		assigns := parseAssignments(rest)
		if macro, ok := strings.CutPrefix(pattern, "[attr]"); ok {
			if macros {
				a.macros[macro] = assigns
			}
			continue
		}
		rules = append(rules, rule{segmentsOf(pattern), assigns})
	}
	return rules
}

// cutPattern takes the pattern off a line. It may be in quotes, as C has them.
func cutPattern(line string) (pattern, rest string) {
	if quoted, err := strconv.QuotedPrefix(line); err == nil && quoted[0] == '"' {
		if pattern, err = strconv.Unquote(quoted); err == nil {
			return pattern, line[len(quoted):]
		}
	}
	end := strings.IndexAny(line, " \t")
	if end < 0 {
		return line, ""
	}
	return line[:end], line[end:]
}

func parseAssignments(text string) (all []assignment) {
	for word := range strings.FieldsSeq(text) {
		name, value, hasValue := strings.Cut(word, "=")
		switch {
		case hasValue:
		case name[0] == '-':
			name, value = name[1:], "false"
		case name[0] == '!':
			name, value = name[1:], ""
		default:
			value = "true"
		}
		all = append(all, assignment{name, value})
	}
	return all
}

// segmentsOf splits a pattern. One without a slash fits at any depth, and ** at the end is all that is below.
func segmentsOf(pattern string) []string {
	if !strings.Contains(pattern, "/") {
		return []string{"**", pattern}
	}
	segments := strings.Split(strings.TrimPrefix(pattern, "/"), "/")
	if segments[len(segments)-1] == "**" {
		segments = append(segments, "*")
	}
	return segments
}

// fits reports whether a pattern fits a path, both by segment. It goes back to the last "**" alone, so that no pattern
// takes long.
func fits(pattern, name []string) bool {
	p, n, afterStars, from := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			p++
			afterStars, from = p, n
		case p < len(pattern) && segmentFits(pattern[p], name[n]):
			p, n = p+1, n+1
		case afterStars >= 0: // one segment more is for the stars
			from++
			p, n = afterStars, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "**" {
		p++
	}
	return p == len(pattern)
}

// segmentFits takes a pattern that is not understood for one that fits: too much rather than too little is left unjudged.
func segmentFits(pattern, name string) bool {
	// path.Match negates with ^ alone, and knows no classes such as [:alpha:].
	ok, err := path.Match(strings.ReplaceAll(pattern, "[!", "[^"), name)
	return ok || err != nil || strings.Contains(pattern, "[:")
}
