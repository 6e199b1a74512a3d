// Package text writes words, numbers and durations for people: on a terminal, in the log, on the status page and in
// notifications. Every package may import it; it imports none of ours.
package text

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Escape returns s fit for one line of a terminal or of the log. What is not printable is escaped as in Go: control
// characters, line breaks, and those that turn the direction of a text around. Quotes and backslashes stay as they
// are, so that a text which is escaped twice is the same as one escaped once.
func Escape(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }) {
		return s
	}
	q := strconv.Quote(s)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(q[1 : len(q)-1])
}

// Quote returns s in quotes, as Go writes a string, and no more than its first 60 characters.
func Quote(s string) string { return strconv.Quote(Cut(s, 60)) }

// Cut returns at most the first characters of s, with "..." in place of the rest.
func Cut(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}

// Key returns the key of a map: a simple word as it is, anything else in quotes.
func Key(s string) string {
	if simpleKey.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

var simpleKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// OneLine returns s with every run of white space, line breaks included, as one space.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Plural counts things that have a regular plural: "1 user", "3 users".
func Plural(n int, noun string) string { return Count(n, noun, noun+"s") }

// Count counts in words that differ for one and for several: "1 user is", "3 users are".
func Count(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + several
}

// Enclose puts s between two texts; "" if s is empty.
func Enclose(before, s, after string) string {
	if s == "" {
		return ""
	}
	return before + s + after
}

// Number is how many are what.
type Number struct {
	N    int
	What string
}

// Of is the Number of n users, say, who are what: 3, "failed".
func Of(n int, what string) Number { return Number{n, what} }

// NonZero writes the numbers that are not 0: "3 failed".
func NonZero(numbers ...Number) (parts []string) {
	for _, n := range numbers {
		if n.N > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.N, n.What))
		}
	}
	return parts
}

// List names the first of several, and counts the rest: "a, b and 3 more". all is how many there are, of which names
// may be only the first.
func List(names []string, most, all int) string {
	names = names[:min(len(names), most)]
	list := strings.Join(names, ", ")
	if n := all - len(names); n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	return list
}

// Time is a moment in a sentence, in its own zone, as --since takes it: "2026-11-24T03:20:00Z".
func Time(t time.Time) string { return t.Format(time.RFC3339) }

// Duration is d in a sentence, in one unit: "45 seconds", "3 hours".
func Duration(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 90*time.Second:
		return Plural(int(d.Round(time.Second).Seconds()), "second")
	case d < 90*time.Minute:
		return Plural(int(d.Round(time.Minute).Minutes()), "minute")
	case d < 48*time.Hour:
		return Plural(int(d.Round(time.Hour).Hours()), "hour")
	}
	return Plural(int(d.Hours()/24), "day")
}

// ShortDuration is d among other numbers, where seconds count: "0.3s", "1h2m3s".
func ShortDuration(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// ShellWord is s as one word of a POSIX shell.
func ShellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9/._+,:@%=-]+$`)
