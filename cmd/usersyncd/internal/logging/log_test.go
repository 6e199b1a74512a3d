package logging

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// Where nobody has asked for a format, a person reads the log: the output of a job in CI is a file.
func TestFormats(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	const line = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d) WRN polling dir=users every=2s first="a; b" name="a\\u202eb"\n$`
	for _, c := range []struct {
		format string
		stderr io.Writer
		want   string
		asText bool
	}{
		{"auto", file, line, true},
		{"auto", io.Discard, line, true},
		{"text", file, line, true},
		{"json", file, `^\{"time":".*","level":"WARN","msg":"polling","dir":"users","every":"2s","first":\["a","b"\],"group":\{"wait":"1m30s"\},"name":"a\\u202eb","err":"c\\u2066d"\}\n$`, false},
	} {
		var out bytes.Buffer
		log, _, asText, err := New(&out, c.stderr, c.format, false)
		if err != nil {
			t.Fatal(err)
		}
		attrs := []any{"dir", "users", "every", 2 * time.Second}
		if c.format == "json" {
			attrs = append(attrs, "first", []string{"a", "b"}, slog.Group("group", "wait", 90*time.Second), "name", "a\u202eb", "err", errors.New("c\u2066d"))
		} else {
			attrs = append(attrs, "first", []string{"a", "b"}, "name", "a\u202eb")
		}
		log.Warn("polling", attrs...)
		if !regexp.MustCompile(c.want).MatchString(out.String()) || asText != c.asText {
			t.Errorf("%s: %q, %v; want %s", c.format, out.String(), asText, c.want)
		}
	}
}
