package reporttest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// outside are the lines that a report in Markdown may have outside of fenced blocks. None has text of users.
var outside = []*regexp.Regexp{
	regexp.MustCompile(`^$`),
	regexp.MustCompile(`^### usersyncd: [a-z0-9 ,;()]+$`),
	regexp.MustCompile(`^\| \| users \|$`), regexp.MustCompile(`^\| --- \| ---: \|$`), row,
	regexp.MustCompile(`^Fields: [A-Za-z]+ \d+( \([-+ 0-9]+\))?(, [A-Za-z]+ \d+( \([-+ 0-9]+\))?)*$`),
	regexp.MustCompile(`^<details( open)?><summary>[A-Za-z ,()]+: \d+( [a-z]+)?</summary>$`), regexp.MustCompile(`^</details>$`),
	regexp.MustCompile(`^[A-Za-z ,()]+: \d+( [a-z]+)?; see the job's log$`),
	regexp.MustCompile(`^Left out: \d+ sections?, see the job's log$`),
	regexp.MustCompile("^(Takes (\\d+|no) writes?(, about)?|(\\d+|no) calls? in)[a-z0-9 .,:]*\\. Plan `p-[0-9a-f]+`( of `[0-9a-f]+(-dirty)?`)?$"),
}

var (
	row    = regexp.MustCompile(`^\| (?:\*\*)?([a-z ,]+?)(?:\*\*)? \| (?:\*\*)?(\d+)(?:\*\*)? \|$`)
	marker = regexp.MustCompile(`^<!-- usersyncd:(plan|once|validate) [^<>!-]*(-[^<>!-]+)*-? -->$`)
	fence  = regexp.MustCompile("^(`{3,})diff$")
)

// Markdown reads a report in Markdown: the marker, nothing but our own words outside of fenced blocks, each of which is closed and
// has an empty line before and after it, and no more than 60,000 bytes. It returns the table of totals and what is in the blocks.
func Markdown(data []byte) (totals map[string]int, fenced string, err error) {
	if len(data) > 60_000 || !utf8.Valid(data) || !strings.HasSuffix(string(data), "\n") {
		return nil, "", fmt.Errorf("%d bytes", len(data))
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if !marker.MatchString(lines[0]) {
		return nil, "", fmt.Errorf("no marker: %s", lines[0])
	}
	totals = map[string]int{}
	open, depth := "", 0
	for i, line := range lines[1:] {
		i++
		before, after := lines[i-1], ""
		if i+1 < len(lines) {
			after = lines[i+1]
		}
		switch found := fence.FindStringSubmatch(line); {
		case open != "" && strings.Trim(line, "`") == "" && len(line) >= len(open): // a fence may end with a longer one
			if open = ""; after != "" {
				return nil, "", fmt.Errorf("line %d behind a block is not empty: %s", i+2, after)
			}
		case open != "":
			fenced += line + "\n"
		case found != nil:
			if open = found[1]; before != "" {
				return nil, "", fmt.Errorf("line %d before a block is not empty: %s", i, before)
			}
		case !allowed(line):
			return nil, "", fmt.Errorf("line %d is not ours: %q", i+1, line)
		default:
			depth += strings.Count(line, "<details") - strings.Count(line, "</details")
			if r := row.FindStringSubmatch(line); r != nil {
				totals[r[1]], _ = strconv.Atoi(r[2])
			}
		}
	}
	if open != "" || depth != 0 {
		return nil, "", errors.New("a block or section is not closed")
	}
	return totals, fenced, nil
}

func allowed(line string) bool {
	for _, pattern := range outside {
		if pattern.MatchString(line) {
			return true
		}
	}
	return false
}
