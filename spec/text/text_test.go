package text

import (
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		`C:\users "a" 'b'`:      `C:\users "a" 'b'`,
		"a\nb\tc\x1b[31m\u202e": `a\nb\tc\x1b[31m\u202e`,
		`\"`:                    `\"`,
		"\\\n\xff":              `\\n\xff`,
		"ñ 日本":                  "ñ 日本",
	} {
		if got := Escape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\nb\u202e\\\"\xff")
	f.Fuzz(func(t *testing.T, s string) {
		once := Escape(s)
		if twice := Escape(once); twice != once {
			t.Errorf("%q, then %q", once, twice)
		}
		if i := strings.IndexFunc(once, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q is not printable at %d", once, i)
		}
		if cut := Cut(once, 60); utf8.RuneCountInString(cut) > 63 || utf8.RuneCountInString(once) <= 60 && cut != once {
			t.Errorf("%q is cut to %q", once, cut)
		}
	})
}

func TestOneLine(t *testing.T) {
	if got := OneLine(" a\n\tb  c\r\n"); got != "a b c" {
		t.Errorf("%q", got)
	}
}

func TestCount(t *testing.T) {
	for got, want := range map[string]string{
		Plural(0, "user"): "0 users", Plural(1, "user"): "1 user", Plural(50_000, "user"): "50000 users",
		Count(1, "user is", "users are"): "1 user is", Count(2, "user is", "users are"): "2 users are",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestList(t *testing.T) {
	names := []string{"a", "b", "c"}
	for _, c := range []struct {
		names     []string
		most, all int
		want      string
	}{
		{nil, 2, 0, ""}, {names[:1], 2, 1, "a"}, {names, 3, 3, "a, b, c"}, {names, 2, 3, "a, b and 1 more"}, {names, 5, 30, "a, b, c and 27 more"},
	} {
		if got := List(c.names, c.most, c.all); got != c.want {
			t.Errorf("%d of %d: %q", c.most, c.all, got)
		}
	}
}

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		d           time.Duration
		want, short string
	}{
		{-time.Second, "0 seconds", "-1.0s"},
		{340 * time.Millisecond, "0 seconds", "0.3s"},
		{time.Second, "1 second", "1.0s"},
		{89 * time.Second, "89 seconds", "1m29s"},
		{90 * time.Second, "2 minutes", "1m30s"},
		{89 * time.Minute, "89 minutes", "1h29m0s"},
		{26 * time.Hour, "26 hours", "26h0m0s"},
		{71 * time.Hour, "2 days", "71h0m0s"},
	} {
		if got := Duration(c.d); got != c.want {
			t.Errorf("%v: %q, want %q", c.d, got, c.want)
		}
		if got := ShortDuration(c.d); got != c.short {
			t.Errorf("%v: short %q, want %q", c.d, got, c.short)
		}
	}
}

func TestShellWord(t *testing.T) {
	for _, word := range []string{"users", "a b", "it's", "$(rm -rf x)", "`x`", "", "-n", "ü", "a;b", "x\\y", "~", "*", `"`, "#a"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '<%s>' "+ShellWord(word)).Output()
		if err != nil || string(out) != "<"+word+">" {
			t.Errorf("%q is typed %s, and read as %s (%v)", word, ShellWord(word), out, err)
		}
	}
}
