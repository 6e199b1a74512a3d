package strictyaml

import (
	"cmp"
	"regexp"
	"strings"
)

const mostInKey = 1024 // characters from the start of a key to its colon

// open reads an opening bracket.
func (s *scanner) open(c byte) {
	s.beginNode(true)
	s.nodes++
	s.limitDepth()
	s.flow = append(s.flow, level{mark: s.mark, open: c})
	s.keys = append(s.keys, key{})
	s.slot, s.keyAllowed = entry, true
	s.skip()
}

// endEntry ends an entry of brackets.
func (s *scanner) endEntry(in *level) {
	if s.slot == value {
		s.nodes++
	}
	if in.open == '{' && !in.colon && s.slot != entry {
		s.nodes++
	}
	s.keys[len(s.flow)].possible = false
	in.colon, in.explicit = false, false
}

// close reads a closing bracket.
func (s *scanner) close(c byte) {
	if len(s.flow) == 0 {
		s.fail(s.mark, "\""+string(c)+"\" closes nothing; remove it, or put the text in quotes")
		return
	}
	in := s.flow[len(s.flow)-1]
	if in.open+2 != c { // in ASCII
		s.mistake, s.done = unclosed(in), true
		return
	}
	s.endEntry(&in)
	s.flow, s.keys = s.flow[:len(s.flow)-1], s.keys[:len(s.keys)-1]
	s.slot, s.keyAllowed = noSlot, false
	s.done = s.done || len(s.flow) == 0 && s.mistake != nil
	s.skip()
	s.last = token{mark: in.mark, end: s.at}
}

func (s *scanner) comma() {
	switch {
	case len(s.flow) == 0:
		s.fail(s.mark, "begins with a comma; put the text in quotes, or write a list in brackets")
		return
	case s.slot == entry:
		s.fail(s.mark, "has a comma with nothing before it; remove it")
	}
	s.endEntry(&s.flow[len(s.flow)-1])
	s.slot, s.keyAllowed = entry, true
	s.skip()
}

// item reads the dash of a list item.
func (s *scanner) item() {
	switch {
	case len(s.flow) > 0:
		s.fail(s.mark, "is a dash of a list item in brackets; separate items by commas there")
	case !s.keyAllowed:
		s.fail(s.mark, "is a list item in the line of its key; begin the list in the next line, or write it in brackets: [A, B]")
	default:
		in := s.slot
		if open := s.indent(); in == value && open.column == s.column && (open.list || open.items) {
			s.fillSlot()
		}
		s.roll(s.mark, true, in)
	}
	s.removeKey()
	s.slot, s.keyAllowed = value, true
	s.skip()
}

// explicitKey reads the question mark before a key.
func (s *scanner) explicitKey() {
	switch {
	case len(s.flow) > 0 && s.slot == noSlot:
		s.fail(s.last.mark, s.quotes(s.last.mark, "has a ? in a text without quotes"))
	case len(s.flow) > 0:
		s.nodes++ // a map, in a list
		s.flow[len(s.flow)-1].explicit = true
	case !s.keyAllowed:
		s.fail(s.mark, s.quotes(s.mark, "begins with ?, which marks a key"))
	default:
		in := s.slot
		if open := s.indent(); open.column == s.column && !open.list {
			s.fillSlot()
		}
		s.roll(s.mark, false, in)
	}
	s.nodes++ // the value, if no colon follows
	s.removeKey()
	s.slot, s.keyAllowed = value, len(s.flow) == 0
	s.skip()
}

// colon reads the colon after a key.
func (s *scanner) colon() {
	k := &s.keys[len(s.flow)]
	switch simple := k.possible && k.line == s.line && s.column-k.column <= mostInKey; {
	case simple:
		s.roll(k.mark, false, k.slot)
		s.keyAllowed = false
	case k.possible && k.required:
		s.fail(k.mark, s.noColon(k.mark))
	case len(s.flow) > 0 && s.slot == noSlot && !s.afterExplicitKey(), len(s.flow) == 0 && !s.keyAllowed:
		s.fail(s.colonInText())
	default:
		s.nodes++ // the key, if none precedes
		s.roll(s.mark, false, value)
		s.keyAllowed = len(s.flow) == 0
	}
	k.possible = false
	if n := len(s.flow); n > 0 {
		if in := &s.flow[n-1]; !in.colon {
			in.colon = true
			if in.open == '[' {
				s.nodes++ // a map of one key
			}
		}
	}
	if s.slot == value {
		s.fillSlot()
	}
	s.slot = value
	s.skip()
}

// afterExplicitKey reports whether the entry in brackets has ? before its key, and no colon yet.
func (s *scanner) afterExplicitKey() bool {
	in := s.flow[len(s.flow)-1]
	return in.explicit && !in.colon
}

// node reads a scalar, an alias, an anchor or a tag.
func (s *scanner) node(c byte) {
	start := s.mark
	switch {
	case c == '&' || c == '!':
		s.property(c)
		return
	case strings.IndexByte("@`%", c) >= 0, c == '\t', len(s.flow) > 0 && (c == '|' || c == '>'):
		s.fail(s.reserved(c))
		s.skip()
		return
	}
	s.beginNode(c != '|' && c != '>')
	s.nodes++
	end, allowed := 0, false
	switch c {
	case '*':
		s.alias()
	case '|', '>':
		s.removeKey()
		s.block()
		allowed = true
	case '"', '\'':
		s.quotedScalar(c)
	default:
		end, allowed = s.plain()
	}
	s.keyAllowed = allowed
	s.last = token{start, cmp.Or(end, s.at)}
}

// property reads an anchor or a tag, which precedes a node.
func (s *scanner) property(c byte) {
	s.beginNode(true)
	s.slot, s.keyAllowed = value, false
	start := s.mark
	if c == '&' {
		if name := s.name(); name != "" {
			s.anchors[name] = true
		} else {
			s.fail(start, s.quotes(start, "begins with &, which makes it a YAML anchor"))
		}
		return
	}
	for !s.blank(0) {
		s.skip()
	}
	if m := tag.FindStringSubmatch(s.text[start.at:s.at]); m == nil || m[1] != "" && !s.tags {
		s.fail(start, s.quotes(start, "begins with !, which makes it a YAML tag"))
	}
}

// tag is a tag, and its handle if that has to be declared.
var tag = regexp.MustCompile(`^!(?:<[\w;/?:@&=+$,.!~*'()\[\]%-]+>|[\w-]*!?|([\w-]+!)?[\w;/?:@&=+$,.!~*'()\[\]%-]+)$`)

func (s *scanner) alias() {
	start := s.mark
	if !s.anchors[s.name()] {
		s.fail(start, s.quotes(start, "begins with *, which makes it a YAML alias of something that does not exist"))
	}
}

// name reads the name of an anchor, and the character before it; "" if it has none.
func (s *scanner) name() string {
	s.skip()
	length := len(anchorName.FindString(s.text[s.at:]))
	name := s.text[s.at : s.at+length]
	for range length {
		s.skip()
	}
	if !s.blank(0) && strings.IndexByte("?:,]}%@`", s.peek(0)) < 0 {
		return ""
	}
	return name
}

var anchorName = regexp.MustCompile(`^[0-9A-Za-z_-]+`)

// directive reads a line that begins with %.
func (s *scanner) directive() {
	if !strings.HasPrefix(s.text[s.at:], "%TAG ") {
		s.fail(s.mark, "begins with %, which makes it a YAML directive; remove the line, or put the text in quotes")
	}
	s.endDocument()
	s.slot = value
	s.skipLine()
}
