package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/sync/plan"
)

// quality is an issue of a code quality report, https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
type quality struct {
	Description string   `json:"description"`
	CheckName   string   `json:"check_name"`
	Fingerprint string   `json:"fingerprint"`
	Severity    string   `json:"severity"` // info, minor, major, critical or blocker
	Location    location `json:"location"`
}

type location struct {
	Path  string `json:"path"`
	Lines lines  `json:"lines"`
}

type lines struct {
	Begin int `json:"begin"`
}

// fieldName is the name with which the path of a field begins.
var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*`)

// GitLab is the report as a code quality report of GitLab: problems and failures, what is held, who loses access or is renamed.
func (r *Report) GitLab() ([]byte, error) {
	all, seen := []quality{}, map[string]int{}
	folders := r.folders()
	// Of equal fingerprints GitLab shows one, and it compares branches by them: nothing is part of it that differs from run to
	// run, or from line to line.
	add := func(severity, check, user, field, same, description string, pos spec.Pos) {
		file, line := r.location(pos, folders[user])
		identity := strings.Join([]string{check, file, user, field, masked(same)}, "\x00")
		seen[identity]++
		if n := seen[identity]; n > 1 {
			identity += fmt.Sprint("\x00", n)
		}
		sum := sha256.Sum256([]byte(identity))
		all = append(all, quality{text.Escape(description), "usersyncd." + check, hex.EncodeToString(sum[:]), severity, location{text.Escape(file), lines{line}}})
	}
	for _, f := range r.findings() {
		check, description := "failed", text.Enclose("", f.user, ": ")+f.text()
		if f.spec {
			check, description = strings.TrimSuffix("specs."+fieldName.FindString(f.field), "."), f.text()
		}
		add("critical", check, f.user, f.field, f.message, description, f.pos)
	}
	for _, w := range r.Warnings().First {
		f := finding{pos: w.Pos, field: w.Field, message: w.Message}
		add("minor", "warning", "", w.Field, w.Message, f.text(), w.Pos)
	}
	if r.Result == nil {
		return Encode(all)
	}
	at := map[string]spec.Pos{}
	for _, c := range r.Result.Changes {
		at[c.Key] = c.Pos
	}
	for _, h := range r.Result.Holds {
		for _, user := range h.Users {
			add("major", "held", user, "", h.Guard, fmt.Sprintf("%s: held by %s: %s", user, h.By(), r.holdText(h)), at[user])
		}
	}
	for _, c := range r.Result.Changes {
		if !done(r.Result, c) {
			continue
		}
		switch g := c.Group(); g {
		case plan.Removals:
			add("info", string(g), c.Key, "", "", "deactivation of "+c.Key, c.Pos)
		case plan.Access:
			add("info", string(g), c.Key, "", "", "change of the access of "+c.Key, c.Pos)
		case plan.Renames:
			add("info", string(g), c.Key, "", "", "new address of "+c.Key, c.Pos)
		}
	}
	return Encode(all)
}

// terraform is a report of GitLab's artifacts:reports:terraform.
type terraform struct {
	Create int `json:"create"`
	Update int `json:"update"`
	Delete int `json:"delete"`
}

// GitLabPlan is the report as one of Terraform for GitLab: numbers alone. If there is no plan it has none, which GitLab shows
// as a report that failed.
func (r *Report) GitLabPlan() ([]byte, error) {
	if r.Result == nil {
		return Encode(struct{}{})
	}
	n := TotalsOf(r.Result).Groups
	return Encode(terraform{
		Create: n[plan.Creations] + n[plan.Restores],
		Update: n[plan.Access] + n[plan.Renames] + n[plan.Updates],
		Delete: n[plan.Removals],
	})
}
