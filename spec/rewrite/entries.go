package rewrite

import (
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
)

// setEntries changes a list or map entry by entry, so that comments and order are kept. done is false, and nothing
// changed, if the value has to be replaced as a whole.
func setEntries(s *strictyaml.Source, e strictyaml.Entry, parse parser, v spec.Value) (done bool, err error) {
	old, field := e.Value, spec.Field(e.Key.Text)
	if old.Kind == strictyaml.Scalar || (old.Kind == strictyaml.Mapping) != v.IsMap() {
		return false, nil
	}
	t, err := newTextEntries(s, old, parse)
	if err != nil || !t.inLines() {
		return false, err
	}
	if len(v.Entries()) == 0 {
		return t.clear(e.Key, v)
	}
	var missing []spec.Entry
	for _, want := range v.Entries() {
		i := slices.IndexFunc(t.all, func(h *textEntry) bool { return h.says(field, want) })
		if i < 0 && v.IsMap() {
			i = slices.IndexFunc(t.all, func(h *textEntry) bool { return h.has.Key == want.Key })
		}
		if i < 0 || t.all[i].keep {
			missing = append(missing, want)
			continue
		}
		t.all[i].keep = true
		if !t.all[i].says(field, want) {
			t.all[i].change = want.Value
		}
	}
	if t.flow && t.lastKept() < 0 {
		return false, nil
	}
	return true, t.rewrite(missing)
}

// textEntries are the entries of a list or map in the text.
type textEntries struct {
	*strictyaml.Source
	node *strictyaml.Node
	all  []*textEntry
	flow bool
}

type textEntry struct {
	strictyaml.Entry // Key is nil in a list
	has              spec.Entry
	start, end       int
	keep             bool
	change           spec.Value // the new value; "" if it need not change
}

// says reports whether an entry has a value, so that it can stay as it is.
func (t *textEntry) says(field spec.Field, want spec.Entry) bool {
	switch {
	case t.has.Key != want.Key:
		return false
	case t.has.Value == "":
		return want.Key != "" && want.Value == `""` // an empty part reads as none
	case want.Key == "":
		return spec.Equal(field, "["+t.has.Value+"]", "["+want.Value+"]")
	}
	return t.has.Value == want.Value
}

// newTextEntries finds the entries in the text. The value of each is read from a list or map of this entry alone.
func newTextEntries(s *strictyaml.Source, n *strictyaml.Node, parse parser) (*textEntries, error) {
	t := &textEntries{Source: s, node: n, flow: n.InFlow()}
	add := func(first *strictyaml.Node, e strictyaml.Entry, alone strictyaml.Node) (err error) {
		one := &textEntry{Entry: e}
		if e.Key != nil {
			one.has.Key = e.Key.Text
		}
		if v, _ := parse(&alone); v != "" {
			if all := v.Entries(); len(all) == 1 {
				one.has.Value = all[0].Value
			}
		}
		if one.start, err = s.Start(first); err == nil {
			one.end, err = s.End(e.Value)
		}
		t.all = append(t.all, one)
		return err
	}
	for _, item := range n.Items {
		if err := add(item, strictyaml.Entry{Value: item}, strictyaml.Node{Kind: strictyaml.List, Items: []*strictyaml.Node{item}}); err != nil {
			return nil, err
		}
	}
	for _, e := range n.Entries {
		if err := add(e.Key, e, strictyaml.Node{Kind: strictyaml.Mapping, Entries: []strictyaml.Entry{e}}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// inLines reports whether every entry of a block is on lines of its own.
func (t *textEntries) inLines() bool {
	lead := ""
	if t.node.Kind == strictyaml.List {
		lead = "-"
	}
	return t.flow || !slices.ContainsFunc(t.all, func(e *textEntry) bool {
		line := t.LineStart(e.start)
		return line == 0 || strings.Trim(t.Text[line:e.start], " ") != lead
	})
}

// clear removes the entries of a block, and leaves the comments between them.
func (t *textEntries) clear(key *strictyaml.Node, empty spec.Value) (done bool, err error) {
	colon, err := t.End(key)
	if err != nil || t.flow {
		return false, err
	}
	for colon < len(t.Text) && t.Text[colon] == ' ' {
		colon++
	}
	if !strings.HasPrefix(t.Text[colon:], ":") {
		return false, strictyaml.ErrUnusual
	}
	t.Edit(colon+1, colon+1, " "+string(empty))
	t.remove(0, len(t.all)-1)
	return true, nil
}

// rewrite changes and removes entries, and adds the missing ones after the last that stays.
func (t *textEntries) rewrite(missing []spec.Entry) error {
	last := t.lastKept()
	if last < 0 {
		last = len(t.all) - 1
	}
	for _, e := range t.all {
		if e.change != "" {
			if err := put(t.Source, e.Entry, e.change); err != nil {
				return err
			}
		}
	}
	at, lead, tail := t.all[last].end, ", ", ""
	if !t.flow {
		first := t.all[0]
		at, lead = t.LineEnd(at), t.Newline+t.Text[t.LineStart(first.start):first.start]
	}
	for _, e := range missing {
		tail += lead + flowEntry(e)
	}
	if tail != "" {
		t.Edit(at, at, tail)
	}
	for i := 0; i < len(t.all); i++ {
		if t.all[i].keep {
			continue
		}
		run := i
		for i+1 < len(t.all) && !t.all[i+1].keep {
			i++
		}
		t.remove(run, i)
	}
	return nil
}

// lastKept is the index of the last entry that stays; -1 if none does.
func (t *textEntries) lastKept() int {
	for i, e := range slices.Backward(t.all) {
		if e.keep {
			return i
		}
	}
	return -1
}

// remove removes consecutive entries. In a flow, an entry before or after them must stay.
func (t *textEntries) remove(first, last int) {
	switch {
	case !t.flow:
		for _, e := range t.all[first : last+1] {
			t.Edit(t.LineEnd(t.LineStart(e.start)-1), t.LineEnd(e.end), "")
		}
	case last+1 < len(t.all):
		t.Edit(t.all[first].start, t.all[last+1].start, "")
	default:
		t.Edit(t.all[first-1].end, t.all[last].end, "")
	}
}
