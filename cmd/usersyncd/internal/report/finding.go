package report

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/sync/plan"
)

// A finding is something that is wrong: a problem of the specs, or the failure of a user.
type finding struct {
	spec    bool   // a problem of the specs
	user    string // address; "" if it is not known
	pos     spec.Pos
	field   string // path in the spec; "" for the whole user
	message string
	kind    string // of a failure: the status and code of the API, such as "400 bad.request"
}

// text is the field and the message.
func (f finding) text() string { return text.Escape(text.Enclose("", f.field, ": ") + f.message) }

// findings are the problems of the specs, then the failures.
func (r *Report) findings() (all []finding) {
	type place struct {
		spec.Pos
		text string
	}
	users := map[place]string{} // of problems that only the organization shows
	var failures []finding
	if r.Result != nil {
		for _, f := range r.Result.Failures {
			pos := spec.Pos{File: f.File, Line: f.Line, Column: f.Column}
			if f.Problem {
				users[place{pos, f.Message}] = f.Email
				continue
			}
			kind := strings.TrimSpace(text.Enclose("", zeroAsNothing(f.Status), " ") + f.Code)
			failures = append(failures, finding{user: f.Email, pos: pos, message: f.Message, kind: cmp.Or(kind, "failed")})
		}
	}
	for _, p := range r.Problems.Problems {
		all = append(all, finding{spec: true, user: users[place{p.Pos, p.Field + ": " + p.Message}], pos: p.Pos, field: p.Field, message: p.Message})
	}
	return append(all, failures...)
}

func zeroAsNothing(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// holdText says why users are held, and how they are released.
func (r *Report) holdText(h plan.Hold) string {
	return text.Escape(fmt.Sprintf("%s. %s: %s", h.Reason, h.ReleasedIf(), releasedBy(r.Result, h)))
}

// location is where a finding is shown: a path in the repository, and a line. What has no file is at the defaults of its folder
// or, if there are none, at the folder of the specs.
func (r *Report) location(pos spec.Pos, folder string) (file string, line int) {
	if pos.File != "" {
		return r.path(pos.File), max(1, pos.Line)
	}
	defaults := path.Join(folder, "_defaults.yaml")
	if info, err := os.Lstat(filepath.Join(r.Specs, filepath.FromSlash(defaults))); err == nil && info.Mode().IsRegular() {
		return r.path(defaults), 1
	}
	return cmp.Or(r.path(""), "."), 1
}

// path is the path in the repository of a file of the specs.
func (r *Report) path(file string) string { return path.Join(r.Dir, file) }

// folders are those of the users, by address: where they are declared or, if they no longer are, were.
func (r *Report) folders() map[string]string {
	folders := map[string]string{}
	if r.Result != nil {
		for _, c := range r.Result.Changes {
			if c.Current != nil {
				folders[c.Key] = path.Dir(c.Current.Declared.File)
			}
		}
	}
	if r.Tree != nil {
		for _, u := range r.Tree.Users {
			folders[u.Key] = path.Dir(u.Pos.File)
		}
	}
	return folders
}
