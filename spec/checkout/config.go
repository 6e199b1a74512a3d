package checkout

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
)

// maxConfig is how large a configuration or attributes file may be, in bytes.
const maxConfig = 1 << 20

// config is a git configuration: every value of each variable, in order. A variable is named section.subsection.key,
// section and key in lower case. Files that it includes are not read.
//
// It is parsed here because gcfg, which go-git uses, refuses configurations that git takes (a variable on the line of
// its section, a byte order mark, [section.subsection]) and keeps the line break of a value that goes on in the next line.
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
	if err == nil {
		err = c.parse(string(text))
	}
	if err != nil {
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

// truth is a variable's value as a boolean, if it is one.
func (c config) truth(name string) (value, ok bool) {
	switch strings.ToLower(c.last(name)) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0", "":
		return false, true
	}
	return false, false
}

// What a configuration file consists of (git-config(1), "Syntax").
var (
	configBlank    = regexp.MustCompile(`^(?:[ \t\n\r\v\f]+|[#;][^\n]*)`)
	configSection  = regexp.MustCompile(`^\[([-.0-9A-Za-z]*)(?:[ \t\r\v\f]+"((?:[^"\\\n]|\\[^\n])*)")?\]`)
	configVariable = regexp.MustCompile(`^([A-Za-z][-0-9A-Za-z]*)[ \t]*(?:(=)((?:[^\n"\\#;]|\\[ntb"\\\n]|"(?:[^\n"\\]|\\[ntb"\\\n])*")*)(?:[#;][^\n]*)?)?(?:\n|$)`)
)

// parse adds the variables of a configuration file.
func (c config) parse(text string) error {
	rest := strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n"), "\x00", " ")
	line, section := 1, ""
	for rest != "" {
		match := configBlank.FindString(rest)
		if m := configSection.FindStringSubmatch(rest); m != nil {
			match, section = m[0], strings.ToLower(m[1])+"."
			if strings.HasSuffix(match, `"]`) {
				section += configEscape.ReplaceAllString(m[2], "$1") + "."
			}
		} else if m := configVariable.FindStringSubmatch(rest); m != nil {
			match = m[0]
			name, value := section+strings.ToLower(m[1]), "true"
			if m[2] != "" {
				value = configValue(m[3])
			}
			c[name] = append(c[name], value)
		}
		if match == "" {
			return fmt.Errorf("line %d is not valid git configuration", line)
		}
		line += strings.Count(match, "\n")
		rest = rest[len(match):]
	}
	return nil
}

var configEscape = regexp.MustCompile(`\\(.)`)

// configValue is a value without its quotes, its escapes, and the space around it that is not in quotes.
func configValue(raw string) string {
	var value []byte
	quoted, end := false, 0 // end is where what counts ends
	for i := 0; i < len(raw); i++ {
		b := raw[i]
		switch {
		case b == '"':
			quoted = !quoted
			continue
		case b == '\\':
			i++
			if raw[i] == '\n' { // the value goes on
				continue
			}
			b = "\n\t\b\\\""[strings.IndexByte(`ntb\"`, raw[i])]
		case !quoted && strings.IndexByte(" \t\r\v\f", b) >= 0:
			if end > 0 {
				value = append(value, b)
			}
			continue
		}
		value = append(value, b)
		end = len(value)
	}
	return string(value[:end])
}
