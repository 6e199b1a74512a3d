package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"gopkg.in/yaml.v3" // archived upstream; go.yaml.in/yaml/v3 has the same API, and this package alone imports it

	"usersyncd/spec/text"
)

// Limits of a file. A list of some thousand users is within them.
const (
	MaxFileSize = 2 << 20  // bytes
	LargeFile   = 64 << 10 // bytes: the nodes of a larger file are counted before they are built, of which a hostile one has a hundred times its size
	maxDepth    = 8        // the spec format needs 7
	maxNodes    = 200_000
)

// Parse reads the documents of a file. A node that is refused is Broken and has a Problem. No documents at all means
// that the file as a whole is unusable, or empty.
func Parse(file string, content []byte) (docs []*Node, problems []Problem) {
	if problems = checkEncoding(file, content); len(problems) > 0 {
		return nil, problems
	}
	content, problems = withoutVersion(file, content)
	if len(problems) > 0 {
		return nil, problems
	}
	if len(content) > LargeFile {
		switch nodes, wrong := scan(string(content), maxNodes); {
		case nodes > maxNodes:
			return nil, []Problem{{Pos: Pos{file, 1, 1}, Message: tooManyNodes}}
		case wrong != nil: // not all nodes were counted
			return nil, []Problem{syntaxProblem(file, string(content), nil)}
		}
	}
	raw, err := decode(content)
	if err != nil {
		return nil, []Problem{syntaxProblem(file, string(content), err)}
	}
	c := converter{file: file, content: content}
	for _, y := range raw {
		for _, content := range y.Content { // one, or none
			docs = append(docs, c.convert(content, &Node{}, 1))
		}
	}
	return docs, c.problems
}

var tooManyNodes = fmt.Sprintf("has more than %d values; split it into several files", maxNodes)

// decode never lets the library build maps or structs: there it is quadratic, and panics on "<<:\n? -".
func decode(content []byte) (docs []*yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			docs, err = nil, fmt.Errorf("the YAML parser failed: %v", p)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(content)) // Unmarshal ignores what follows the first document
	for {
		var doc yaml.Node
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, err
		}
		docs = append(docs, &doc)
	}
}

// converter turns the library's nodes into ours, and reports what is refused.
type converter struct {
	file     string
	content  []byte
	source   *Source // of content, once it is needed
	problems []Problem
}

func (c *converter) problem(n *Node, format string, args ...any) {
	c.problems = append(c.problems, Problem{Pos: n.Pos, Field: n.Path(), Message: fmt.Sprintf(format, args...)})
	n.Kind = Broken
	for ; n != nil; n = n.parent {
		n.Bad = true
	}
}

// convert fills n, whose place in the tree is set, from the library's node.
func (c *converter) convert(y *yaml.Node, n *Node, depth int) *Node {
	n.Pos, n.yaml = Pos{c.file, max(y.Line, 1), max(y.Column, 1)}, y
	switch {
	case y.Kind == yaml.AliasNode:
		c.problem(n, "is a YAML alias (*name); write the value out, or put it into a _defaults.yaml")
	case y.Anchor != "":
		c.problem(n, "has a YAML anchor (&name); write the value out where it is needed, or put it into a _defaults.yaml")
	case y.Style&yaml.TaggedStyle != 0:
		c.problem(n, "has a YAML tag (%s); remove the tag", text.Quote(y.Tag))
	case depth > maxDepth:
		c.problem(n, "is nested more than %d levels deep; the format needs fewer", maxDepth)
	case y.Kind == yaml.ScalarNode:
		c.scalar(y, n)
	case y.Kind == yaml.SequenceNode:
		n.Kind = List
		n.Items = make([]*Node, 0, len(y.Content))
		for i, item := range y.Content {
			n.Items = append(n.Items, c.convert(item, &Node{parent: n, index: i}, depth+1))
		}
	case y.Kind == yaml.MappingNode:
		c.mapping(y, n, depth)
	default:
		c.problem(n, "is not a value")
	}
	return n
}

func (c *converter) scalar(y *yaml.Node, n *Node) {
	n.Kind = Scalar
	n.Quoted = y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	n.Tag = y.Tag
	n.Text = norm.NFC.String(y.Value)
	n.Escaped = y.Style&yaml.DoubleQuotedStyle != 0 && !isASCII(y.Value) && c.writtenInASCII(n)
	if r, found := Hidden(n.Text); found {
		c.problem(n, "%s contains %s; remove it", text.Quote(n.Text), Describe(r))
	}
}

func (c *converter) writtenInASCII(n *Node) bool {
	if c.source == nil {
		c.source = NewSource(c.content)
	}
	start, noStart := c.source.Start(n)
	end, noEnd := c.source.End(n)
	return noStart == nil && noEnd == nil && isASCII(c.source.Text[start:end])
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

func (c *converter) mapping(y *yaml.Node, n *Node, depth int) {
	n.Kind = Mapping
	n.Entries = make([]Entry, 0, len(y.Content)/2)
	var lines map[string]int // of the keys so far; a small mapping is searched instead
	if len(y.Content) > 64 {
		lines = make(map[string]int, len(y.Content)/2)
	}
	for pair := range slices.Chunk(y.Content, 2) {
		key := c.convert(pair[0], &Node{parent: n, name: norm.NFC.String(pair[0].Value)}, depth+1)
		key.Text = keyText(pair[0])
		value := c.convert(pair[1], &Node{parent: n, name: key.Text}, depth+1)
		first := lines[key.Text]
		if lines == nil {
			if i := slices.IndexFunc(n.Entries, func(e Entry) bool { return e.Key.Text == key.Text }); i >= 0 {
				first = n.Entries[i].Key.Pos.Line
			}
		}
		switch {
		case key.Kind == Broken:
		case key.Kind != Scalar:
			if key.InFlow() && n.InFlow() && key.Pos == (Pos{c.file, n.Pos.Line, n.Pos.Column + 1}) {
				c.problem(n, "begins with {{, as a template does; write what the template engine should have made of it")
				return
			}
			c.problem(key, "a key must be text, not a list or a map")
		case key.Tag == "!!merge":
			c.problem(key, "<< (a YAML merge key) is not supported; put what users share into a _defaults.yaml")
		case strings.TrimLeftFunc(pair[0].Value, isWideSpace) != pair[0].Value:
			r, _ := utf8.DecodeRuneInString(pair[0].Value)
			c.problem(key, "begins with %U, a space that does not indent; write ordinary spaces", r)
		case !key.Quoted && value.IsNull() && value.Text == "" && WithoutSpace(key.Text) != "":
			c.problem(key, "%s", WithoutSpace(key.Text))
		case !key.Quoted && (key.Tag == "!!null" || isTyped(key.Tag)):
			c.problem(key, "YAML does not read this key as text; put it in quotes: %s", text.Quote(key.Text))
		case first > 0:
			c.problem(key, "is set twice, first in line %d; keep one", first)
		default:
			if lines != nil {
				lines[key.Text] = key.Pos.Line
			}
			n.Entries = append(n.Entries, Entry{key, value})
			continue
		}
		n.Refused = append(n.Refused, Entry{key, value})
	}
}

func isWideSpace(r rune) bool { return r >= utf8.RuneSelf && unicode.IsSpace(r) }

// keyText is the text of a key, also of one that is refused.
func keyText(y *yaml.Node) string {
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	return Clean(y.Value)
}
