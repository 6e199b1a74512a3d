package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// directives are the lines of a unit that systemd reads.
func directives(t *testing.T, path string) (lines []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// The unit for several organizations is the one for a single one, but for what an instance has of its own.
func TestInstanceUnit(t *testing.T) {
	one, many := directives(t, "../../usersyncd.service"), directives(t, "../../examples/usersyncd@.service")
	own := strings.NewReplacer(
		"of a Genesys Cloud organization as", "of the Genesys Cloud organization %i as",
		"/etc/usersyncd/config.yaml", "/etc/usersyncd/%i.yaml",
		"/etc/usersyncd/credentials/", "/etc/usersyncd/credentials/%i/",
		"StateDirectory=usersyncd", "StateDirectory=usersyncd/%i",
		"RuntimeDirectory=usersyncd", "RuntimeDirectory=usersyncd/%i",
	)
	var want []string
	for _, line := range one {
		want = append(want, own.Replace(line))
		if strings.HasPrefix(line, "Description=") {
			want = append(want, "Conflicts=usersyncd.service")
		}
	}
	if !slices.Equal(many, want) {
		t.Errorf("the instance's unit has\n%s\nwant\n%s", strings.Join(many, "\n"), strings.Join(want, "\n"))
	}
}
