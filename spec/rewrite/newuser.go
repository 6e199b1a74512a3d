package rewrite

import (
	"errors"
	"fmt"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
)

const (
	schemaFile = "schema.json"
	schemaHint = "# yaml-language-server: $schema="
)

// newUser is a user without a spec, and the file it gets.
type newUser struct {
	user   *spec.User
	folder string // slash-separated, "." for the root
	file   string // path of the file
}

// compose plans the file of a new user.
func (w *writer) compose(n *newUser) error {
	defaults := w.Defaults(n.folder)
	skipped := len(w.report.Skipped)
	content, wanted := w.newText(n, defaults, false)
	if err := w.check(n, content, defaults, wanted); err != nil { // the format cannot express some value: find out which
		w.report.Skipped = w.report.Skipped[:skipped]
		content, wanted = w.newText(n, defaults, true)
		if err := w.check(n, content, defaults, wanted); err != nil {
			return err
		}
	}
	w.content[n.file] = []byte(content)
	w.report.Created++
	return nil
}

// newText writes a new file, and returns the values that it must be read as. With tryEach, every field is tried alone,
// and one that the format cannot express becomes a comment.
func (w *writer) newText(n *newUser, defaults *strictyaml.Node, tryEach bool) (content string, wanted spec.Fields) {
	var b strings.Builder
	b.WriteString(schemaHint + strings.Repeat("../", strings.Count(n.file, "/")) + schemaFile + "\n")
	wanted = make(spec.Fields, 0, len(n.user.Fields)+1)
	cannot := func(field string, why error) {
		fmt.Fprintf(&b, "# %s: not exported: %s\n", field, why)
		w.skip(spec.Pos{File: n.file, Line: 1, Column: 1}, n.user, field, why)
	}
	for _, info := range w.forNew {
		f := info.Field
		want, ok := n.user.Fields.Lookup(f)
		if f == spec.Email {
			want, ok = spec.Text(n.user.Key), true
		}
		if !ok || inherits(info, want, defaults) {
			continue
		}
		own, err := ownValue(info, want, defaults, nil)
		if err == nil && tryEach {
			err = readable(info, own, want, defaults.Get(string(f)))
		}
		if err != nil {
			rest, left := expressible(info, want)
			for _, p := range left {
				fmt.Fprintf(&b, "# %s: not exported: %s\n", p.Field, p.Message)
				w.skipEntry(spec.Pos{File: n.file, Line: 1, Column: 1}, n.user, p)
			}
			if len(left) > 0 {
				want = rest
				own, err = ownValue(info, want, defaults, nil)
			}
		}
		if err != nil {
			cannot(string(f), err)
			continue
		}
		wanted.Set(f, want)
		b.WriteString(strings.Join(entryLines(string(f), own), "\n") + "\n")
		switch id := n.user.ID; {
		case f != spec.Email || id == "":
		case spec.IsGenesysID(id):
			b.WriteString(spec.KeyID + ": " + scalar(id) + "\n")
		default:
			cannot(spec.KeyID, errNoID)
		}
	}
	return b.String(), wanted
}

var errNoID = errors.New("it is not a Genesys id")

// inherits reports whether the field has the value without being written.
func inherits(info spec.FieldInfo, want spec.Value, defaults *strictyaml.Node) bool {
	above := defaults.Get(string(info.Field))
	if above == nil {
		return spec.IsEmpty(info.Field, want)
	}
	got, _ := info.Parse(above)
	return spec.Equal(info.Field, got, want)
}

// check reads a new file back: it must have the wanted values, and else only inherited ones.
func (w *writer) check(n *newUser, content string, defaults *strictyaml.Node, wanted spec.Fields) error {
	if err := w.Replace(n.file, content); err != nil {
		return err
	}
	users := w.Declared(n.file)
	if len(users) != 1 {
		return fmt.Errorf("it would declare %d users", len(users))
	}
	users[0].Fields = users[0].Fields.Share(n.user.Fields) // they stay in memory until all files are checked together
	got := users[0].Fields
	for f, want := range wanted.All() {
		if !spec.Equal(f, got.Get(f), want) {
			return fmt.Errorf("%s would be read as %s", f, got.Get(f).Display())
		}
	}
	for f := range got.All() {
		if _, ok := wanted.Lookup(f); !ok && defaults.Get(string(f)) == nil {
			return fmt.Errorf("%s would be set", f)
		}
	}
	return nil
}
