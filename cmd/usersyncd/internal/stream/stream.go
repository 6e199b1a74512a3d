// Package stream is stdout and stderr as a CI runner reads them: nothing that a spec, a file name or the organization says can
// be a command to it.
package stream

import (
	"bytes"
	"io"
	"os"
	"sync"
	"unicode"
	"unicode/utf8"
)

// A Stream writes to stdout or stderr, and escapes the beginning of what CI runners take as a command:
//
//   - "::" at the beginning of a line, after white space of any script, as ":\x3a" (GitHub Actions)
//   - "##[" and "##vso[" anywhere, as "##\x5b" (GitHub Actions, Azure Pipelines)
//
// Text escapes these and what is not printable before; a Stream is where all output passes, also that of other packages.
// JSON and XML have escapes of their own for "##", so that a Stream does not alter their values.
type Stream struct {
	w    io.Writer
	mu   sync.Mutex
	line lineState
	part []byte // the first bytes of a character at the beginning of a line
	last []byte // the end of what was written, up to the length of a prefix
}

type lineState int

const (
	lineStart lineState = iota // only blanks so far
	oneColon                   // and one colon
	inLine
)

// prefixes stand before a bracket that begins a command.
var prefixes = [][]byte{[]byte("##"), []byte("##vso")}

// New returns a Stream that writes to w.
func New(w io.Writer) *Stream { return &Stream{w: w} }

// Write writes text that may be anybody's.
func (s *Stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]byte, 0, len(p))
	for _, c := range p {
		switch {
		case c == '\n' || c == '\r':
			s.line, s.part = lineStart, nil
		case s.line == lineStart && s.blank(c):
		case s.line == lineStart && c == ':':
			s.line = oneColon
		case s.line == oneColon && c == ':':
			out = append(out, `\x3a`...)
			s.line = inLine
			s.last = s.last[:0]
			continue
		default:
			s.line = inLine
		}
		if c == '[' && (bytes.HasSuffix(s.last, prefixes[0]) || bytes.HasSuffix(bytes.ToLower(s.last), prefixes[1])) {
			out = append(out, `\x5b`...)
		} else {
			out = append(out, c)
		}
		if s.last = append(s.last, c); len(s.last) > len(prefixes[1]) {
			s.last = s.last[1:]
		}
	}
	if _, err := s.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// blank reports whether a byte at the beginning of a line is white space, or may become some with the bytes that follow.
func (s *Stream) blank(c byte) bool {
	s.part = append(s.part, c)
	if !utf8.FullRune(s.part) {
		return true
	}
	r, size := utf8.DecodeRune(s.part)
	whole := size == len(s.part)
	s.part = nil
	return whole && unicode.IsSpace(r)
}

// Command writes a line that is a command to the runner, on a line of its own.
func (s *Stream) Command(line string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != lineStart {
		line = "\n" + line
	}
	s.line, s.part = lineStart, nil
	_, err := io.WriteString(s.w, line+"\n")
	return err
}

// Fd is the file descriptor, as of an os.File; of anything else the one that is none.
func (s *Stream) Fd() uintptr {
	if f, ok := s.w.(*os.File); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}
