package main

import (
	"fmt"
	"io"
	"strings"

	"usersyncd/spec/text"
)

// A sheet is what a command prints on, as wide as the terminal.
type sheet struct {
	io.Writer
	columns int // 0: it is not a terminal, and lines may be of any length
}

// line writes a line. If it is too long, it goes on in the next one behind an indent.
func (s sheet) line(indent int, format string, args ...any) {
	fmt.Fprintln(s, text.Wrap(text.Escape(fmt.Sprintf(format, args...)), s.columns, indent))
}

// fact writes a name and a text, unless the text is empty.
func (s sheet) fact(left, name, format string, args ...any) {
	if fact := fmt.Sprintf(format, args...); fact != "" {
		indent := len(left) + 11
		if s.columns > 0 && s.columns < 60 { // an id has 36 columns
			indent = len(left) + 1
		}
		if name == "" {
			s.line(indent, "%*s%s", indent, "", fact)
			return
		}
		s.line(indent, "%s%-10s %s", left, name, fact)
	}
}

// command writes a name and a command for people to copy, which is never broken: if it is too long, it has a line of its own.
func (s sheet) command(left, name, command string) {
	line := fmt.Sprintf("%s%-10s %s", left, name, command)
	if s.columns > 0 && (text.Columns(line) > s.columns || name == "" && s.columns < 60) {
		if name != "" {
			fmt.Fprintln(s, left+name)
		}
		line = left + " " + command
	}
	fmt.Fprintln(s, line)
}

// table writes rows of the same length, and reports whether they fit; if they do not, it writes nothing.
func (s sheet) table(rows [][]string) bool {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for j, cell := range row {
			widths[j] = max(widths[j], text.Columns(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for j, cell := range row {
			line += text.Pad(cell, widths[j]) + "  "
		}
		line = strings.TrimRight(line, " ")
		if s.columns > 0 && text.Columns(line) > s.columns {
			return false
		}
		b.WriteString(line + "\n")
	}
	fmt.Fprint(s, b.String())
	return true
}
