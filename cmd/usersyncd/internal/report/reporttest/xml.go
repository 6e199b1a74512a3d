package reporttest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Suites are what a JUnit report has.
type Suites struct {
	Name  string
	Cases []Case
}

// A Case is a test case. Its verdict is "" if it has passed, failure, error or skipped.
type Case struct {
	Class, Name, File            string
	Verdict, Type, Message, Text string
}

// element is any element of XML.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

// attributes are those that each element of JUnit has here, and those that it may have.
var attributes = map[string][2][]string{
	"testsuites": {{"name", "tests", "failures", "errors", "skipped", "time"}, nil},
	"testsuite":  {{"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}, nil},
	"testcase":   {{"classname", "name", "time"}, {"file"}},
	"failure":    {{"message", "type"}, nil},
	"error":      {{"message", "type"}, nil},
	"skipped":    {{"message"}, nil},
}

// JUnit reads a JUnit report: the elements and attributes that its readers know, in the right places, with counts that are right,
// and no two cases with the same class and name.
func JUnit(data []byte) (s Suites, err error) {
	if !utf8.Valid(data) || !bytes.HasPrefix(data, []byte(xml.Header)) {
		return s, errors.New("not UTF-8 with a declaration")
	}
	var root element
	d := xml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&root); err != nil {
		return s, err
	}
	if rest := data[d.InputOffset():]; string(rest) != "\n" {
		return s, fmt.Errorf("more behind the end: %q", rest)
	}
	all, err := root.attrs("testsuites")
	if err != nil || len(root.Children) != 1 {
		return s, errors.Join(err, fmt.Errorf("%d suites", len(root.Children)))
	}
	suite := root.Children[0]
	has, err := suite.attrs("testsuite")
	if err != nil {
		return s, err
	}
	if _, err := time.Parse(time.RFC3339, has["timestamp"]); err != nil {
		return s, err
	}
	counts, seen := map[string]int{}, map[Case]bool{}
	for _, child := range suite.Children {
		c, err := child.testCase()
		if err != nil {
			return s, err
		}
		key := Case{Class: c.Class, Name: c.Name}
		if seen[key] {
			return s, fmt.Errorf("two cases %v", key)
		}
		seen[key] = true
		counts[c.Verdict]++
		s.Cases = append(s.Cases, c)
	}
	for _, a := range []map[string]string{all, has} {
		for key, n := range map[string]int{"tests": len(s.Cases), "failures": counts["failure"], "errors": counts["error"], "skipped": counts["skipped"]} {
			if a[key] != strconv.Itoa(n) {
				return s, fmt.Errorf("%s=%q, and there are %d", key, a[key], n)
			}
		}
		if _, err := strconv.ParseFloat(a["time"], 64); err != nil {
			return s, err
		}
	}
	s.Name = all["name"]
	return s, nil
}

func (e element) testCase() (c Case, err error) {
	has, err := e.attrs("testcase")
	if err != nil || len(e.Children) > 1 {
		return c, errors.Join(err, fmt.Errorf("%d verdicts of %v", len(e.Children), has))
	}
	c = Case{Class: has["classname"], Name: has["name"], File: has["file"]}
	if len(e.Children) == 0 {
		return c, nil
	}
	verdict := e.Children[0]
	c.Verdict, c.Text = verdict.XMLName.Local, verdict.Text
	if c.Verdict != "failure" && c.Verdict != "error" && c.Verdict != "skipped" {
		return c, fmt.Errorf("<%s> in a case", c.Verdict)
	}
	has, err = verdict.attrs(c.Verdict)
	c.Type, c.Message = has["type"], has["message"]
	return c, err
}

// attrs returns the attributes of an element that must have a name.
func (e element) attrs(name string) (map[string]string, error) {
	if e.XMLName.Local != name || e.XMLName.Space != "" {
		return nil, fmt.Errorf("<%v>, not <%s>", e.XMLName, name)
	}
	has := map[string]string{}
	for _, a := range e.Attrs {
		has[a.Name.Local] = a.Value
	}
	known := attributes[name]
	for _, key := range known[0] {
		if _, ok := has[key]; !ok {
			return nil, fmt.Errorf("<%s> without %s", name, key)
		}
	}
	for key := range has {
		if !slices.Contains(known[0], key) && !slices.Contains(known[1], key) {
			return nil, fmt.Errorf("<%s> with %s", name, key)
		}
	}
	return has, nil
}
