package spec

import (
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

const space = " \t\r\n"

func inFlow(y *yaml.Node) bool { return y.Style&yaml.FlowStyle != 0 }

// end is the offset behind a node: the library tells only where nodes start. Comments behind it are not part of it.
func (s *source) end(y *yaml.Node) (int, error) {
	start, err := s.start(y)
	if err != nil {
		return 0, err
	}
	if y.Kind == yaml.ScalarNode {
		return s.scalarEnd(y, start)
	}
	at := start + 1 // behind the bracket
	if len(y.Content) > 0 {
		if at, err = s.end(y.Content[len(y.Content)-1]); err != nil {
			return 0, err
		}
	}
	if !inFlow(y) {
		return at, nil
	}
	for at < len(s.text) {
		switch c := s.text[at]; {
		case c == ']' || c == '}':
			return at + 1, nil
		case c == '#':
			at = s.lineEnd(at)
		case c == ',' || strings.IndexByte(space, c) >= 0:
			at++
		default:
			return 0, errShape
		}
	}
	return 0, errShape
}

func (s *source) scalarEnd(y *yaml.Node, start int) (int, error) {
	switch {
	case y.Style&yaml.DoubleQuotedStyle != 0:
		for at := start + 1; at < len(s.text); at++ {
			switch s.text[at] {
			case '\\':
				at++
			case '"':
				return at + 1, nil
			}
		}
	case y.Style&yaml.SingleQuotedStyle != 0:
		for at := start + 1; at < len(s.text); at++ {
			switch {
			case s.text[at] != '\'':
			case strings.HasPrefix(s.text[at+1:], "'"):
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
	return 0, errShape
}

// plainEnd follows a text without quotes through the source, where a space may be a line break.
func (s *source) plainEnd(value string, at int) (int, error) {
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRuneInString(value[i:])
		if r == ' ' || r == '\t' || r == '\n' {
			i += len(value[i:]) - len(strings.TrimLeft(value[i:], space))
			at += len(s.text[at:]) - len(strings.TrimLeft(s.text[at:], space))
			continue
		}
		if !strings.HasPrefix(s.text[at:], value[i:i+size]) {
			return 0, errShape
		}
		i, at = i+size, at+size
	}
	return at, nil
}

// blockEnd is the end of a text after | or >: the last line with text that is indented as the first one is.
func (s *source) blockEnd(y *yaml.Node, start int) int {
	end := s.lineEnd(start)
	if strings.TrimSpace(y.Value) == "" {
		return end
	}
	indent := -1
	for line := y.Line; line < len(s.lines); line++ { // Line counts from 1: this is the next one
		text := s.text[s.lines[line]:s.lineEnd(s.lines[line])]
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
