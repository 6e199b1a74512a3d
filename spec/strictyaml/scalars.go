package strictyaml

import "strings"

// quotedScalar reads a text in quotes.
func (s *scanner) quotedScalar(quote byte) {
	start := s.mark
	for s.skip(); !s.ended(); s.skip() {
		switch c := s.peek(0); {
		case s.atDocumentMark():
			s.unclosedQuote(start, quote)
			return
		case c == '\\' && quote == '"':
			if !s.escape() {
				return
			}
		case c == quote && quote == '\'' && s.peek(1) == quote:
			s.skip()
		case c == quote:
			s.skip()
			s.afterQuote(start, quote)
			return
		}
	}
	s.unclosedQuote(start, quote)
}

// escape reads all of an escape but its last character.
func (s *scanner) escape() bool {
	at := s.mark
	s.skip()
	digits := 0
	switch s.peek(0) {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	}
	switch {
	case digits > 0:
		for range digits {
			if s.skip(); !isHex(s.peek(0)) {
				s.fail(at, "is an escape without its digits; write \\\\ for a backslash, or put the text in single quotes")
				return false
			}
		}
	case s.ended(), strings.IndexByte("0abt\tnvfre \"'\\/N_LP\r\n", s.peek(0)) < 0:
		s.fail(at, "is a backslash that begins no escape; write \\\\ for a backslash, or put the text in single quotes")
		return false
	}
	return true
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// plain reads a text without quotes, and the white space after it. brokenOff says that there is a line break in that.
func (s *scanner) plain() (end int, brokenOff bool) {
	least := s.indent().column + 1 // of the following lines
	for {
		for !s.blank(0) {
			c := s.peek(0)
			if c == ':' && s.blank(1) || len(s.flow) > 0 && strings.IndexByte(",?[]{}", c) >= 0 {
				return s.at, brokenOff
			}
			s.skip()
			brokenOff = false
		}
		end = s.at
		for !s.ended() && s.blank(0) {
			if c := s.peek(0); c == '\n' {
				brokenOff = true
			} else if c == '\t' && brokenOff && s.column < least {
				s.fail(s.mark, tabIndents)
				return end, brokenOff
			}
			s.skip()
		}
		if s.ended() || s.peek(0) == '#' || s.atDocumentMark() || len(s.flow) == 0 && s.column < least {
			return end, brokenOff
		}
	}
}

// block reads a text after | or >.
func (s *scanner) block() {
	start := s.mark
	column := 0
	for s.skip(); !s.blank(0) && s.peek(0) != '#'; s.skip() {
		switch c := s.peek(0); {
		case c >= '1' && c <= '9' && column == 0:
			column = max(s.indent().column, 0) + int(c-'0')
		case c != '+' && c != '-':
			s.fail(start, s.quotes(start, "begins with "+s.text[start.at:start.at+1]+", which begins a text of several lines"))
			return
		}
	}
	for c := s.peek(0); c == ' ' || c == '\t'; c = s.peek(0) {
		s.skip()
	}
	if !s.blank(0) && s.peek(0) != '#' {
		s.fail(start, s.quotes(start, "begins with "+s.text[start.at:start.at+1]+", which begins a text of several lines"))
		return
	}
	s.skipLine()
	deepest := 0
	for !s.ended() {
		s.skip() // the line break
		for s.peek(0) == ' ' && (column == 0 || s.column < column) {
			s.skip()
		}
		deepest = max(deepest, s.column)
		switch c := s.peek(0); {
		case c == '\n', c == '\r':
			s.skipLine()
			continue
		case c == '\t' && (column == 0 || s.column < column):
			s.fail(s.mark, tabIndents)
			return
		}
		if column == 0 {
			column = max(deepest, s.indent().column+1, 1)
		}
		if s.column != column || s.ended() {
			return
		}
		s.skipLine()
	}
}
