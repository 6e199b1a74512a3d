package report

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// mostFailures is how many entries of failures, problems or notes a text has.
const mostFailures = 50

// A failure is why one user, or several, could not be changed.
type failure struct {
	users   []string
	where   string // of a single user
	message string
	sample  string // a correlation id, of several
}

// failures are those of a result that are not among its problems, equal ones in one, the largest first.
func failures(res *usersync.Result) []failure {
	byMessage := map[string]*failure{}
	var all []*failure
	for _, f := range res.Failures {
		if f.Problem {
			continue
		}
		key := masked(f.Message)
		if one := byMessage[key]; one != nil {
			one.users = append(one.users, f.Email)
			one.message, one.where, one.sample = key, "", cmp.Or(one.sample, f.CorrelationID)
			continue
		}
		where := ""
		if f.File != "" {
			where = fmt.Sprintf("%s:%d", text.Escape(f.File), f.Line)
		}
		byMessage[key] = &failure{users: []string{f.Email}, where: where, message: f.Message, sample: f.CorrelationID}
		all = append(all, byMessage[key])
	}
	list := make([]failure, len(all))
	for i, f := range all {
		slices.SortFunc(f.users, compareNames)
		list[i] = *f
	}
	slices.SortStableFunc(list, func(a, b failure) int {
		return cmp.Or(cmp.Compare(len(b.users), len(a.users)), compareNames(a.users[0], b.users[0]))
	})
	return list
}

var (
	correlation = regexp.MustCompile(` \(correlation id [^)]*\)`)
	uuid        = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)
	address     = regexp.MustCompile(`[^\s"'<>(),;:]+@[^\s"'<>(),;:]+`)
	longNumber  = regexp.MustCompile(`[0-9]{6,}`)
)

// masked is a message without what differs from user to user.
func masked(message string) string {
	message = correlation.ReplaceAllString(message, "")
	message = uuid.ReplaceAllString(message, "ID")
	message = address.ReplaceAllString(message, "ADDRESS")
	return longNumber.ReplaceAllString(message, "NUMBER")
}

// lines of a failure: the first has the symbol. names is as of nameLines.
func (f failure) lines(columns, names int) []Line {
	message := text.Escape(f.message)
	if len(f.users) == 1 {
		return []Line{{"!", text.Escape(f.users[0]) + text.Enclose(" (", f.where, ")") + ": " + message}}
	}
	lines := append([]Line{{"!", text.Plural(len(f.users), "user") + ": " + message}}, nameLines(f.users, columns-6, names)...)
	if f.sample != "" {
		lines = append(lines, Line{Text: "correlation id of one: " + text.Escape(f.sample)})
	}
	return lines
}

// waiting are the changes that are not made now, by the reason: a person protects the user ("="), they wait for another user, or
// a setting leaves them out ("."). names is as of nameLines.
func waiting(res *usersync.Result, columns, names int) (lines []Line) {
	type reason struct{ symbol, why string }
	users := map[reason][]string{}
	for _, c := range res.Changes {
		r := reason{".", cmp.Or(c.Note, "skipped")}
		switch {
		case c.Outcome == plan.Held && c.Hold == "":
			r.symbol = "="
		case c.Outcome != plan.Skipped, len(c.Withheld) > 0, c.Group() == plan.Reported && c.LeftOut():
			continue
		case c.WaitsFor != "":
			r.why = "waits for " + c.WaitsFor
		}
		users[r] = append(users[r], c.Key)
	}
	reasons := slices.SortedFunc(maps.Keys(users), func(a, b reason) int {
		return cmp.Or(cmp.Compare(len(users[b]), len(users[a])), strings.Compare(a.why, b.why))
	})
	for _, r := range reasons {
		slices.SortFunc(users[r], compareNames)
		all := failure{users: users[r], message: r.why}.lines(columns, names)
		all[0].Symbol = r.symbol
		lines = append(lines, all...)
	}
	return lines
}
