package stream

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// command finds what a runner obeys: actions/runner, src/Runner.Common/ActionCommand.cs, and the Azure Pipelines agent.
var command = regexp.MustCompile(`(?i)(^|[\r\n])[\s\v\x{85}\p{Z}]*::|##\[|##vso\[`)

func TestStream(t *testing.T) {
	for _, tt := range []struct {
		writes []string
		want   string
	}{
		{[]string{"Updates: 1 user\n  ~ ana: \"a::b ::c\"\n"}, "Updates: 1 user\n  ~ ana: \"a::b ::c\"\n"},
		{[]string{"::error file=x::pwned.yaml:3:1: wrong"}, `:\x3aerror file=x::pwned.yaml:3:1: wrong`},
		{[]string{"a\n \t::add-mask::x"}, "a\n \t:\\x3aadd-mask::x"},
		{[]string{"\u3000\u00a0::error::x\n\u2028 ", "\xe3\x80", "\x80::b"}, "\u3000\u00a0:\\x3aerror::x\n\u2028 \u3000:\\x3ab"},
		{[]string{"日::a\n\xe3::b\n\xc2\xc2\xa0::c"}, "日::a\n\xe3:\\x3ab\n\xc2\xc2\xa0::c"},
		{[]string{"a\r:", ":stop"}, "a\r:\\x3astop"},
		{[]string{":", "\n:", "a"}, ":\n:a"},
		{[]string{"a ##[error]b"}, `a ##\x5berror]b`},
		{[]string{"#", "#", "[group]"}, `##\x5bgroup]`},
		{[]string{"##VS", "o[task.x]"}, `##VSo\x5btask.x]`},
		{[]string{"### heading [x] #[y]"}, "### heading [x] #[y]"},
	} {
		var b strings.Builder
		s := New(&b)
		for _, w := range tt.writes {
			if n, err := s.Write([]byte(w)); n != len(w) || err != nil {
				t.Fatal(n, err)
			}
		}
		if b.String() != tt.want {
			t.Errorf("%q: %q, want %q", tt.writes, b.String(), tt.want)
		}
	}
}

// However text is cut into writes, no command comes out, and everything else does.
func TestNoCommandPassesAStream(t *testing.T) {
	parts := rapid.SampledFrom([]string{":", "::", "#", "##", "[", "##[error]", "##vso[", "vso", "V", "\n", "\r", " ", "\t", "\u3000", "\u0085", "\xc2", "\xa0", "a", "é", "::error::x"})
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		s := New(&b)
		writes := rapid.SliceOf(parts).Draw(t, "writes")
		for _, w := range writes {
			_, _ = s.Write([]byte(w))
		}
		if found := command.FindString(b.String()); found != "" {
			t.Fatalf("%q has the command %q", b.String(), found)
		}
		whole := strings.Join(writes, "")
		if back := strings.NewReplacer(`\x5b`, "[", `\x3a`, ":").Replace(b.String()); back != whole {
			t.Fatalf("%q became %q", whole, b.String())
		}
	})
}

func TestCommand(t *testing.T) {
	var b strings.Builder
	s := New(&b)
	_, _ = s.Write([]byte("no line break"))
	if err := s.Command("::notice::a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Command("::notice::b"); err != nil {
		t.Fatal(err)
	}
	_, _ = s.Write([]byte("::c"))
	if want := "no line break\n::notice::a\n::notice::b\n:\\x3ac"; b.String() != want {
		t.Fatalf("%q, want %q", b.String(), want)
	}
}
