package rewrite

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
)

// difference is what has to change in a spec.
type difference struct {
	matched
	fields   []fieldEdit
	id       string   // to be written; "" if it need not change
	previous []string // the former addresses that stay
}

// fieldEdit is a field and the value that it is to have.
type fieldEdit struct {
	info spec.FieldInfo
	want spec.Value
}

// at is where a field is set, or else where the user is declared.
func (d *difference) at(f spec.Field) spec.Pos {
	if at, ok := d.spec.At.Of(f); ok {
		return at
	}
	return d.spec.Pos
}

// dropsPrevious reports whether a former address is removed.
func (d *difference) dropsPrevious() bool { return len(d.previous) < len(d.spec.PreviousEmails) }

// mergeFile plans the changes of a file that declares some of the users.
func (w *writer) mergeFile(name string, matches []matched) error {
	var differ []*difference
	for _, m := range matches {
		if d := w.compare(m); d != nil {
			differ = append(differ, d)
		}
	}
	w.report.Unchanged += len(matches)
	if len(differ) == 0 {
		return nil
	}
	content, err := w.Read(name)
	if err != nil {
		return err
	}
	src := strictyaml.NewSource(content)
	docs, _ := strictyaml.Parse(name, content) // without problems, as OpenOverlay has checked
	mappings, defaults := mappingsOf(docs), w.Defaults(path.Dir(name))
	for _, d := range differ {
		before := src.Edits()
		u, err := newUserEditor(src, mappings[d.spec.Pos])
		if err != nil {
			return err
		}
		if err := w.editUser(u, d, defaults); err != nil {
			return err
		}
		if src.Edits() > before {
			w.report.Unchanged--
			w.report.Updated++
		}
	}
	if src.Edits() == 0 {
		return nil
	}
	changed, err := src.Apply()
	if err != nil {
		return err
	}
	before := w.Declared(name)
	err = w.Replace(name, changed)
	if errors.Is(err, spec.ErrTooLarge) {
		return err
	}
	if err == nil {
		err = verify(before, w.Declared(name), differ)
	}
	if err != nil {
		return fmt.Errorf("%w (the new text would mean something else: %w)", strictyaml.ErrUnusual, err)
	}
	w.content[name] = []byte(changed)
	return nil
}

// compare returns the differences; nil if there are none.
func (w *writer) compare(m matched) *difference {
	d := &difference{matched: m}
	key := m.spec.Key
	for _, info := range w.fields {
		f := info.Field
		want, ok := m.user.Fields.Lookup(f)
		if f == spec.Email {
			want, ok, key = spec.Text(m.user.Key), true, m.user.Key
		}
		got, has := m.spec.Fields.Lookup(f)
		if has && f != spec.Utilization { // a part of it that differs brings the others into the file
			want = spec.Managed(f, got, want)
		}
		same := func() bool { return has && spec.Equal(f, got, want) || !has && spec.IsEmpty(f, want) }
		if !ok || same() {
			continue
		}
		if rest, left := expressible(info, want); len(left) > 0 {
			want = rest
			for _, p := range left {
				w.skipEntry(d.at(f), m.user, p)
			}
		}
		if !same() {
			d.fields = append(d.fields, fieldEdit{info, want})
		}
	}
	if id := strings.ToLower(m.user.ID); id != m.spec.ID && id != "" {
		if d.id = id; !spec.IsGenesysID(id) {
			d.id = ""
			w.skip(m.spec.Pos, m.user, spec.KeyID, errNoID)
		}
	}
	for _, previous := range m.spec.PreviousEmails {
		if other := w.addresses[previous]; previous != key && (other == nil || other == m.user) {
			d.previous = append(d.previous, previous)
		}
	}
	if len(d.fields) == 0 && d.id == "" && !d.dropsPrevious() {
		return nil
	}
	return d
}

// editUser changes the text of one user. Values that the format cannot express are reported, and the text stays.
func (w *writer) editUser(u *userEditor, d *difference, defaults *strictyaml.Node) error {
	written := d.fields[:0]
	for _, c := range d.fields {
		key := string(c.info.Field)
		value, err := ownValue(c.info, c.want, defaults, u.node.Get(key))
		if err == nil {
			err = readable(c.info, value, c.want, defaults.Get(key))
		}
		if err != nil {
			w.skip(d.at(c.info.Field), d.user, key, err)
			continue
		}
		written = append(written, c)
		if err := u.set(key, c.info.Parse, value); err != nil {
			return err
		}
	}
	d.fields = written
	if d.id != "" {
		if err := u.set(spec.KeyID, nil, spec.Text(d.id)); err != nil {
			return err
		}
	}
	if err := d.editPrevious(u); err != nil {
		return err
	}
	return u.addAll()
}

// editPrevious removes former addresses.
func (d *difference) editPrevious(u *userEditor) error {
	switch {
	case !d.dropsPrevious():
		return nil
	case len(d.previous) == 0:
		u.drop(spec.KeyPreviousEmail)
		return nil
	}
	email, _ := spec.Lookup(spec.Email)
	entry := func(list *strictyaml.Node) (spec.Value, []spec.Problem) {
		v, problems := email.Parse(list.Items[0])
		return "[" + v + "]", problems
	}
	return u.set(spec.KeyPreviousEmail, entry, listOf(d.previous))
}

// verify compares the users of a file before and after: they must have the wanted values, and nothing else may have
// changed.
func verify(before, after []*spec.User, differ []*difference) error {
	if len(after) != len(before) {
		return fmt.Errorf("%d users instead of %d", len(after), len(before))
	}
	changed := map[*spec.User]*difference{}
	for _, d := range differ {
		changed[d.spec] = d
	}
	for i := range after {
		if err := verifyUser(before[i], after[i], changed[before[i]]); err != nil {
			return fmt.Errorf("%s: %w", before[i].Key, err)
		}
	}
	return nil
}

func verifyUser(before, after *spec.User, d *difference) error {
	if d == nil {
		d = &difference{previous: before.PreviousEmails}
	}
	if after.ID != cmp.Or(d.id, before.ID) || !slices.Equal(after.PreviousEmails, d.previous) {
		return errors.New("id or previousEmail would change")
	}
	wanted := spec.Fields{}
	for _, c := range d.fields {
		wanted.Set(c.info.Field, c.want)
	}
	for _, info := range spec.AllFields() {
		f := info.Field
		got, has := after.Fields.Lookup(f)
		if want, ok := wanted.Lookup(f); ok {
			if !has || !spec.Equal(f, got, want) {
				return fmt.Errorf("%s would be read as %s", f, got.Display())
			}
		} else if old, had := before.Fields.Lookup(f); had != has || old != got {
			return fmt.Errorf("%s would change to %s", f, got.Display())
		}
	}
	return nil
}
