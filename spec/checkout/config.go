package checkout

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// maxConfig is how large a configuration or attributes file may be, in bytes.
const maxConfig = 1 << 20

// config is a git configuration: every value of each variable, in order. A variable is named section.subsection.key,
// section and key in lower case. Files that it includes are not read.
type config map[string][]string

// readConfig reads a repository's configuration, and that of its work tree if it has one.
func (r repo) readConfig() (config, error) {
	c := config{}
	if err := c.read(filepath.Join(r.commonDir, "config")); err != nil {
		return nil, err
	}
	if truth, _ := c.truth("extensions.worktreeconfig"); truth {
		if err := c.read(filepath.Join(r.gitDir, "config.worktree")); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c config) read(name string) error {
	text, err := readFile(name, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := c.parse(string(text)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// first is a variable's first value: that of a remote's URL is what git fetches from.
func (c config) first(name string) string {
	if values := c[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// last is a variable's last value, which counts where there may be one only.
func (c config) last(name string) string {
	if values := c[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// truth is a variable's value as a truth value, if it is one.
func (c config) truth(name string) (value, ok bool) {
	switch strings.ToLower(c.last(name)) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0", "":
		return false, true
	}
	return false, false
}

// parse adds the variables of a configuration file (git-config(1), "Syntax").
func (c config) parse(text string) error {
	p := configParser{text: strings.TrimPrefix(text, "\ufeff")}
	section := ""
	for {
		switch b := p.next(); {
		case b == 0:
			return nil
		case isSpace(b):
		case b == '#' || b == ';':
			p.comment()
		case b == '[':
			name, err := p.section()
			if err != nil {
				return err
			}
			section = name + "."
		case !isAlpha(b):
			return p.errorf("a section or a variable is expected")
		default:
			name, value, err := p.variable(b)
			if err != nil {
				return err
			}
			name = section + name
			c[name] = append(slices.Clip(c[name]), value)
		}
	}
}

// configParser goes through a configuration file, byte by byte.
type configParser struct {
	text string
	at   int
}

// next is the next byte, 0 at the end. A carriage return before a line feed is part of the line break.
func (p *configParser) next() byte {
	if p.at >= len(p.text) {
		return 0
	}
	if strings.HasPrefix(p.text[p.at:], "\r\n") {
		p.at++
	}
	b := p.text[p.at]
	p.at++
	if b == 0 {
		return ' ' // a text file has none
	}
	return b
}

func (p *configParser) errorf(format string, args ...any) error {
	line := 1 + strings.Count(p.text[:max(0, p.at-1)], "\n")
	return fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...))
}

func (p *configParser) comment() {
	for b := p.next(); b != 0 && b != '\n'; b = p.next() {
	}
}

// section reads the rest of [section], [section "subsection"] or [section.subsection].
func (p *configParser) section() (string, error) {
	var name strings.Builder
	for {
		switch b := p.next(); {
		case b == ']':
			return strings.ToLower(name.String()), nil
		case isSpace(b) && b != '\n':
			sub, err := p.subsection()
			return strings.ToLower(name.String()) + "." + sub, err
		case isAlpha(b) || isDigit(b) || b == '-' || b == '.':
			name.WriteByte(b)
		default:
			return "", p.errorf("the section's name is not closed")
		}
	}
}

// subsection reads the rest of [section "subsection"], which is in quotes.
func (p *configParser) subsection() (string, error) {
	b := p.next()
	for isSpace(b) && b != '\n' {
		b = p.next()
	}
	if b != '"' {
		return "", p.errorf("the subsection's name is not in quotes")
	}
	var name strings.Builder
	for b = p.next(); b != '"'; b = p.next() {
		if b == '\\' {
			b = p.next()
		}
		if b == 0 || b == '\n' {
			return "", p.errorf("the subsection's name is not closed")
		}
		name.WriteByte(b)
	}
	if p.next() != ']' {
		return "", p.errorf("the section's name is not closed")
	}
	return name.String(), nil
}

// variable reads the rest of a line that begins with a name. Without a value it is true.
func (p *configParser) variable(b byte) (name, value string, err error) {
	var key strings.Builder
	for ; isAlpha(b) || isDigit(b) || b == '-'; b = p.next() {
		key.WriteByte(b)
	}
	for b == ' ' || b == '\t' {
		b = p.next()
	}
	switch b {
	case '\n', 0:
		return strings.ToLower(key.String()), "true", nil
	case '=':
		value, err := p.value()
		return strings.ToLower(key.String()), value, err
	}
	return "", "", p.errorf("%q is not followed by = and a value", key.String())
}

// value reads a value: space around it goes, and so does a comment, but for what is in quotes.
func (p *configParser) value() (string, error) {
	var value []byte
	quoted, end := false, 0 // end is where what counts ends
	for {
		b := p.next()
		switch {
		case b == 0 || b == '\n':
			if quoted {
				return "", p.errorf("the value's quotes are not closed")
			}
			return string(value[:end]), nil
		case !quoted && (b == '#' || b == ';'):
			p.comment()
			return string(value[:end]), nil
		case !quoted && isSpace(b):
			if end > 0 {
				value = append(value, b)
			}
			continue
		case b == '"':
			quoted = !quoted
			continue
		case b == '\\':
			escape := p.next()
			i := strings.IndexByte("\nntb\\\"", escape)
			if i < 0 {
				return "", p.errorf("\\%c is not a known escape", escape)
			}
			if escape == '\n' {
				continue
			}
			b = "\n\n\t\b\\\""[i]
		}
		value = append(value, b)
		end = len(value)
	}
}

func isSpace(b byte) bool {
	return b == ' ' || b == '\t' || b == '\n' || b == '\r' || b == '\v' || b == '\f'
}
func isAlpha(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }
func isDigit(b byte) bool { return b >= '0' && b <= '9' }
