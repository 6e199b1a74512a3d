package spec

import "strconv"

type kind uint8

const (
	broken kind = iota // reported already; readers pass over it
	scalar
	list
	mapping
)

// node is a YAML node that passed the checks of parse: no aliases, no tags, no merge keys.
type node struct {
	kind   kind
	quoted bool   // a scalar in quotes, or a block scalar
	tag    string // what an unquoted scalar would resolve to, such as !!int
	text   string // the scalar as written, in NFC
	pos    Pos

	items   []*node // of a list
	entries []entry // of a mapping

	parent *node // nil for a document
	name   string
	index  int // in the parent, where that is a list

	bad  bool    // it or something below it is broken
	lost []entry // of a mapping: those that were refused for their key
}

type entry struct{ key, value *node }

// get finds a value by its key.
func (n *node) get(key string) *node {
	for _, e := range n.entries {
		if e.key.text == key {
			return e.value
		}
	}
	return nil
}

// isNull reports whether nothing was written, or null in one of its spellings.
func (n *node) isNull() bool { return n.kind == scalar && n.tag == "!!null" && !n.quoted }

// content is what the node says, for encode.
func (n *node) content() any {
	switch n.kind {
	case list:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.content()
		}
		return out
	case mapping:
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			out[e.key.text] = e.value.content()
		}
		return out
	}
	return n.text
}

// path is where the node is in its document, such as phones[1].number.
func (n *node) path() string {
	switch {
	case n.parent == nil:
		return ""
	case n.parent.kind == list:
		return n.parent.path() + "[" + strconv.Itoa(n.index) + "]"
	}
	name := plainOrQuoted(n.name)
	if len(name) > 40 {
		name = quote(n.name)
	}
	if p := n.parent.path(); p != "" {
		return p + "." + name
	}
	return name
}

// merge lays a nearer mapping over a farther one: mappings merge key by key, everything else replaces.
// An empty mapping replaces too, as writing {} means "make it empty".
func merge(far, near *node) *node {
	if far == nil {
		return near
	}
	if far.kind != mapping || near.kind != mapping || len(near.entries) == 0 {
		return near
	}
	out := *near
	out.entries = append([]entry(nil), near.entries...)
	for i, e := range out.entries {
		if below := far.get(e.key.text); below != nil {
			out.entries[i].value = merge(below, e.value)
		}
	}
	for _, e := range far.entries {
		if near.get(e.key.text) == nil {
			out.entries = append(out.entries, e)
		}
	}
	return &out
}
