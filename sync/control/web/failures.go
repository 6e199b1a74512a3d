package web

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	usersync "usersyncd/sync"
)

// A pageFailure is one kind of failure, with the users who have it.
type pageFailure struct {
	Status        int      `json:"status,omitempty"`
	Code          string   `json:"code,omitempty"`
	Message       string   `json:"message"` // of the first user, as the next one
	CorrelationID string   `json:"correlationId,omitempty"`
	Count         int      `json:"count"` // users
	Users         []string `json:"users"` // the first of them, with their files
}

// foldFailures makes one failure of those that differ only in values: ids, numbers, times, addresses, and what is in quotes.
func foldFailures(all []usersync.Failure) []pageFailure {
	folded, kinds := []pageFailure{}, map[string]int{}
	for _, f := range all {
		message := strings.ReplaceAll(f.Message, " (correlation id "+f.CorrelationID+")", "") // it is shown apart
		kind := fmt.Sprint(f.Status, f.Code, values.ReplaceAllString(message, "#"))
		i, known := kinds[kind]
		if !known {
			i = len(folded)
			kinds[kind] = i
			folded = append(folded, pageFailure{Status: f.Status, Code: f.Code, Message: message, CorrelationID: f.CorrelationID, Users: []string{}})
		}
		one := &folded[i]
		if one.Count++; one.Count <= shownOfHold {
			who := f.Email
			if f.File != "" {
				who += fmt.Sprintf(" (%s:%d)", f.File, f.Line)
			}
			one.Users = append(one.Users, who)
		}
	}
	slices.SortStableFunc(folded, func(a, b pageFailure) int { return b.Count - a.Count })
	return folded
}

var values = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[^\s:/,;()]*[0-9@][^\s/,;()]*`)
