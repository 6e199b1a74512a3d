package rewrite

import (
	"cmp"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
)

// collection edits a list or map in the text of its file.
type collection struct {
	*strictyaml.Source
	node *strictyaml.Node
	all  []*textEntry
	flow bool
}

// textEntry is an entry of a collection, from start to end in the text.
type textEntry struct {
	strictyaml.Entry // Key is nil in a list
	start, end       int
}

func newCollection(s *strictyaml.Source, n *strictyaml.Node) (*collection, error) {
	c := &collection{Source: s, node: n, flow: n.InFlow()}
	entries := slices.Clone(n.Entries)
	for _, item := range n.Items {
		entries = append(entries, strictyaml.Entry{Value: item})
	}
	for _, e := range entries {
		first := e.Key
		if first == nil {
			first = e.Value
		}
		start, noStart := s.Start(first)
		end, noEnd := s.End(e.Value)
		if err := cmp.Or(noStart, noEnd); err != nil {
			return nil, err
		}
		c.all = append(c.all, &textEntry{e, start, end})
	}
	return c, nil
}

// find is the index of a key; -1 if the map does not have it.
func (c *collection) find(key string) int {
	return slices.IndexFunc(c.node.Entries, func(e strictyaml.Entry) bool { return e.Key.Text == key })
}

// ownLine reports whether the line of an entry begins with it, and is not the first of the file.
func (c *collection) ownLine(e *textEntry) bool {
	lead := ""
	if e.Key == nil {
		lead = "-"
	}
	line := c.LineStart(e.start)
	return line > 0 && strings.Trim(c.Text[line:e.start], " ") == lead
}

// put replaces the value of an entry, in the style of the old one.
func (c *collection) put(i int, v spec.Value) error {
	e := c.all[i]
	start, err := c.Start(e.Value)
	if err != nil {
		return err
	}
	block := e.Value.Kind != strictyaml.Scalar && !e.Value.InFlow()
	if block && len(v.Entries()) > 0 {
		indent := c.Text[c.LineStart(start):start]
		if strings.Trim(indent, " ") != "" {
			return strictyaml.ErrUnusual
		}
		c.Edit(start, e.end, strings.Join(lines(v), c.Newline+indent))
		return nil
	}
	if block && e.Key != nil {
		if behind, err := c.End(e.Key); err == nil && strings.Trim(c.Text[behind:start], " \t\r\n") == ":" {
			c.Edit(behind, e.end, ": "+flow(v)) // only the line break is lost
			return nil
		}
	}
	c.Edit(start, e.end, flow(v))
	return nil
}

// insert adds an entry after another. lines are its text in a block.
func (c *collection) insert(after int, e spec.Entry, lines ...string) {
	end := c.all[after].end
	if c.flow {
		c.Edit(end, end, ", "+flowEntry(e))
		return
	}
	end = c.LineEnd(end)
	newline := c.Newline
	if first := c.all[0]; first.Key != nil {
		newline += strings.Repeat(" ", first.Key.Pos.Column-1)
	} else {
		newline += c.Text[c.LineStart(first.start):first.start]
	}
	c.Edit(end, end, newline+strings.Join(lines, newline))
}

// remove removes consecutive entries. If they are not on lines of their own, one before or after them must stay.
func (c *collection) remove(first, last int) {
	switch {
	case !c.flow && c.ownLine(c.all[first]):
		for _, e := range c.all[first : last+1] {
			c.Edit(c.LineEnd(c.LineStart(e.start)-1), c.LineEnd(e.end), "")
		}
	case last+1 < len(c.all):
		c.Edit(c.all[first].start, c.all[last+1].start, "")
	default:
		c.Edit(c.all[first-1].end, c.all[last].end, "")
	}
}
