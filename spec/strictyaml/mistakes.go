package strictyaml

import (
	"fmt"
	"regexp"
	"strings"

	"usersyncd/spec/text"
)

const (
	tabIndents    = "is a tab, which does not indent in YAML; use spaces"
	keyAmongItems = "is among list items; write - before it, or indent it if it belongs to the item above"

	betweenDocuments = "follows the end of a document; write --- between two documents"
)

func unclosed(in level) *mistake {
	return &mistake{in.mark, fmt.Sprintf("opens a %s that is not closed; write %q at its end", map[byte]string{'[': "list", '{': "map"}[in.open], string(in.open+2))}
}

// rest is the text from a place to the end of its line, and within brackets to the end of the entry; without a comment.
func (s *scanner) rest(from mark) string {
	if s.failed() {
		return ""
	}
	line := s.text[from.at:]
	if end := strings.IndexAny(line, "\r\n"); end >= 0 {
		line = line[:end]
	}
	if end := strings.Index(line, " #"); end >= 0 {
		line = line[:end]
	}
	if end := strings.IndexAny(line, ",]}"); end > 0 && len(s.flow) > 0 {
		line = line[:end]
	}
	return strings.TrimSpace(line)
}

// quotes says why a text needs quotes, and how it looks in them.
func (s *scanner) quotes(from mark, why string) string {
	if rest := s.rest(from); rest != "" && len(rest) <= 60 && !strings.Contains(rest, `"`) {
		return why + "; put the text in quotes: " + text.Quote(rest)
	}
	return why + "; put the text in quotes"
}

// reserved is about a character that cannot begin a text.
func (s *scanner) reserved(c byte) (mark, string) {
	switch {
	case c == '\t':
		return s.mark, tabIndents
	case c == '%' && s.at > 0 && s.text[s.at-1] == '{':
		return s.flow[len(s.flow)-1].mark, "begins with {%, as a template does; write what the template engine should have made of it"
	}
	return s.mark, s.quotes(s.mark, "begins with "+string(c)+", which YAML reserves")
}

var (
	keyWithoutSpace  = regexp.MustCompile(`^([\p{L}\p{N}_ -]+):([^\s:/].*)$`)
	commaAtEnd       = regexp.MustCompile(`^,[ \t\r]*(\n|$)`)
	itemWithoutSpace = regexp.MustCompile(`^-([\p{L}\p{N}]\S*)`)
)

// WithoutSpace says of a text that it is probably a key or a list item without the space that makes it one; "" if it is not.
func WithoutSpace(s string) string {
	if m := keyWithoutSpace.FindStringSubmatch(s); m != nil {
		return "has no space after the colon; write " + text.Cut(m[1]+": "+m[2], 60)
	}
	if m := itemWithoutSpace.FindStringSubmatch(s); m != nil {
		return "has no space after the dash; write - " + m[1]
	}
	return ""
}

// noColon is about a text where a key has to be.
func (s *scanner) noColon(at mark) string {
	rest := s.rest(at)
	if why := WithoutSpace(rest); why != "" {
		return why
	}
	if s.indent().list {
		return keyAmongItems
	}
	return text.Quote(rest) + " stands where a key is expected, and no colon follows it; write it as KEY: VALUE, or indent it if it continues the value above"
}

// colonInText is about a colon that can end no key.
func (s *scanner) colonInText() (mark, string) {
	if s.failed() {
		return s.mark, ""
	}
	line := s.text[strings.LastIndexByte(s.text[:s.at], '\n')+1:]
	if s.last.line == s.line && !strings.HasPrefix(line, "---") {
		return s.last.mark, s.quotes(s.last.mark, "has a colon and a space in a text without quotes")
	}
	if len(s.flow) > 0 {
		return s.last.mark, "begins a text of several lines in brackets, and then comes a colon; write a comma between entries, and # before a comment"
	}
	at := s.mark
	before := line[:s.at-(len(s.text)-len(line))]
	key := strings.TrimLeft(strings.TrimPrefix(before, "---"), " \t")
	at.at, at.column = s.at-len(key), s.column-len([]rune(key))
	if strings.HasPrefix(line, "---") {
		return at, "is a key in the line of ---; begin it in the next line"
	}
	return at, "is indented further than the key above, so that it continues the value there; give both keys the same indentation"
}

// noComma is about a node in brackets that follows another one.
func (s *scanner) noComma() string {
	if s.failed() {
		return ""
	}
	return "follows " + text.Quote(text.OneLine(s.text[s.last.at:s.last.end])) + " in brackets without a comma between; write the comma"
}

// misplaced is about a node where none is expected.
func (s *scanner) misplaced(at mark) string {
	switch {
	case s.last.end > s.last.at && strings.IndexByte("|>", s.text[s.last.at]) >= 0:
		return "is indented less than the text above, which begins after " + s.text[s.last.at:s.last.at+1] + "; give all lines of that text the same indentation"
	case !strings.Contains(s.text[min(s.last.end, at.at):at.at], "\n"):
		return "follows " + text.Quote(text.OneLine(s.text[s.last.at:s.last.end])) + " in its line, where nothing can; put all of it in quotes, or remove it"
	case s.indent().list && s.indent().column == at.column:
		return keyAmongItems
	case len(s.indents) == 0 && s.text[strings.LastIndexByte(s.text[:s.last.at], '\n')+1] != ' ':
		return betweenDocuments
	}
	return "is indented differently from the lines above; give the keys of a map, and the items of a list, the same indentation"
}

func (s *scanner) unclosedQuote(start mark, quote byte) {
	s.fail(start, fmt.Sprintf("begins with a quote that is not closed; write %c at the end of the text", quote))
	s.mistake, s.done = &mistake{start, s.mistake.message}, true
}

// afterQuote looks at what follows a text in quotes: only a colon, the end of an entry or the end of the line can.
func (s *scanner) afterQuote(start mark, quote byte) {
	rest := strings.TrimLeft(s.text[s.at:], " \t")
	flow := len(s.flow) > 0
	switch {
	case rest == "", strings.IndexByte("\r\n#", rest[0]) >= 0, flow && strings.IndexByte(",]}:", rest[0]) >= 0, rest[0] == ':' && (len(rest) == 1 || strings.IndexByte(space, rest[1]) >= 0):
	case s.line > start.line:
		s.fail(start, fmt.Sprintf("begins with a quote that is closed only in line %d, before other text; write %c at the end of the text", s.line+1, quote))
	case !flow && commaAtEnd.MatchString(rest):
		s.fail(start, "has a comma after its closing quote, as in JSON; remove the comma")
	case !flow || rest[0] != '"' && rest[0] != '\'':
		s.fail(start, "has text after its closing quote; "+insteadOfQuote(quote))
	}
}

func insteadOfQuote(quote byte) string {
	if quote == '"' {
		return `put all of it in quotes, and write \" for a quote inside`
	}
	return "put all of it in quotes, and write '' for an apostrophe inside"
}
