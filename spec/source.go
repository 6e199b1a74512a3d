package spec

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// source is the text of a file, in which nodes are found by their places.
type source struct {
	text    string
	lines   []int // where each line starts
	newline string
	edits   []edit
}

// edit puts a text in place of a part of the source.
type edit struct {
	start, end int
	text       string
}

var (
	errShape = errors.New("its YAML is written in a way that cannot be changed safely; change it by hand, or move the user into a file of its own")
	errEdits = errors.New("two changes meet in one place")
)

func newSource(content []byte) *source {
	s := &source{text: string(content), lines: []int{0}, newline: "\n"}
	if strings.Contains(s.text, "\r\n") {
		s.newline = "\r\n"
	}
	for i, c := range content {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// start is the offset of a node: the library counts columns in characters.
func (s *source) start(y *yaml.Node) (int, error) {
	if y.Line < 1 || y.Line > len(s.lines) || y.Column < 1 {
		return 0, errShape
	}
	at := s.lines[y.Line-1]
	for range y.Column - 1 {
		_, size := utf8.DecodeRuneInString(s.text[at:])
		if size == 0 {
			return 0, errShape
		}
		at += size
	}
	return at, nil
}

// lineStart is where the line of an offset starts.
func (s *source) lineStart(at int) int { return strings.LastIndexByte(s.text[:at], '\n') + 1 }

// lineEnd is the end of the line of an offset, before its line break.
func (s *source) lineEnd(at int) int {
	end := strings.IndexByte(s.text[at:], '\n')
	if end < 0 {
		return len(s.text)
	}
	if end += at; end > 0 && s.text[end-1] == '\r' {
		end--
	}
	return end
}

func (s *source) edit(start, end int, text string) {
	s.edits = append(s.edits, edit{start, end, text})
}

// apply gives the text with all edits. Those of the same place are kept in the order they were made in.
func (s *source) apply() (string, error) {
	slices.SortStableFunc(s.edits, func(a, b edit) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	var b strings.Builder
	at := 0
	for _, e := range s.edits {
		if e.start < at || e.end < e.start {
			return "", errEdits
		}
		b.WriteString(s.text[at:e.start] + e.text)
		at = e.end
	}
	return b.String() + s.text[at:], nil
}
