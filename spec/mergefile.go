package spec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// matched is a spec and the user of the organization that it is about.
type matched struct{ spec, user *User }

// difference is what of a spec has to change.
type difference struct {
	matched
	fields   []wish
	id       string   // to be written; "" if it is right
	previous []string // the former addresses that stay
}

// dropsPrevious reports whether a former address goes.
func (d *difference) dropsPrevious() bool { return len(d.previous) < len(d.spec.PreviousEmails) }

type wish struct {
	info Info
	want Value
}

// mergeFile plans the changes of a file that declares some of the users.
func (w *writer) mergeFile(o *opener, f file, matches []matched) error {
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
	content, err := readUnmoved(o, &f)
	if err != nil {
		return err
	}
	src, above := newSource(content), w.inherit.above(path.Dir(f.path))
	docs, err := decode(content)
	if err != nil {
		return err
	}
	for _, d := range differ {
		before := len(src.edits)
		own, err := newOwnText(src, docs, d.spec.Pos)
		if err != nil {
			return err
		}
		if err := w.editUser(own, d, above); err != nil {
			return err
		}
		if len(src.edits) > before {
			w.report.Unchanged--
			w.report.Updated++
		}
	}
	if len(src.edits) == 0 {
		return nil
	}
	text, err := src.apply()
	if err != nil {
		return err
	}
	if len(text) > maxFileSize {
		return errTooBig
	}
	read, err := verify(f.path, text, above, w.declarations[f.path], differ)
	if err != nil {
		return fmt.Errorf("%w (the text would have meant something else: %w)", errShape, err)
	}
	w.content[f.path], w.declarations[f.path] = []byte(text), read
	return nil
}

// compare finds what differs; nil if nothing does.
func (w *writer) compare(m matched) *difference {
	d := &difference{matched: m}
	key := m.spec.Key
	for _, info := range w.fields {
		f := info.Field
		want, ok := m.user.Fields[f]
		if f == Email {
			want, ok, key = Text(m.user.Key), true, m.user.Key
		}
		got, has := m.spec.Fields[f]
		if has && f == Voicemail { // what the spec does not name, it does not manage
			want = VoicemailOf(decoded[VoicemailPolicy](want).only(decoded[VoicemailPolicy](got)))
		}
		same := has && Equal(f, got, want) || !has && IsEmpty(f, want)
		if ok && !same {
			d.fields = append(d.fields, wish{info, want})
		}
	}
	if id := strings.ToLower(m.user.ID); id != m.spec.ID && id != "" {
		if d.id = id; !uuid.MatchString(id) {
			d.id = ""
			w.skip(m.spec.Pos, m.user, keyID, errNoID)
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

// editUser changes the text of one user. What the format cannot say stays as it is, and is reported.
func (w *writer) editUser(own *ownText, d *difference, above inherited) error {
	sayable := d.fields[:0]
	for _, c := range d.fields {
		far := above.node.lookup(string(c.info.Field))
		value, err := ownValue(c.info, c.want, above.node, own.node.get(string(c.info.Field)))
		if err == nil {
			err = readable(c.info, value, c.want, far)
		}
		if err != nil {
			at, ok := d.spec.At.Of(c.info.Field)
			if !ok {
				at = d.spec.Pos
			}
			w.skip(at, d.user, string(c.info.Field), err)
			continue
		}
		sayable = append(sayable, c)
		if err := own.set(string(c.info.Field), c.info, value); err != nil {
			return err
		}
	}
	d.fields = sayable
	if d.id != "" {
		if err := own.set(keyID, Info{Field: keyID}, encode(d.id)); err != nil {
			return err
		}
	}
	if err := d.editPrevious(own); err != nil {
		return err
	}
	return own.addAll()
}

// editPrevious takes former addresses out of the text.
func (d *difference) editPrevious(own *ownText) error {
	switch {
	case !d.dropsPrevious():
		return nil
	case len(d.previous) == 0:
		return own.drop(keyPreviousEmail)
	}
	info := Info{Field: keyPreviousEmail, read: func(r *reader, n *node) (Value, bool) {
		var keys []string
		for _, f := range r.previousEmails(n) {
			keys = append(keys, f.key)
		}
		return encode(keys), len(keys) > 0
	}}
	return own.set(keyPreviousEmail, info, encode(d.previous))
}

// verify reads the changed text: it must mean what was meant, and nothing else may have changed.
func verify(name, text string, above inherited, before []declaration, differ []*difference) ([]declaration, error) {
	docs, problems := parse(name, []byte(text))
	if len(problems) > 0 {
		return nil, errors.New(problems[0].String())
	}
	after, problems := readUsers(name, docs, above)
	if len(problems) > 0 {
		return nil, errors.New(problems[0].String())
	}
	if len(after) != len(before) {
		return nil, fmt.Errorf("%d users instead of %d", len(after), len(before))
	}
	changed := map[*User]*difference{}
	for _, d := range differ {
		changed[d.spec] = d
	}
	for i := range after {
		if err := verifyUser(before[i].user, after[i].user, changed[before[i].user]); err != nil {
			return nil, fmt.Errorf("%s: %w", before[i].user.Key, err)
		}
	}
	return after, nil
}

func verifyUser(before, after *User, d *difference) error {
	if d == nil {
		d = &difference{previous: before.PreviousEmails}
	}
	id, wanted := before.ID, Fields{}
	if d.id != "" {
		id = d.id
	}
	if after.ID != id || !slices.Equal(after.PreviousEmails, d.previous) {
		return errors.New("another id or previousEmail")
	}
	for _, c := range d.fields {
		wanted[c.info.Field] = c.want
	}
	for _, info := range table {
		f := info.Field
		got, has := after.Fields[f]
		if want, ok := wanted[f]; ok {
			if !has || !Equal(f, got, want) {
				return fmt.Errorf("%s would be read as %s", f, got.Display())
			}
		} else if old, had := before.Fields[f]; had != has || old != got {
			return fmt.Errorf("%s would change to %s", f, got.Display())
		}
	}
	return nil
}
