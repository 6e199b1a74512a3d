package checkout

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// A conversion is what git may do between a file and its blob (gitattributes(5)).
type conversion uint8

const (
	none       conversion = iota
	lineBreaks            // CR LF in the file, LF in the index
	anything
)

// attributes are the rules of a work tree. Those of a folder are read when they are first needed.
type attributes struct {
	workTree string
	autocrlf bool
	macros   map[string][]assignment
	folders  map[string][]rule // by path in the work tree
	info     []rule            // of info/attributes, which override the others
}

// A rule gives attributes to the files that match its pattern.
type rule struct {
	pattern string // for doublestar
	assigns []assignment
}

// An assignment sets one attribute: "true", "false", "" (unspecified) or a value.
type assignment struct{ name, value string }

func newAttributes(r repo, c config) *attributes {
	convert, known := c.truth("core.autocrlf")
	a := &attributes{workTree: r.workTree, autocrlf: convert || !known, folders: map[string][]rule{}, // "input" is not a boolean
		macros: map[string][]assignment{"binary": {{"diff", "false"}, {"merge", "false"}, {"text", "false"}}}}
	a.info = a.read(filepath.Join(r.commonDir, "info", "attributes"), true)
	return a
}

// of is the conversion of a file, by path in the work tree.
func (a *attributes) of(name string) conversion {
	var all []assignment // later ones override
	for folder, rest := "", name; ; {
		rules, read := a.folders[folder]
		if !read {
			rules = a.read(filepath.Join(a.workTree, folder, ".gitattributes"), folder == "")
			a.folders[folder] = rules
		}
		all = appendMatching(all, rules, rest)
		step, below, deeper := strings.Cut(rest, "/")
		if !deeper {
			break
		}
		folder, rest = pathBelow(folder, step), below
	}
	has := map[string]string{}
	a.fill(has, appendMatching(all, a.info, name))

	set := func(name string) bool { return has[name] != "" && has[name] != "false" }
	text, known := isText(has["text"])
	if !known {
		text, known = isText(has["crlf"]) // its former name
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

// isText is the meaning of a value of the attribute text. git ignores a value that it does not know.
func isText(value string) (text, known bool) {
	return value != "false", value == "true" || value == "false" || value == "auto" || value == "input"
}

// appendMatching adds the assignments of the rules that match a file, by path relative to the rules' folder.
func appendMatching(all []assignment, rules []rule, name string) []assignment {
	for _, r := range rules {
		if matches(r.pattern, name) {
			all = append(all, r.assigns...)
		}
	}
	return all
}

// fill sets the attributes, later assignments first. A macro that is set stands for other assignments.
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

// maxRules is how many rules of one file are known: each is compared with every file that differs from the index.
const maxRules = 1000

// read reads a file of rules. Macros may be defined in the root folder and in info/attributes.
func (a *attributes) read(name string, macros bool) []rule {
	anyFile := []rule{{"**", []assignment{{"filter", "unknown"}}}} // what is not known may apply to every file
	text, err := readFile(name, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return anyFile
	}
	var rules []rule
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		pattern, rest := cutPattern(strings.Trim(line, " \t\r\n"))
		if pattern == "" || pattern[0] == '#' || pattern[0] == '!' || strings.HasSuffix(pattern, "/") { // attributes are of files
			continue
		}
		assigns := parseAssignments(rest)
		if macro, ok := strings.CutPrefix(pattern, "[attr]"); ok {
			if macros {
				a.macros[macro] = assigns
			}
			continue
		}
		if rules = append(rules, rule{globOf(pattern), assigns}); len(rules) > maxRules {
			return anyFile
		}
	}
	return rules
}

// cutPattern splits the pattern from a line. It may be in quotes, as in C.
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

// globOf translates a pattern for doublestar. One without a slash matches at any depth, and ** at the end matches all
// that is below.
func globOf(pattern string) string {
	if !strings.Contains(pattern, "/") {
		pattern = "**/" + pattern
	}
	if strings.HasSuffix(pattern, "/**") {
		pattern += "/*"
	}
	return bracesAreText.Replace(strings.TrimPrefix(pattern, "/"))
}

// bracesAreText escapes braces, which are alternatives to doublestar and text to git.
var bracesAreText = strings.NewReplacer(`\\`, `\\`, `\{`, `\{`, `\}`, `\}`, "{", `\{`, "}", `\}`)

// matches reports whether a file matches. An invalid pattern matches: rather too many files are not compared than too few.
func matches(glob, name string) bool {
	ok, err := doublestar.Match(glob, name)
	return ok || err != nil || strings.Contains(glob, "[:") // which is a class, such as [:alpha:]
}
