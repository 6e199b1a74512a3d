package strictyaml

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A scanner reads the tokens of YAML as the library does (libyaml's scanner), without building anything. It counts the nodes that
// there will be, and finds the first mistake: where it begins, and what to write instead.
//
// The library says neither: its errors have the line of what it was reading, which may have begun long before.
type scanner struct {
	text string
	mark // of the next character

	indents    []indent // of the open block lists and maps
	flow       []level  // open brackets
	keys       []key    // what may turn out to be a key, at each level of brackets
	keyAllowed bool
	slot       slot
	last       token // the last node
	anchors    map[string]bool
	tags       bool // the text declares handles of tags
	closed     bool // the document was closed with ...

	nodes   int
	mistake *mistake
	done    bool
}

// mark is a place in the text; line and column, in characters, count from 0.
type mark struct{ at, line, column int }

// mistake is what is wrong, and where it begins.
type mistake struct {
	mark
	message string
}

// indent is a block list or map at a column.
type indent struct {
	column int
	list   bool
	items  bool // of a map: the value of its last key is a list at the map's own column
}

// level is an open bracket.
type level struct {
	mark
	open     byte
	colon    bool // the current entry has one
	explicit bool // and this has ? before its key
}

// key is a node that is a key if a colon follows it.
type key struct {
	mark
	possible, required bool
	slot               slot // what it was in
}

// slot says whether a node may come next.
type slot uint8

const (
	noSlot slot = iota
	entry       // an entry of a list or map in brackets, or the closing bracket
	value       // a node, which is null if none comes
)

// token is a node that was read, from its mark to end.
type token struct {
	mark
	end int
}

// scan reads a text to its end, or to the first mistake, or until there are more than most nodes.
func scan(text string, most int) (nodes int, wrong *mistake) {
	s := scanner{text: text, keys: make([]key, 1), keyAllowed: true, slot: value, anchors: map[string]bool{}, tags: strings.Contains(text, "%TAG")}
	for !s.done && s.nodes <= most {
		s.next()
	}
	return s.nodes, s.mistake
}

// failed reports whether there is a mistake already, so that no other one needs to be described.
func (s *scanner) failed() bool { return s.mistake != nil }

// fail records a mistake. Within brackets the scan goes on, as the mistake may be that a bracket is not closed.
func (s *scanner) fail(at mark, message string) {
	if s.mistake == nil {
		s.mistake = &mistake{at, message}
	}
	s.done = len(s.flow) == 0
}

// peek is the character at an offset from here; 0 at the end.
func (s *scanner) peek(offset int) byte {
	if s.at+offset < len(s.text) {
		return s.text[s.at+offset]
	}
	return 0
}

// blank reports whether the character at an offset is white space or the end.
func (s *scanner) blank(offset int) bool {
	return s.at+offset >= len(s.text) || strings.IndexByte(space, s.text[s.at+offset]) >= 0
}

func (s *scanner) ended() bool { return s.at >= len(s.text) }

// skip goes on by one character.
func (s *scanner) skip() {
	c := s.text[s.at]
	switch {
	case c == '\n':
		s.line, s.column = s.line+1, -1
	case c == '\r': // before a line feed
		s.column--
	case c >= utf8.RuneSelf:
		_, size := utf8.DecodeRuneInString(s.text[s.at:])
		s.at += size - 1
	}
	s.at++
	s.column++
}

func (s *scanner) skipLine() {
	for !s.ended() && s.peek(0) != '\n' {
		s.skip()
	}
}

// skipSpace goes to the next token, past comments.
func (s *scanner) skipSpace() {
	before := " \t" // what may be between here and a comment, and be a tab
	for !s.ended() {
		switch c := s.peek(0); {
		case c == ' ', c == '\r', c == '\t' && (len(s.flow) > 0 || !s.keyAllowed), s.column == 0 && strings.HasPrefix(s.text[s.at:], "\ufeff"):
			s.skip()
		case c == '\t' && strings.HasPrefix(strings.TrimLeft(s.text[s.at:], before), "#"):
			for s.peek(0) != '#' {
				s.skip()
			}
		case c == '#':
			s.skipLine()
			before = space
		case c == '\n':
			s.skip()
			if s.keyAllowed = s.keyAllowed || len(s.flow) == 0; before != space {
				before = ""
			}
		default:
			return
		}
	}
}

// next reads a token.
func (s *scanner) next() {
	s.skipSpace()
	if len(s.flow) == 0 {
		s.unroll(s.column)
	}
	c := s.peek(0)
	switch {
	case s.ended():
		s.endDocument()
		s.done = true
	case s.column == 0 && c == '%' && len(s.flow) == 0:
		s.directive()
	case s.atDocumentMark():
		s.endDocument()
		s.slot, s.keyAllowed, s.closed = value, false, c == '.'
		for range 3 {
			s.skip()
		}
	case s.closed:
		s.fail(s.mark, betweenDocuments)
	case c == '[' || c == '{':
		s.open(c)
	case c == ']' || c == '}':
		s.close(c)
	case c == ',':
		s.comma()
	case c == '-' && s.blank(1):
		s.item()
	case c == '?' && (len(s.flow) > 0 || s.blank(1)):
		s.explicitKey()
	case c == ':' && (len(s.flow) > 0 || s.blank(1)):
		s.colon()
	default:
		s.node(c)
	}
}

func (s *scanner) atDocumentMark() bool {
	rest := s.text[s.at:]
	return s.column == 0 && (strings.HasPrefix(rest, "---") || strings.HasPrefix(rest, "...")) && s.blank(3)
}

// endDocument closes what is open.
func (s *scanner) endDocument() {
	if len(s.flow) > 0 {
		s.mistake = unclosed(s.flow[0])
		s.flow, s.done = nil, true
		return
	}
	s.unroll(-1)
	s.removeKey()
	s.fillSlot()
}

// fillSlot counts the null of a value that is not there.
func (s *scanner) fillSlot() {
	if s.slot == value {
		s.nodes++
	}
	s.slot = noSlot
}

// indent is that of the innermost open block; its column is -1 if there is none.
func (s *scanner) indent() *indent {
	if len(s.indents) == 0 {
		return &indent{column: -1}
	}
	return &s.indents[len(s.indents)-1]
}

// limitDepth ends the scan where the library would not go on.
func (s *scanner) limitDepth() {
	const most = 9_000 // to the library 10,000 brackets, and as many blocks
	if len(s.flow) > most || len(s.indents) > most {
		s.mistake, s.done = &mistake{s.mark, fmt.Sprintf("is nested more than %d levels deep; the format needs fewer", maxDepth)}, true
	}
}

// unroll ends the blocks that are indented further than a column.
func (s *scanner) unroll(column int) {
	for s.indent().column > column {
		s.fillSlot()
		s.indents = s.indents[:len(s.indents)-1]
	}
}

// roll begins a block list or map, unless one is open at the column.
func (s *scanner) roll(at mark, list bool, in slot) {
	in, open := in, s.indent()
	switch {
	case len(s.flow) > 0:
	case open.column < at.column && in == noSlot:
		s.fail(at, s.misplaced(at))
	case open.column < at.column:
		s.nodes++
		s.limitDepth()
		s.indents = append(s.indents, indent{column: at.column, list: list})
	case list && !open.list && in == value:
		s.nodes++
		open.items = true
	case list && !open.list && !open.items:
		s.fail(at, "is a list item among keys; indent it if it belongs to the key above")
	case !list && open.list:
		s.fail(at, keyAmongItems)
	case !list:
		open.items = false
	}
}

// saveKey notes that a key may begin here.
func (s *scanner) saveKey() {
	if s.keyAllowed {
		s.removeKey()
		s.keys[len(s.flow)] = key{s.mark, true, len(s.flow) == 0 && s.indent().column == s.column, s.slot}
	}
}

// removeKey drops what may have been a key. At the column of a map it had to be one.
func (s *scanner) removeKey() {
	k := &s.keys[len(s.flow)]
	if k.possible && k.required {
		s.fail(k.mark, s.noColon(k.mark))
	}
	k.possible = false
}

// beginNode takes the slot for a node that begins here, and may be a key.
func (s *scanner) beginNode(key bool) {
	in := s.indent()
	switch {
	case len(s.flow) > 0 && s.slot == noSlot:
		s.fail(s.mark, s.noComma())
	case len(s.flow) > 0:
	case key && s.column == in.column && !in.list && s.keyAllowed: // the next one
		s.fillSlot()
	case s.slot == noSlot:
		s.fail(s.mark, s.misplaced(s.mark))
	}
	if key {
		s.saveKey()
	}
	s.slot = noSlot
}
