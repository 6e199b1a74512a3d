package text

import (
	"strings"
	"testing"
)

// What a misspelt word most likely means. Of an address what is before the @ decides how far off it may be: most
// addresses of an organization end alike, and would all be near otherwise.
func TestSuggest(t *testing.T) {
	fields := []string{"email", "title", "department"}
	people := []string{"ana.gomez@example.com", "jonas.chen@example.com", "bo@example.com", strings.Repeat("x", 50) + "@example.com"}
	for _, c := range []struct {
		word  string
		among []string
		want  string
	}{
		{"emial", fields, "email"},
		{"Title", fields, "title"},
		{"skills", fields, ""},
		{"title", fields, ""}, // it is not misspelt
		{"bo@example.com", people, ""},
		{"ana.gomes@example.com", people, "ana.gomez@example.com"},
		{"anagomez@example.com", people, "ana.gomez@example.com"},
		{"ana.gomez@exmaple.com", people, "ana.gomez@example.com"},
		{"ana.gomez@example.org", people, "ana.gomez@example.com"}, // three off, and as many may be of eight letters
		{"john.doe@example.com", people, ""},
		{"al@example.com", people, ""},
		{"bob@example.com", people, "bo@example.com"},
		{strings.Repeat("x", 49) + "@example.com", people, ""}, // it would take long
	} {
		if got := Suggest(c.word, c.among); got != c.want {
			t.Errorf("%s: suggests %q, not %q", c.word, got, c.want)
		}
	}
}
