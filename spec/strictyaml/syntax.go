package strictyaml

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"
)

var (
	libraryLine    = regexp.MustCompile(`^yaml: line ([0-9]+): `)
	conflictMarker = regexp.MustCompile(`(?m)^(<{7}|\|{7}|>{7})( .*)?\r?$`)
	lfsPointer     = "version https://git-lfs.github.com/spec/"
)

// syntaxProblem says what is wrong with a file that the library, with an error, or the scanner does not read.
func syntaxProblem(file, content string, err error) Problem {
	at := func(m mark, message string) Problem {
		return Problem{Pos: Pos{file, m.line + 1, m.column + 1}, Message: message}
	}
	if i := conflictMarker.FindStringIndex(content); i != nil {
		return at(mark{line: strings.Count(content[:i[0]], "\n")}, "is a conflict marker of git: a merge has left both versions here; keep what is right, and delete the markers")
	}
	if _, wrong := scan(content, math.MaxInt); wrong != nil {
		return at(wrong.mark, wrong.message)
	}
	m := mark{}
	if found := libraryLine.FindStringSubmatch(err.Error()); found != nil {
		m.line, _ = strconv.Atoi(found[1])
		m.line = min(max(m.line-1, 0), strings.Count(content, "\n"))
	}
	return at(m, "is not valid YAML in this line or before; look at quotes, brackets and indentation")
}

var version = regexp.MustCompile(`^%YAML[ \t]+([0-9]+)\.[0-9]+[ \t]*(#.*)?$`)

// withoutVersion makes comments of lines such as %YAML 1.2, of which the library knows 1.1 only, and refuses files that are
// something else than YAML 1. Places stay as they are.
func withoutVersion(file string, content []byte) ([]byte, []Problem) {
	if bytes.HasPrefix(content, []byte(lfsPointer)) {
		return nil, []Problem{{Pos: Pos{file, 1, 1}, Message: "is a Git LFS pointer, not the file itself; run git lfs pull in the checkout"}}
	}
	if !bytes.Contains(content, []byte("%YAML")) {
		return content, nil
	}
	out, at, line := bytes.Clone(content), 0, 0
	begins := true // a document may begin here
	for text := range bytes.Lines(content) {
		start := at
		at, line = at+len(text), line+1
		text = bytes.TrimRight(text, space)
		switch found := version.FindSubmatch(text); {
		case begins && found != nil && string(found[1]) == "1":
			out[start] = '#'
		case begins && found != nil:
			return nil, []Problem{{Pos: Pos{file, line, 1}, Message: "says that this is not YAML 1; remove the line"}}
		case len(text) > 0 && text[0] != '#':
			begins = bytes.HasPrefix(text, []byte("..."))
		}
	}
	return out, nil
}
