package rewrite

import (
	"strings"

	"usersyncd/spec"
)

// BlockLines is lines, for tests that write specs as people do.
func BlockLines(v spec.Value) []string { return lines(v) }

// Marshal writes users as YAML, one document each, their fields in the format's order and each on one line.
func Marshal(users ...*spec.User) string {
	var b strings.Builder
	for i, u := range users {
		if i > 0 {
			b.WriteString("---\n")
		}
		for _, info := range spec.AllFields() {
			if v, ok := u.Fields.Lookup(info.Field); ok {
				b.WriteString(string(info.Field) + ": " + flow(v) + "\n")
			}
			if info.Field != spec.Email {
				continue
			}
			if u.ID != "" {
				b.WriteString(spec.KeyID + ": " + scalar(u.ID) + "\n")
			}
			if len(u.PreviousEmails) > 0 {
				b.WriteString(spec.KeyPreviousEmail + ": " + flow(listOf(u.PreviousEmails)) + "\n")
			}
		}
	}
	return b.String()
}
