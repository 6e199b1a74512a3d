package notify

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func sample() Message {
	return Message{
		ID: "held-0123456789ab", Kind: "held", Status: firing, At: time.Date(2026, 3, 2, 3, 4, 5, 0, time.UTC), Name: "prod",
		API: "https://api.mypurecloud.de", Dir: "/srv/users", Revision: "3f0c1a2b4d5e6f708192a3b4c5d6e7f801234567",
		Title: "12 users are held by a guard", Text: "Other users are not affected. max-removals holds 12 users: 12 removals, and 10 are allowed.",
		Fix: "If the change is intended: usersyncd release p-1f3ac24e", Users: 12, Examples: []string{"ana.perez@example.com", "*bob*_@<example>.com", "<!channel> & [x](https://evil.example)"},
	}.finish()
}

// The three formats are contracts: with somebody's receiver, with Slack and with Teams.
func TestGolden(t *testing.T) {
	over := Message{ID: "held-0123456789ab", Kind: "held", Status: resolved, At: sample().At, Title: "Resolved: no users are held", Text: "It lasted 35 min."}.finish()
	for name, m := range map[string]Message{"firing": sample(), "resolved": over} {
		for _, f := range []Format{Generic, Slack, Teams} {
			body, err := render(m, f)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := json.Indent(&got, body, "", "  "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			path := filepath.Join("testdata", name+"."+string(f)+".json")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s is not as in the golden file (-update rewrites it):\n%s", path, got.String())
			}
		}
	}
	if _, err := render(sample(), "pigeon"); err == nil {
		t.Error("there is a format pigeon")
	}
}

// strings that a JSON value holds, by the name of their key.
func texts(v any, key string, visit func(key, text string)) {
	switch v := v.(type) {
	case string:
		visit(key, v)
	case []any:
		for _, e := range v {
			texts(e, key, visit)
		}
	case map[string]any:
		for k, e := range v {
			texts(e, k, visit)
		}
	}
}

// Whatever a name, an error or a file is called: the message is JSON, small enough, on one line, and markup
// only where none is read.
func FuzzRender(f *testing.F) {
	for _, s := range []string{"<!channel> <@U123|x> @here & *b* `c` ~d~", "[a](http://b) **c** {{DATE(2020-01-01T00:00:00Z)}} {{{{ ${x}", "a\x00\x1b[31m\u202eb\u2028\r\nc\xff", strings.Repeat("\U0001f600", 1300), strings.Repeat("{", 1300), strings.Repeat("\"", 1300), strings.Repeat("<", 1300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := Message{Status: firing, Name: s, API: s, Dir: s, Revision: s, Title: s, Text: s, Fix: s, Examples: []string{s, s, s, s}}.finish()
		for _, format := range []Format{Generic, Slack, Teams} {
			body, err := render(m, format)
			if err != nil {
				t.Fatal(err)
			}
			if len(body) > 28<<10 {
				t.Fatalf("%s: %d bytes", format, len(body))
			}
			var v map[string]any
			if err := json.Unmarshal(body, &v); err != nil {
				t.Fatal(err)
			}
			texts(v, "", func(key, text string) {
				switch {
				case strings.ContainsAny(text, "\r\n\t\x00\x1b\u202e\u2028"), !utf8.ValidString(text):
					t.Fatalf("%s: %s is %q", format, key, text)
				case utf8.RuneCountInString(text) > 3000 && (format != Slack || v["text"] != text): // which may have 40,000
					t.Fatalf("%s: %s has %d characters", format, key, utf8.RuneCountInString(text))
				case format == Teams && (strings.Contains(text, "{{") || strings.Contains(text, "${")):
					t.Fatalf("%s: %s is %q", format, key, text)
				}
			})
			switch format {
			case Slack:
				fallback := v["text"].(string)
				if strings.ContainsAny(fallback, "<>") || strings.Contains(strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(fallback), "&") {
					t.Fatalf("the text with markup is %q", fallback)
				}
				if s := string(body); strings.Contains(s, `"type":"mrkdwn"`) || strings.Contains(s, `"type":"user`) || strings.Contains(s, `"type":"broadcast"`) || strings.Contains(s, `"type":"link"`) {
					t.Fatal(s)
				}
			case Teams:
				card := v["attachments"].([]any)[0].(map[string]any)["content"].(map[string]any)
				for _, b := range card["body"].([]any) {
					if kind := b.(map[string]any)["type"]; kind != "RichTextBlock" { // all others read Markdown
						t.Fatalf("a %s", kind)
					}
				}
			case Generic:
			}
		}
	})
}

// A message names the commit, and says if there are edits on top of it.
func TestMessageSaysThatEditsAreNotCommitted(t *testing.T) {
	m := sample()
	for revision, want := range map[string]string{
		m.Revision: "@3f0c1a2b4d5e…", m.Revision + "-dirty": "@3f0c1a2b4d5e… (with edits that are not committed)",
	} {
		m.Revision = revision
		if got := m.finish().from(); !strings.HasSuffix(got, want) || m.finish().Revision != revision {
			t.Errorf("%s: %q", revision, got)
		}
	}
}
