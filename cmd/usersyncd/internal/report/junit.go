package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"path"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/window"
)

// mostCases is how many declared users each have a test case. GitLab gives up at 250,000 elements.
const mostCases = 5000

type testSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	tally
	Suite testSuite `xml:"testsuite"`
}

type testSuite struct {
	Name string `xml:"name,attr"`
	tally
	Timestamp string     `xml:"timestamp,attr"`
	Cases     []testCase `xml:"testcase"`
}

type tally struct {
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Time     string `xml:"time,attr"` // seconds
}

type testCase struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	File    string   `xml:"file,attr,omitempty"`
	Time    string   `xml:"time,attr"`
	Failure *verdict `xml:"failure"`
	Error   *verdict `xml:"error"`
	Skipped *verdict `xml:"skipped"`
}

type verdict struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit is the report as JUnit XML: a test case for each declared user, each file with problems, and each user who is no longer
// declared and of whom there is something to say.
func (r *Report) JUnit() ([]byte, error) {
	j := &junit{Report: r, cases: map[string]*testCase{}, folders: r.folders()}
	if r.Result != nil || len(r.Problems.Problems) > 0 || r.Command == "validate" && r.Error == "" {
		j.addUsers()
	}
	if r.Error != "" {
		j.order = append(j.order, &testCase{Class: "usersyncd", Name: "usersyncd", Error: &verdict{firstLine(r.Error), "usersyncd", text.Escape(r.Error)}})
	}
	title := "usersyncd " + r.Command
	out := testSuites{Name: title, Suite: testSuite{Name: title, Timestamp: r.Began.UTC().Format(time.RFC3339), Cases: []testCase{}}}
	if r.Result != nil && r.Result.Plan != "" {
		out.Name += " " + r.Result.Plan
	}
	seen := map[[2]string]int{} // of equal class and name, GitLab shows the first one alone
	n := &out.Suite.tally
	n.Time = fmt.Sprintf("%.3f", r.Took.Seconds())
	for _, c := range j.order {
		key := [2]string{c.Class, c.Name}
		if seen[key]++; seen[key] > 1 {
			c.Name += fmt.Sprintf(" (%d)", seen[key])
		}
		c.Time = "0"
		n.Tests++
		switch {
		case c.Failure != nil:
			n.Failures++
		case c.Error != nil:
			n.Errors++
		case c.Skipped != nil:
			n.Skipped++
		}
		out.Suite.Cases = append(out.Suite.Cases, *c)
	}
	out.tally = *n
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return escapeXML(b.Bytes()), nil
}

// escapeXML escapes the first of two "#", which begin a command to CI runners.
func escapeXML(data []byte) []byte {
	if !bytes.Contains(data, []byte("##")) {
		return data
	}
	var b bytes.Buffer
	for i, c := range data {
		if c == '#' && i+1 < len(data) && data[i+1] == '#' {
			b.WriteString("&#35;")
		} else {
			b.WriteByte(c)
		}
	}
	return b.Bytes()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return text.Escape(line)
}

// junit collects the test cases.
type junit struct {
	*Report
	order   []*testCase
	cases   map[string]*testCase // of users, by address
	folders map[string]string
	quiet   int // users without a case, as there is nothing to say of them
}

func (j *junit) class(folder string) string {
	name := path.Join(j.Dir, folder)
	if name == "." || name == "" {
		return "usersyncd"
	}
	return text.Escape(strings.ReplaceAll(name, "/", "."))
}

// user returns the case of a user.
func (j *junit) user(key string) *testCase {
	if c := j.cases[key]; c != nil {
		return c
	}
	c := &testCase{Class: j.class(j.folders[key]), Name: text.Escape(key)}
	j.cases[key] = c
	j.order = append(j.order, c)
	return c
}

// addUsers adds a case for everybody. The worst that is to say of a user is the verdict.
func (j *junit) addUsers() {
	var users []*spec.User
	if j.Tree != nil {
		users = j.Tree.Users
	}
	if len(users) <= mostCases {
		for _, u := range users {
			j.declared(u)
		}
	}
	j.addFindings()
	if j.Result != nil {
		j.addChanges()
	} else if j.Command != "validate" && len(users) <= mostCases {
		for _, u := range users {
			j.skip(u.Key, "not planned, as the specs have problems")
		}
	}
	if len(users) > mostCases {
		for _, u := range users {
			if j.cases[u.Key] != nil {
				j.declared(u)
			} else {
				j.quiet++
			}
		}
		j.order = append(j.order, &testCase{Class: "usersyncd", Name: text.Plural(j.quiet, "other user")})
	}
}

func (j *junit) declared(u *spec.User) { j.user(u.Key).File = text.Escape(j.path(u.Pos.File)) }

// addFindings adds the problems and the failures: of a user, else of a file.
func (j *junit) addFindings() {
	files := map[string]*testCase{}
	for _, f := range j.findings() {
		var c *testCase
		switch {
		case f.user != "":
			c = j.user(f.user)
		case files[f.pos.File] != nil:
			c = files[f.pos.File]
		default:
			c = &testCase{Class: j.class(path.Dir(f.pos.File)), Name: text.Escape(cmp.Or(path.Base(f.pos.File), "specs")), File: text.Escape(j.path(f.pos.File))}
			files[f.pos.File] = c
			j.order = append(j.order, c)
		}
		line := f.text()
		if f.pos.File != "" {
			line = fmt.Sprintf("%s:%d:%d: %s", text.Escape(j.path(f.pos.File)), f.pos.Line, f.pos.Column, line)
		}
		switch {
		case c.Failure != nil && f.spec:
			c.Failure.Text += "\n" + line
		case c.Failure != nil: // a case has one verdict
			c.Failure, c.Error = nil, &verdict{f.text(), f.kind, line + "\n" + c.Failure.Text}
		case c.Error != nil:
			c.Error.Text += "\n" + line
		case f.spec:
			c.Failure = &verdict{f.text(), "specs", line}
		default:
			c.Error = &verdict{f.text(), f.kind, line}
		}
	}
	if n := j.Problems.ProblemsLeftOut; n > 0 {
		message := text.Plural(n, "more problem")
		j.order = append(j.order, &testCase{Class: "usersyncd", Name: message, Failure: &verdict{Message: message, Type: "specs"}})
	}
}

// addChanges adds what is held, and what is not applied yet.
func (j *junit) addChanges() {
	for _, h := range j.Result.Holds {
		for _, key := range h.Users {
			if c := j.user(key); c.Failure == nil && c.Error == nil {
				c.Failure = &verdict{"held by " + h.By(), "held", j.holdText(h)}
			}
		}
	}
	for _, c := range j.Result.Changes {
		switch {
		case len(c.Deferred) > 0 && !c.Until.IsZero():
			j.skip(c.Key, "waits for the change window, "+window.Format(c.Until))
		case len(c.Deferred) > 0:
			j.skip(c.Key, "waits for the change window")
		case c.WaitsFor != "":
			j.skip(c.Key, "waits for "+c.WaitsFor)
		case c.Outcome == plan.Skipped:
			j.skip(c.Key, cmp.Or(c.Note, "skipped"))
		case c.Outcome == plan.Planned && !j.Result.DryRun:
			j.skip(c.Key, "not reached")
		case len(c.Withheld) > 0:
			j.skip(c.Key, string(c.Withheld[0].Field)+": "+c.Withheld[0].Why())
		}
	}
}

// skip marks a user about whom nothing worse was said.
func (j *junit) skip(key, why string) {
	if c := j.user(key); c.Failure == nil && c.Error == nil {
		c.Skipped = &verdict{Message: text.Escape(why)}
	}
}
