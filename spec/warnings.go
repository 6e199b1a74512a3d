package spec

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// Warnings are what is probably a mistake, but keeps no user from being applied.
type Warnings struct {
	First []Problem // at most maxWarnings, by place
	Count int       // of all
}

const maxWarnings = 20

func (w *Warnings) add(all ...Problem) {
	w.Count += len(all)
	w.First = append(slices.Clip(w.First), all[:min(len(all), maxWarnings-len(w.First))]...)
}

// Lines are the warnings as sentences. The last one counts those that are left out.
func (w *Warnings) Lines() []string {
	var lines []string
	for _, p := range w.First {
		lines = append(lines, p.String())
	}
	if n := w.Count - len(w.First); n > 0 {
		lines = append(lines, "and "+text.Plural(n, "more warning")+" in the specs")
	}
	return lines
}

// Notes are what qualifies the tree: what of the commit is missing, and the warnings.
func (s *Scan) Notes() []string { return append(s.Gaps(), s.Warnings.Lines()...) }

// Notes are those of the scan, and the warnings about the content of files.
func (t *Tree) Notes() []string { return append(t.Gaps(), t.Warnings.Lines()...) }

// Names that were probably meant to be those of spec files: something follows the extension, as in ana.yaml.bak.
var followedExtension = regexp.MustCompile(`(?i)\.ya?ml[^\p{L}\p{N}]`)

// resemblesSpecFile reports whether the name of a file, which is not that of a spec file, was probably meant to be one:
// something follows the extension, or it is misspelt.
func resemblesSpecFile(name string) bool {
	ext := []rune(strings.ToLower(path.Ext(name)))
	for i, r := range ext {
		if r > '~' {
			ext[i] = '?' // a letter of another script that looks the same
		}
	}
	return followedExtension.MatchString(name) || text.Distance(string(ext), ".yaml", 1) == 1 || text.Distance(string(ext), ".yml", 1) == 1 && ext[1] == 'y' ||
		slices.Equal(slices.Sorted(slices.Values(ext)), []rune(".almy"))
}

// resemblesDefaults reports whether a file was probably meant to be a _defaults.yaml.
func resemblesDefaults(name string) bool {
	return text.Distance(strings.ToLower(stem(path.Base(name))), defaultsName, 2) <= 2
}

// leftovers warns of what a template engine should have replaced.
func leftovers(content []byte, docs []*strictyaml.Node) (found []Problem) {
	if !placeholder.Match(content) { // as in most files
		return nil
	}
	for _, doc := range docs {
		for n := range doc.All() {
			if m := placeholder.FindString(n.Text); n.Kind == strictyaml.Scalar && m != "" {
				found = append(found, Problem{Pos: n.Pos, Field: n.Path(), Message: "contains " + text.Quote(m) + ", which a template engine leaves where it replaced nothing; write the value itself"})
			}
		}
	}
	return found
}

// What templates of Jinja, Helm, GitHub Actions and envsubst consist of.
var placeholder = regexp.MustCompile(`\$?\{\{.*?\}\}|\$\{.*?\}|\{%.*?%\}`)
