package config

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestPercent(t *testing.T) {
	for text, want := range map[string]string{
		"20%": "20%", "20 %": "20%", " 0.2 ": "20%", "0": "0%", "-0": "0%", "7%": "7%", "0.29": "29%", "90%": "90%", "12.5%": "12.5%",
		"91%": "", "1": "", "-5": "", "-5%": "", "NaN": "", "Inf": "", "": "", "%": "", "half": "", "20%%": "",
	} {
		share, err := parseShare(text)
		if got := formatShare(share); want == "" && err == nil || want != "" && (err != nil || got != want) {
			t.Errorf("%q: %s, %v; want %q", text, got, err, want)
		}
	}
}

// A list is never read as a shorter one: what follows a line break is not dropped.
func TestList(t *testing.T) {
	for _, test := range []struct {
		given []string
		want  string // "!": refused
	}{
		{nil, "default"},
		{[]string{"a"}, "a"},
		{[]string{"Master Admin, admin ,\"b\""}, "Master Admin|admin|\"b\""},
		{[]string{"a,\nb\n"}, "a|b"}, // of a YAML block
		{[]string{"a", "b,c"}, "a|b|c"},
		{[]string{""}, ""},
		{[]string{" \n"}, ""},
		{[]string{"a\nb"}, "!"},
		{[]string{"a,,b"}, "!"},
		{[]string{"a,"}, "!"},
	} {
		var got []string
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		NamesVar(f, &got, "names", []string{"default"}, "")
		text := ""
		for _, value := range test.given {
			if err := f.Set("names", value); err != nil {
				text = "!"
			}
		}
		if text == "" {
			text = strings.Join(got, "|")
		}
		if text != test.want {
			t.Errorf("%q: %q, want %q", test.given, text, test.want)
		}
	}
}
