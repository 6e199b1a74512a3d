package strictyaml

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// ErrUnusual is returned if the extent of a node in the text is not certain.
var ErrUnusual = errors.New("its YAML is written in a way that cannot be changed safely; change it by hand, or move the user into a file of its own")

var errOverlap = errors.New("two changes overlap")

// Source is the text of a file without problems. Offsets are in bytes.
type Source struct {
	Text    string
	Newline string // "\n" or "\r\n"

	lines   []int // offsets of the lines
	line    int   // the last one that Start was asked for, from 1
	columns []int // offsets of its characters, and of its end
	edits   []edit
}

// edit replaces a part of the source.
type edit struct {
	start, end int
	text       string
}

// NewSource makes a source of a file's content.
func NewSource(content []byte) *Source {
	s := &Source{Text: string(content), lines: []int{0}, Newline: "\n"}
	if strings.Contains(s.Text, "\r\n") {
		s.Newline = "\r\n"
	}
	for i, c := range content {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// InFlow reports whether a list or map is written in brackets.
func (n *Node) InFlow() bool { return n.yaml.Style&yaml.FlowStyle != 0 }

// LineStart is where the line of an offset starts.
func (s *Source) LineStart(at int) int { return strings.LastIndexByte(s.Text[:at], '\n') + 1 }

// LineEnd is the end of the line of an offset, before its line break.
func (s *Source) LineEnd(at int) int {
	end := strings.IndexByte(s.Text[at:], '\n')
	if end < 0 {
		return len(s.Text)
	}
	if end += at; end > 0 && s.Text[end-1] == '\r' {
		end--
	}
	return end
}

// Edit replaces a part of the source when Apply is called.
func (s *Source) Edit(start, end int, text string) { s.edits = append(s.edits, edit{start, end, text}) }

// Edits counts the edits.
func (s *Source) Edits() int { return len(s.edits) }

// Apply returns the text with all edits. Edits of the same place keep their order.
func (s *Source) Apply() (string, error) {
	slices.SortStableFunc(s.edits, func(a, b edit) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	var b strings.Builder
	at := 0
	for _, e := range s.edits {
		if e.start < at || e.end < e.start {
			return "", errOverlap
		}
		b.WriteString(s.Text[at:e.start] + e.text)
		at = e.end
	}
	return b.String() + s.Text[at:], nil
}

// Start is the offset of a node.
func (s *Source) Start(n *Node) (int, error) {
	if n.yaml.Line < 1 || n.yaml.Line > len(s.lines) || n.yaml.Column < 1 {
		return 0, ErrUnusual
	}
	if s.line != n.yaml.Line {
		s.line, s.columns = n.yaml.Line, s.columns[:0]
		start, end := s.lines[s.line-1], len(s.Text)
		if s.line < len(s.lines) {
			end = s.lines[s.line]
		}
		for at := range s.Text[start:end] {
			s.columns = append(s.columns, start+at)
		}
		s.columns = append(s.columns, end)
	}
	if n.yaml.Column > len(s.columns) {
		return 0, ErrUnusual
	}
	return s.columns[n.yaml.Column-1], nil
}
