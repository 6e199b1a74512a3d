package text

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestEscapeJSON(t *testing.T) {
	for in, want := range map[string]string{
		"{\n  \"a\": [1, \"ñ 日本 🙂\"]\n}\n": "{\n  \"a\": [1, \"ñ 日本 🙂\"]\n}\n",
		"\"a\u202eb\u2066\u200b\ufeff\"":   `"a\u202eb\u2066\u200b\ufeff"`,
		"\"\x7f\u00a0\u0085\"":             `"\u007f\u00a0\u0085"`,
		"\"\U000e0041\"":                   `"\udb40\udc41"`,
		`{"##[a]": "###"}`:                 `{"\u0023#[a]": "\u0023\u0023#"}`,
		"\"\xff\"":                         "\"\xff\"", // is not JSON, and stays as it is
	} {
		if got := string(EscapeJSON([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// The value stays the same, and every character can be seen.
func TestEscapeJSONLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.String())).Draw(t, "value")
		data, err := json.MarshalIndent(want, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		data = EscapeJSON(data)
		var got map[string][]string
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		again, _ := json.MarshalIndent(got, "", " ")
		if !bytes.Equal(EscapeJSON(again), data) {
			t.Fatalf("%q became %q", data, again)
		}
		if i := strings.IndexFunc(string(data), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("%q is not printable at %d", data, i)
		}
		if bytes.Contains(data, []byte("##")) {
			t.Fatalf("%q has a command", data)
		}
	})
}
