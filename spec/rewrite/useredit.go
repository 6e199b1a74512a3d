package rewrite

import (
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
)

// userEditor changes the mapping of one user in the text of its file.
type userEditor struct {
	*collection
	adds    []spec.Entry // new keys
	dropped string       // a key that is removed
}

func newUserEditor(src *strictyaml.Source, user *strictyaml.Node) (*userEditor, error) {
	if user == nil {
		return nil, strictyaml.ErrUnusual
	}
	c, err := newCollection(src, user)
	return &userEditor{collection: c}, err
}

// mappingsOf returns the mappings of documents by where they begin.
func mappingsOf(docs []*strictyaml.Node) map[spec.Pos]*strictyaml.Node {
	mappings := map[spec.Pos]*strictyaml.Node{}
	for _, doc := range docs {
		for n := range doc.All() {
			if n.Kind == strictyaml.Mapping && mappings[n.Pos] == nil {
				mappings[n.Pos] = n
			}
		}
	}
	return mappings
}

// A parser reads a value of a field.
type parser func(n *strictyaml.Node) (spec.Value, []spec.Problem)

// set changes or adds a key of the user's own mapping.
func (u *userEditor) set(key string, parse parser, v spec.Value) error {
	i := u.find(key)
	if i < 0 {
		u.adds = append(u.adds, spec.Entry{Key: key, Value: v})
		return nil
	}
	done, err := u.setEntries(i, parse, v)
	if err != nil || done {
		return err
	}
	return u.put(i, v)
}

// drop removes a key and its value.
func (u *userEditor) drop(key string) {
	if i := u.find(key); i >= 0 {
		u.dropped = key
		u.remove(i, i)
	}
}

// keyOrder is the position of a key in the order of the format.
func keyOrder(key string) int {
	i := slices.IndexFunc(spec.AllFields(), func(info spec.FieldInfo) bool { return string(info.Field) == key })
	switch {
	case key == spec.KeyID:
		return 1
	case key == spec.KeyPreviousEmail:
		return 2
	case i > 0: // id and previousEmail follow email
		return i + 2
	}
	return i
}

// addAll puts each new key after the nearest key that precedes it in the format's order.
func (u *userEditor) addAll() error {
	slices.SortStableFunc(u.adds, func(a, b spec.Entry) int { return keyOrder(a.Key) - keyOrder(b.Key) })
	for _, add := range u.adds {
		anchor, best := -1, -1
		for i, e := range u.node.Entries {
			if here := keyOrder(e.Key.Text); here > best && here < keyOrder(add.Key) && e.Key.Text != u.dropped {
				anchor, best = i, here
			}
		}
		if anchor < 0 {
			return strictyaml.ErrUnusual // there is always an email, which is first
		}
		u.insert(anchor, add, entryLines(add.Key, add.Value)...)
	}
	return nil
}

// setEntries changes a list or map entry by entry, so that comments and order are kept. done is false, and nothing
// changed, if the value has to be replaced as a whole.
func (u *userEditor) setEntries(i int, parse parser, v spec.Value) (done bool, err error) {
	old := u.all[i].Value
	if old.Kind == strictyaml.Scalar || (old.Kind == strictyaml.Mapping) != v.IsMap() {
		return false, nil
	}
	c, err := newCollection(u.Source, old)
	if err != nil || !c.flow && slices.ContainsFunc(c.all, func(e *textEntry) bool { return !c.ownLine(e) }) {
		return false, err
	}
	if len(v.Entries()) == 0 {
		return c.clear(u.all[i].Key, v)
	}
	field := spec.Field(u.all[i].Key.Text)
	has := make([]spec.Entry, len(c.all))
	for k, e := range c.all {
		has[k] = readEntry(e.Entry, parse)
	}
	find := finder(field, has)
	kept := make([]bool, len(has))
	last := -1 // the last one that is kept
	var missing []spec.Entry
	for _, want := range v.Entries() {
		k := find(want)
		if k < 0 || kept[k] {
			missing = append(missing, want)
			continue
		}
		kept[k], last = true, max(last, k)
		if !sameEntry(field, has[k], want) {
			if err := c.put(k, want.Value); err != nil {
				return false, err
			}
		}
	}
	if c.flow && last < 0 {
		return false, nil
	}
	if last < 0 {
		last = len(has) - 1
	}
	for _, e := range missing {
		c.insert(last, e, flowEntry(e))
	}
	for k := 0; k < len(kept); k++ {
		run := k
		for k < len(kept) && !kept[k] {
			k++
		}
		if k > run {
			c.remove(run, k-1)
		}
	}
	return true, nil
}

// finder returns a function that finds the entry of a map with the key of a wanted one, or the item of a list that can stay as
// it is; -1 for none.
func finder(field spec.Field, has []spec.Entry) func(want spec.Entry) int {
	keys, items := map[string]int{}, map[spec.Value]int{}
	for k, e := range slices.Backward(has) { // the first counts
		keys[e.Key], items[e.Value] = k, k
	}
	info, _ := spec.Lookup(field)
	return func(want spec.Entry) int {
		index, found := keys[want.Key]
		if want.Key == "" {
			index, found = items[want.Value]
		}
		switch {
		case found:
			return index
		case want.Key == "" && info.ComparesParts():
			return slices.IndexFunc(has, func(h spec.Entry) bool { return sameEntry(field, h, want) })
		}
		return -1
	}
}

// clear removes the entries of a block, and leaves the comments between them.
func (c *collection) clear(key *strictyaml.Node, empty spec.Value) (done bool, err error) {
	colon, err := c.End(key)
	if err != nil || c.flow {
		return false, err
	}
	colon += len(c.Text[colon:]) - len(strings.TrimLeft(c.Text[colon:], " "))
	if !strings.HasPrefix(c.Text[colon:], ":") {
		return false, strictyaml.ErrUnusual
	}
	c.Edit(colon+1, colon+1, " "+string(empty))
	c.remove(0, len(c.all)-1)
	return true, nil
}

// readEntry reads an entry as a list or map of this entry alone would be read.
func readEntry(e strictyaml.Entry, parse parser) (out spec.Entry) {
	alone := strictyaml.Node{Kind: strictyaml.List, Items: []*strictyaml.Node{e.Value}}
	if e.Key != nil {
		out.Key = e.Key.Text
		alone = strictyaml.Node{Kind: strictyaml.Mapping, Entries: []strictyaml.Entry{e}}
	}
	if v, _ := parse(&alone); len(v.Entries()) == 1 {
		out.Value = v.Entries()[0].Value
	}
	return out
}

// sameEntry reports whether an entry can stay as it is.
func sameEntry(field spec.Field, has, want spec.Entry) bool {
	switch {
	case has.Key != want.Key:
		return false
	case has.Value == "":
		return want.Key != "" && want.Value == `""` // an empty part reads as none
	case want.Key == "":
		return spec.Equal(field, "["+has.Value+"]", "["+want.Value+"]")
	}
	return has.Value == want.Value
}
