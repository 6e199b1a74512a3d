// Package reporttest reads the reports as strictly as anybody does who receives them. Only tests import it.
package reporttest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Command is a workflow command that GitHub's runner obeys.
type Command struct {
	Name       string
	Properties map[string]string
	Message    string
}

// Commands finds the commands in the output of a step, as actions/runner does (src/Runner.Common/ActionCommand.cs), but with
// any name, and whether or not commands are stopped.
func Commands(output string) (all []Command) {
	for line := range strings.FieldsFuncSeq(output, func(r rune) bool { return r == '\n' || r == '\r' }) { // as StreamReader.ReadLine
		if c, ok := parseV2(line); ok {
			all = append(all, c)
		} else if c, ok := parseV1(line); ok {
			all = append(all, c)
		}
	}
	return all
}

// parseV2 parses ::name key=value,key=value::message, with white space before it.
func parseV2(line string) (c Command, ok bool) {
	line, ok = strings.CutPrefix(strings.TrimSpace(line), "::")
	info, message, found := strings.Cut(line, "::")
	if !ok || !found {
		return c, false
	}
	name, properties, _ := strings.Cut(info, " ")
	c = Command{Name: name, Properties: map[string]string{}, Message: unescape(message, "%0D", "\r", "%0A", "\n", "%25", "%")}
	for property := range strings.SplitSeq(strings.TrimSpace(properties), ",") {
		if key, value, ok := strings.Cut(property, "="); ok && key != "" {
			c.Properties[key] = unescape(value, "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%")
		}
	}
	return c, true
}

// parseV1 parses ##[name key=value;key=value]message, anywhere in a line; ##vso[ is that of Azure Pipelines.
func parseV1(line string) (c Command, ok bool) {
	lower := strings.ToLower(line)
	for _, prefix := range []string{"##[", "##vso["} {
		if _, rest, ok := strings.Cut(lower, prefix); ok {
			if info, message, ok := strings.Cut(rest, "]"); ok {
				return Command{Name: prefix + info, Message: message}, true
			}
		}
	}
	return c, false
}

func unescape(s string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 { // one after the other, as the runner does
		s = strings.ReplaceAll(s, pairs[i], pairs[i+1])
	}
	return s
}

var token = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Annotations checks the output of a command with -o github: commands are stopped with its first line and allowed again once,
// and behind that there is nothing but annotations, no more of a kind than GitHub shows. It returns these.
func Annotations(output string) ([]Command, error) {
	all := Commands(output)
	if len(all) < 2 || all[0].Name != "stop-commands" || !token.MatchString(all[0].Message) {
		return nil, fmt.Errorf("commands are not stopped: %v", all)
	}
	resume := "::" + all[0].Message + "::\n"
	stopped, rest, ok := strings.Cut(output, resume)
	if first := "::stop-commands::" + all[0].Message + "\n"; !ok || !strings.HasPrefix(stopped, first) || len(Commands(stopped)) != 1 {
		return nil, fmt.Errorf("there are commands among the text: %q", Commands(stopped))
	}
	annotations, counts := Commands(rest), map[string]int{}
	if len(annotations) != strings.Count(rest, "\n") || rest != "" && !strings.HasSuffix(rest, "\n") {
		return nil, fmt.Errorf("not only commands: %q", rest)
	}
	for _, c := range annotations {
		if !slices.Contains([]string{"error", "warning", "notice"}, c.Name) || c.Properties["title"] == "" || c.Message == "" {
			return nil, fmt.Errorf("no annotation: %q", c)
		}
		for key := range c.Properties {
			if !slices.Contains([]string{"file", "line", "col", "title"}, key) {
				return nil, fmt.Errorf("unknown property %q: %q", key, c)
			}
		}
		if counts[c.Name]++; counts[c.Name] > 10 {
			return nil, fmt.Errorf("more than 10 of the kind %s", c.Name)
		}
	}
	return annotations, nil
}
