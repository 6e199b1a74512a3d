package strictyaml

import (
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

const space = " \t\r\n"

// End is the offset after a node, without the comments that follow it. It is found by the node's style and its last
// child: the library tells only where nodes start.
func (s *Source) End(n *Node) (at int, err error) {
	start, err := s.Start(n)
	if err != nil {
		return 0, err
	}
	at = start + 1 // after the bracket
	switch {
	case n.Kind == Scalar:
		return s.scalarEnd(n.yaml, start)
	case len(n.Items) > 0:
		at, err = s.End(n.Items[len(n.Items)-1])
	case len(n.Entries) > 0:
		at, err = s.End(n.Entries[len(n.Entries)-1].Value)
	}
	if err != nil || !n.InFlow() {
		return at, err
	}
	for at < len(s.Text) {
		switch c := s.Text[at]; {
		case c == ']' || c == '}':
			return at + 1, nil
		case c == '#':
			at = s.LineEnd(at)
		case c == ',' || strings.IndexByte(space, c) >= 0:
			at++
		default:
			return 0, ErrUnusual
		}
	}
	return 0, ErrUnusual
}

func (s *Source) scalarEnd(y *yaml.Node, start int) (int, error) {
	switch {
	case y.Style&yaml.DoubleQuotedStyle != 0:
		for at := start + 1; at < len(s.Text); at++ {
			switch s.Text[at] {
			case '\\':
				at++
			case '"':
				return at + 1, nil
			}
		}
	case y.Style&yaml.SingleQuotedStyle != 0:
		for at := start + 1; at < len(s.Text); at++ {
			switch {
			case s.Text[at] != '\'':
			case strings.HasPrefix(s.Text[at+1:], "'"):
				at++
			default:
				return at + 1, nil
			}
		}
	case y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return s.blockEnd(y, start), nil
	default:
		return s.plainEnd(y.Value, start)
	}
	return 0, ErrUnusual
}

// plainEnd finds the end of a text without quotes, in which a space may be written as a line break.
func (s *Source) plainEnd(value string, at int) (int, error) {
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRuneInString(value[i:])
		if r == ' ' || r == '\t' || r == '\n' {
			i += len(value[i:]) - len(strings.TrimLeft(value[i:], space))
			at += len(s.Text[at:]) - len(strings.TrimLeft(s.Text[at:], space))
			continue
		}
		if !strings.HasPrefix(s.Text[at:], value[i:i+size]) {
			return 0, ErrUnusual
		}
		i, at = i+size, at+size
	}
	return at, nil
}

// blockEnd is the end of a text after | or >: its last line that is not empty and indented like the first.
func (s *Source) blockEnd(y *yaml.Node, start int) int {
	end := s.LineEnd(start)
	if strings.TrimSpace(y.Value) == "" {
		return end
	}
	indent := -1
	for line := y.Line; line < len(s.lines); line++ { // y.Line counts from 1
		text := s.Text[s.lines[line]:s.LineEnd(s.lines[line])]
		here := len(text) - len(strings.TrimLeft(text, " "))
		switch {
		case strings.TrimSpace(text) == "":
			continue
		case indent < 0:
			indent = here
		case here < indent:
			return end
		}
		end = s.lines[line] + len(text)
	}
	return end
}
