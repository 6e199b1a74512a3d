package strictyaml

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"

	"usersyncd/spec/text"
)

// Pos is a place in a file; Line and Column count from 1.
type Pos struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// A Problem is one thing that is wrong with a file, in words that tell its author what to change.
type Problem struct {
	Pos
	Field   string `json:"field,omitempty"` // the path inside the document, such as "phones[1].number"; empty for the whole file
	Message string `json:"message"`
}

func (p Problem) String() string {
	if p.Field == "" {
		return p.Pos.String() + ": " + p.Message
	}
	return p.Pos.String() + ": " + p.Field + ": " + p.Message
}

// SortProblems sorts by file, line, column, field and message.
func SortProblems(problems []Problem) {
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
}

// Kind says what a node is.
type Kind uint8

// The kinds of nodes.
const (
	Broken  Kind = iota // Parse has reported a problem with it
	Scalar              // a single value
	List                //
	Mapping             //
)

func (k Kind) String() string {
	return [...]string{"broken", "a single value", "a list", "a map"}[k]
}

// Node is a value in a file.
type Node struct {
	Kind   Kind
	Quoted bool   // a scalar in quotes, or a block scalar
	Tag    string // what an unquoted scalar would resolve to, such as !!int
	Text   string // the scalar as written, in NFC; of a key, without space around it
	Pos    Pos
	// Escaped says of a scalar with other characters than ASCII that all of them are written as escapes, such as "\u0430".
	Escaped bool

	Items   []*Node // of a list
	Entries []Entry // of a mapping
	Refused []Entry // of a mapping: entries with a bad key
	Bad     bool    // a problem was reported with the node, or with one below it

	yaml   *yaml.Node
	parent *Node // nil for a document
	name   string
	index  int // in the parent, where that is a list
}

// Entry is a key of a mapping and its value.
type Entry struct{ Key, Value *Node }

// Get returns the value of a key; nil if there is none, or no node.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, e := range n.Entries {
		if e.Key.Text == key {
			return e.Value
		}
	}
	return nil
}

// InList reports whether the node is an item of a list.
func (n *Node) InList() bool { return n.parent != nil && n.parent.Kind == List }

// IsNull reports whether nothing was written, or null in one of its spellings.
func (n *Node) IsNull() bool { return n.Kind == Scalar && n.Tag == "!!null" && !n.Quoted }

// IsTyped reports whether the node is an unquoted scalar that YAML reads as a number or a boolean. A date is not one:
// its text is its value.
func (n *Node) IsTyped() bool { return n.Kind == Scalar && !n.Quoted && isTyped(n.Tag) }

func isTyped(tag string) bool { return tag == "!!int" || tag == "!!float" || tag == "!!bool" }

// Written is the text of a scalar before it is brought to NFC.
func (n *Node) Written() string { return n.yaml.Value }

// Content is the node as Go values: string, []any and map[string]any.
func (n *Node) Content() any {
	switch n.Kind {
	case List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = item.Content()
		}
		return out
	case Mapping:
		out := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			out[e.Key.Text] = e.Value.Content()
		}
		return out
	}
	return n.Text
}

// Path is where the node is in its document, such as phones[1].number.
func (n *Node) Path() string {
	switch {
	case n.parent == nil:
		return ""
	case n.parent.Kind == List:
		return n.parent.Path() + "[" + strconv.Itoa(n.index) + "]"
	}
	return PathOf(n.parent.Path(), n.name)
}

// PathOf is the path of a key in the map at a path.
func PathOf(mapping, key string) string {
	name := text.Key(key)
	if len(name) > 40 {
		name = text.Quote(key)
	}
	if mapping != "" {
		return mapping + "." + name
	}
	return name
}

// Merge lays a child over its parent, of which either may be nil: mappings merge key by key, everything else replaces.
// An empty mapping replaces too, as {} is written to have none.
func Merge(parent, child *Node) *Node {
	switch {
	case parent == nil:
		return child
	case child == nil:
		return parent
	case parent.Kind != Mapping || child.Kind != Mapping || len(child.Entries) == 0:
		return child
	}
	out := *child
	out.Entries = slices.Clone(child.Entries)
	above, below := parent.Getter(), child.Getter()
	for i, e := range out.Entries {
		out.Entries[i].Value = Merge(above(e.Key.Text), e.Value)
	}
	for _, e := range parent.Entries {
		if below(e.Key.Text) == nil {
			out.Entries = append(out.Entries, e)
		}
	}
	return &out
}

// ValueAt returns the value of the key at a position; nil if there is none.
func (n *Node) ValueAt(key Pos) *Node {
	for _, e := range n.Entries {
		if e.Key.Pos == key {
			return e.Value
		}
	}
	return n.first(func(below *Node) *Node { return below.ValueAt(key) })
}

// Named returns the scalar with a text, which may be a key; nil if there is none. Values come first, as a role may be
// called "role". A number is not a name.
func (n *Node) Named(name string) *Node {
	if n.Kind == Scalar && !n.IsTyped() && Clean(n.Text) == name {
		return n
	}
	if found := n.first(func(below *Node) *Node { return below.Named(name) }); found != nil {
		return found
	}
	for _, e := range n.Entries {
		if e.Key.Text == name {
			return e.Key
		}
	}
	return nil
}

// first returns the first result of find for the values below the node that is not nil.
func (n *Node) first(find func(below *Node) *Node) *Node {
	for _, item := range n.Items {
		if found := find(item); found != nil {
			return found
		}
	}
	for _, e := range n.Entries {
		if found := find(e.Value); found != nil {
			return found
		}
	}
	return nil
}

// manyEntries is from how many entries on a mapping is indexed to be searched again and again.
const manyEntries = 32

// Getter returns Get, for many keys.
func (n *Node) Getter() func(key string) *Node {
	if n == nil || len(n.Entries) < manyEntries {
		return n.Get
	}
	values := make(map[string]*Node, len(n.Entries))
	for _, e := range n.Entries {
		values[e.Key.Text] = e.Value
	}
	return func(key string) *Node { return values[key] }
}

// All are the node and all below it, keys included, each before those below it.
func (n *Node) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { n.all(yield) }
}

func (n *Node) all(yield func(*Node) bool) bool {
	if !yield(n) {
		return false
	}
	for _, item := range n.Items {
		if !item.all(yield) {
			return false
		}
	}
	for _, e := range n.Entries {
		if !e.Key.all(yield) || !e.Value.all(yield) {
			return false
		}
	}
	return true
}
