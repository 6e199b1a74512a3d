package rewrite

import (
	"cmp"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
)

// userEditor changes the mapping of one user in the text of its file.
type userEditor struct {
	*strictyaml.Source
	node    *strictyaml.Node
	adds    []spec.Entry // new keys
	dropped string       // a key that is removed
}

func newUserEditor(src *strictyaml.Source, docs []*strictyaml.Node, at spec.Pos) (*userEditor, error) {
	for _, doc := range docs {
		if n := doc.At(at); n != nil {
			return &userEditor{Source: src, node: n}, nil
		}
	}
	return nil, strictyaml.ErrUnusual
}

// find is the index of a key in the mapping; -1 if it does not have it.
func (u *userEditor) find(key string) int {
	return slices.IndexFunc(u.node.Entries, func(e strictyaml.Entry) bool { return e.Key.Text == key })
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
	e := u.node.Entries[i]
	done, err := setEntries(u.Source, e, parse, v)
	if err != nil || done {
		return err
	}
	return put(u.Source, e, v)
}

// put replaces the value of a key, in the style of the old one.
func put(s *strictyaml.Source, e strictyaml.Entry, v spec.Value) error {
	start, err := s.Start(e.Value)
	if err != nil {
		return err
	}
	end, err := s.End(e.Value)
	if err != nil {
		return err
	}
	block := e.Value.Kind != strictyaml.Scalar && !e.Value.InFlow()
	if block && len(v.Entries()) > 0 {
		indent := s.Text[s.LineStart(start):start]
		if strings.Trim(indent, " ") != "" {
			return strictyaml.ErrUnusual
		}
		s.Edit(start, end, strings.Join(lines(v), s.Newline+indent))
		return nil
	}
	if block {
		if behind, err := s.End(e.Key); err == nil && strings.Trim(s.Text[behind:start], " \t\r\n") == ":" {
			s.Edit(behind, end, ": "+flow(v)) // only the line break is lost
			return nil
		}
	}
	s.Edit(start, end, flow(v))
	return nil
}

// keyOrder is the position of a key in the order of the format.
func keyOrder(key string) int {
	i := slices.IndexFunc(spec.All(), func(info spec.Info) bool { return string(info.Field) == key })
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
	slices.SortStableFunc(u.adds, func(a, b spec.Entry) int { return cmp.Compare(keyOrder(a.Key), keyOrder(b.Key)) })
	for _, add := range u.adds {
		var anchor *strictyaml.Node
		best := -1
		for _, e := range u.node.Entries {
			if here := keyOrder(e.Key.Text); here > best && here < keyOrder(add.Key) && e.Key.Text != u.dropped {
				anchor, best = e.Value, here
			}
		}
		if anchor == nil {
			return strictyaml.ErrUnusual // there is always an email, which is first
		}
		end, err := u.End(anchor)
		if err != nil {
			return err
		}
		if u.node.InFlow() {
			u.Edit(end, end, ", "+flowEntry(add))
			continue
		}
		end = u.LineEnd(end)
		indent := u.Newline + strings.Repeat(" ", u.node.Entries[0].Key.Pos.Column-1)
		u.Edit(end, end, indent+strings.Join(entryLines(add.Key, add.Value), indent))
	}
	return nil
}

// drop removes a key and its value.
func (u *userEditor) drop(key string) error {
	i := u.find(key)
	if i < 0 {
		return nil
	}
	u.dropped = key
	start, err := u.Start(u.node.Entries[i].Key)
	if err != nil {
		return err
	}
	end, err := u.End(u.node.Entries[i].Value)
	if err != nil {
		return err
	}
	switch line := u.LineStart(start); {
	case !u.node.InFlow() && line > 0 && strings.Trim(u.Text[line:start], " ") == "":
		start, end = u.LineEnd(line-1), u.LineEnd(end)
	case i+1 < len(u.node.Entries): // its line begins with another key
		end, err = u.Start(u.node.Entries[i+1].Key)
	default:
		start, err = u.End(u.node.Entries[i-1].Value)
	}
	if err != nil {
		return err
	}
	u.Edit(start, end, "")
	return nil
}
