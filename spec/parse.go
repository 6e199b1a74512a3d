package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"gopkg.in/yaml.v3" // archived upstream; go.yaml.in/yaml/v3 has the same API, and this package alone imports it

	"usersyncd/spec/text"
)

// Limits of a file. They are a protection: the YAML library's time grows with the square of
// a hostile input's size.
const (
	maxFileSize = 64 << 10 // bytes
	maxDepth    = 8        // the format needs 7
	maxNodes    = 20_000   // more than 64 KiB of users can have
)

// parse reads the documents of one file. YAML that can mean something else than it shows (anchors,
// merge keys, tags, invisible characters) is a problem, and what holds it comes back broken.
// No documents at all means that the file as a whole is unusable, or empty.
func parse(file string, content []byte) (docs []*node, problems []Problem) {
	if problems = checkText(file, content); len(problems) > 0 {
		return nil, problems
	}
	raw, err := decode(content)
	if err != nil {
		return nil, []Problem{syntaxProblem(file, err)}
	}
	c := converter{file: file}
	for _, y := range raw {
		for _, content := range y.Content { // one, or none
			docs = append(docs, c.convert(content, &node{}, 1))
		}
	}
	if c.nodes > maxNodes {
		return nil, []Problem{{Pos: Pos{file, 1, 1}, Message: fmt.Sprintf("has more than %d values; split it into several files", maxNodes)}}
	}
	return docs, c.problems
}

// decode never lets the library build maps or structs: there it is quadratic, and panics on "<<:\n? -".
func decode(content []byte) (docs []*yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			docs, err = nil, fmt.Errorf("the YAML library gave up: %v", p)
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

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line ([0-9]+): )?`)

// syntaxProblem says "near" because the library's line may be off by one.
func syntaxProblem(file string, err error) Problem {
	m := yamlLine.FindStringSubmatch(err.Error())
	why := text.Escape(strings.TrimPrefix(err.Error(), m[0]))
	if why == "did not find expected <document start>" {
		why = "text follows the end of a document; write --- between two documents"
	}
	line, convErr := strconv.Atoi(m[1])
	if convErr != nil || line < 1 {
		return Problem{Pos: Pos{file, 1, 1}, Message: "not valid YAML: " + why}
	}
	return Problem{Pos: Pos{file, line, 1}, Message: fmt.Sprintf("not valid YAML near line %d: %s", line, why)}
}

// checkText refuses bytes that make a file mean something else to the parser than to the eye of a
// reviewer, comments included.
func checkText(file string, content []byte) []Problem {
	at := func(line, column int, format string, args ...any) []Problem {
		return []Problem{{Pos: Pos{file, line, column}, Message: fmt.Sprintf(format, args...)}}
	}
	switch {
	case bytes.HasPrefix(content, []byte("\xef\xbb\xbf")):
		return at(1, 1, "starts with a byte order mark; save it as UTF-8 without BOM")
	case bytes.HasPrefix(content, []byte("\xff\xfe")), bytes.HasPrefix(content, []byte("\xfe\xff")):
		return at(1, 1, "is UTF-16; save it as UTF-8")
	}
	line, column := 1, 1
	for i := 0; i < len(content); {
		r, size := utf8.DecodeRune(content[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return at(line, column, "is not UTF-8 (byte 0x%02X); save it as UTF-8", content[i])
		case r == '\r' && !bytes.HasPrefix(content[i+1:], []byte("\n")):
			return at(line, column, "has a lone carriage return; end lines with LF or CR LF")
		case r != '\t' && r != '\n' && r != '\r' && deceptive(r):
			return at(line, column, "has %s here, which hides or reorders text; remove it", describe(r))
		}
		i += size
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return nil
}

// deceptive runes are control characters, line separators (which end a YAML comment unseen) and bidi controls.
func deceptive(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

// invisible runes are all that have no place in a value: the deceptive ones, and what takes no room.
func invisible(r rune) bool {
	return deceptive(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

func describe(r rune) string {
	what := "an invisible character"
	switch {
	case r == '\n':
		what = "a line break"
	case r == '\t':
		what = "a tab"
	case unicode.IsControl(r):
		what = "a control character"
	case unicode.Is(unicode.Bidi_Control, r):
		what = "a text direction character"
	}
	return fmt.Sprintf("%s (%U)", what, r)
}

// quote is a piece of a spec within a message.
func quote(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "..."
	}
	return strconv.Quote(s)
}

// converter turns the library's nodes into ours, and reports what we do not take.
type converter struct {
	file     string
	problems []Problem
	nodes    int
}

func (c *converter) problem(n *node, message string) {
	c.problems = append(c.problems, Problem{Pos: n.pos, Field: n.path(), Message: message})
	n.kind = broken
	for ; n != nil; n = n.parent {
		n.bad = true
	}
}

func (c *converter) convert(y *yaml.Node, n *node, depth int) *node {
	n.pos = Pos{c.file, max(y.Line, 1), max(y.Column, 1)}
	if c.nodes++; c.nodes > maxNodes {
		return n
	}
	switch {
	case y.Kind == yaml.AliasNode:
		c.problem(n, "is a YAML alias (*name); write the value out, or put it into a _defaults.yaml")
		return n
	case y.Anchor != "":
		c.problem(n, "has a YAML anchor (&name); write the value out where it is needed, or put it into a _defaults.yaml")
		return n
	case y.Style&yaml.TaggedStyle != 0:
		c.problem(n, fmt.Sprintf("has a YAML tag (%s); remove the tag", quote(y.Tag)))
		return n
	case depth > maxDepth:
		c.problem(n, fmt.Sprintf("is nested more than %d levels deep; the format needs fewer", maxDepth))
		return n
	}
	switch y.Kind {
	case yaml.ScalarNode:
		c.scalar(y, n)
	case yaml.SequenceNode:
		n.kind = list
		n.items = make([]*node, 0, len(y.Content))
		for i, item := range y.Content {
			n.items = append(n.items, c.convert(item, &node{parent: n, index: i}, depth+1))
		}
	case yaml.MappingNode:
		c.mapping(y, n, depth)
	default:
		c.problem(n, "is not a value")
	}
	return n
}

func (c *converter) scalar(y *yaml.Node, n *node) {
	n.kind = scalar
	n.quoted = y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	n.tag = y.Tag
	n.text = norm.NFC.String(y.Value)
	if i := strings.IndexFunc(n.text, invisible); i >= 0 {
		r, _ := utf8.DecodeRuneInString(n.text[i:])
		c.problem(n, fmt.Sprintf("%s contains %s; write it without", quote(n.text), describe(r)))
	}
}

func (c *converter) mapping(y *yaml.Node, n *node, depth int) {
	n.kind = mapping
	n.entries = make([]entry, 0, len(y.Content)/2)
	seen := newKeys(len(y.Content) / 2)
	for pair := range slices.Chunk(y.Content, 2) {
		key := c.convert(pair[0], &node{parent: n, name: norm.NFC.String(pair[0].Value)}, depth+1)
		key.text = keyText(pair[0])
		value := c.convert(pair[1], &node{parent: n, name: key.text}, depth+1)
		switch first, twice := seen.find(n, key.text); {
		case key.kind == broken:
		case key.kind != scalar:
			c.problem(key, "a key must be a word, not a list or a map")
		case key.tag == "!!merge":
			c.problem(key, "<< (a YAML merge key) is not supported; put what users share into a _defaults.yaml")
		case !key.quoted && (key.tag == "!!null" || isTyped(key.tag)):
			c.problem(key, fmt.Sprintf("a key that YAML takes for something else than text; write it in quotes: %s", quote(key.text)))
		case twice:
			c.problem(key, fmt.Sprintf("is set twice; the first is in line %d. Keep one", first.Line))
		default:
			seen.add(key)
			n.entries = append(n.entries, entry{key, value})
			continue
		}
		n.lost = append(n.lost, entry{key, value})
	}
}

// keyText is the text of a key, also of one that is refused.
func keyText(y *yaml.Node) string {
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	return clean(y.Value)
}

// keys finds a key among those before it: in a map, or where there are few, among the entries themselves.
type keys map[string]Pos

const fewKeys = 32

func newKeys(n int) keys {
	if n <= fewKeys {
		return nil
	}
	return make(keys, n)
}

func (k keys) add(key *node) {
	if k != nil {
		k[key.text] = key.pos
	}
}

func (k keys) find(n *node, text string) (Pos, bool) {
	if k != nil {
		pos, ok := k[text]
		return pos, ok
	}
	for _, e := range n.entries {
		if e.key.text == text {
			return e.key.pos, true
		}
	}
	return Pos{}, false
}

// isTyped reports whether an unquoted scalar with the tag would be read as something else than its text.
// A date is not: its text is its value.
func isTyped(tag string) bool {
	return tag == "!!int" || tag == "!!float" || tag == "!!bool"
}
