package spec

import (
	"errors"
	"fmt"
	"strings"

	"usersyncd/spec/text"
)

const (
	schemaFile = "schema.json"
	schemaHint = "# yaml-language-server: $schema="
)

// compose plans the file of a new user.
func (w *writer) compose(n *newcomer) error {
	above := w.inherit.above(n.folder)
	text, wanted, skipped := w.newText(n, above, false)
	d, err := check(n, text, above, wanted)
	if err != nil { // some value is none of the format: find out which
		text, wanted, skipped = w.newText(n, above, true)
		if d, err = check(n, text, above, wanted); err != nil {
			return err
		}
	}
	w.report.Skipped = append(w.report.Skipped, skipped...)
	w.content[n.file], w.declarations[n.file] = []byte(text), []declaration{d}
	w.report.Created++
	return nil
}

// newText writes a new file, and tells the values that it should be read as. With care, every field is tried
// alone, and a comment stands for each that the format cannot say.
func (w *writer) newText(n *newcomer, above inherited, care bool) (content string, wanted Fields, skipped []Problem) {
	var b strings.Builder
	b.WriteString(schemaHint + strings.Repeat("../", strings.Count(n.file, "/")) + schemaFile + "\n")
	wanted = Fields{}
	cannot := func(field string, why error) {
		fmt.Fprintf(&b, "# %s: not exported: %s\n", field, why)
		skipped = append(skipped, Problem{Pos: Pos{n.file, 1, 1}, Field: field, Message: text.Escape(n.user.Key) + ": not exported: " + why.Error()})
	}
	for _, info := range w.forNew {
		f := info.Field
		want, ok := n.user.Fields[f]
		if f == Email {
			want, ok = Text(n.user.Key), true
		}
		if !ok || w.inherits(info, want, above) {
			continue
		}
		own, err := ownValue(info, want, above.node, nil)
		if err == nil && care {
			err = readable(info, own, want, above.node.lookup(string(f)))
		}
		if err != nil {
			cannot(string(f), err)
			continue
		}
		wanted[f] = want
		b.WriteString(strings.Join(entryLines(string(f), own), "\n") + "\n")
		switch id := n.user.ID; {
		case f != Email || id == "":
		case uuid.MatchString(id):
			b.WriteString(keyID + ": " + scalarText(id) + "\n")
		default:
			cannot(keyID, errNoID)
		}
	}
	return b.String(), wanted, skipped
}

var errNoID = errors.New("it is not a Genesys id")

// inherits reports whether a user without a text for the field has the value already, or has none.
func (w *writer) inherits(info Info, want Value, above inherited) bool {
	far := above.node.lookup(string(info.Field))
	if far == nil {
		return IsEmpty(info.Field, want)
	}
	got, _ := info.read(&reader{}, far)
	return Equal(info.Field, got, want)
}

// check reads the text of a new file back: it must say what was wanted, and else only what is inherited.
func check(n *newcomer, text string, above inherited, wanted Fields) (declaration, error) {
	if len(text) > maxFileSize {
		return declaration{}, errTooBig
	}
	docs, problems := parse(n.file, []byte(text))
	if len(problems) > 0 {
		return declaration{}, errors.New(problems[0].String())
	}
	all, problems := readUsers(n.file, docs, above)
	if len(problems) > 0 || len(all) != 1 || !all[0].ok {
		return declaration{}, &InvalidError{append(problems, Problem{Pos: Pos{n.file, 1, 1}, Message: "is not one user"})}
	}
	got := all[0].user
	for f, want := range wanted {
		if !Equal(f, got.Fields[f], want) {
			return declaration{}, fmt.Errorf("%s would be read as %s", f, got.Fields[f].Display())
		}
	}
	for f := range got.Fields {
		if _, ok := wanted[f]; !ok && above.node.lookup(string(f)) == nil {
			return declaration{}, fmt.Errorf("%s would be set", f)
		}
	}
	return all[0], nil
}
