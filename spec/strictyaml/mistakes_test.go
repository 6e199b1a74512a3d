package strictyaml

import (
	"errors"
	"strings"
	"testing"
)

var errUnsaid = errors.New("yaml: line 1: said by the library")

// mistakes are what people write, and what is said of it.
var mistakes = []struct{ text, want string }{
	{"a: b\nc:\n\td: e\n", `3:1: is a tab, which does not indent in YAML; use spaces`},
	{"a: b\n\tc: d\n", `2:1: is a tab, which does not indent in YAML; use spaces`},
	{"a: |\n\tb\n", `2:1: is a tab, which does not indent in YAML; use spaces`},
	{"a: b\n  \tc\n", ""},
	{"-\ta: b\n", `1:2: is a tab, which does not indent in YAML; use spaces`},
	{"a: Team: lead\nb: c\n", `1:4: has a colon and a space in a text without quotes; put the text in quotes: "Team: lead"`},
	{"a: {b: c: d}\n", `1:8: has a colon and a space in a text without quotes; put the text in quotes: "c: d"`},
	{"a: b\n  c: d\n", `2:3: is indented further than the key above, so that it continues the value there; give both keys the same indentation`},
	{"a: @lead\n", `1:4: begins with @, which YAML reserves; put the text in quotes: "@lead"`},
	{"a: `x`\n", "1:4: begins with `, which YAML reserves; put the text in quotes: \"`x`\""},
	{"a: %x\n", `1:4: begins with %, which YAML reserves; put the text in quotes: "%x"`},
	{"a: [@b, c]\n", `1:5: begins with @, which YAML reserves; put the text in quotes: "@b"`},
	{"a: {% if b %}\n", `1:4: begins with {%, as a template does; write what the template engine should have made of it`},
	{"a: *\n", `1:4: begins with *, which makes it a YAML alias of something that does not exist; put the text in quotes: "*"`},
	{"a: * b\n", `1:4: begins with *, which makes it a YAML alias of something that does not exist; put the text in quotes: "* b"`},
	{"a: *b\n", `1:4: begins with *, which makes it a YAML alias of something that does not exist; put the text in quotes: "*b"`},
	{"a: \"b\nc: d\n", `1:4: begins with a quote that is not closed; write " at the end of the text`},
	{"a: 'b\nc: d\n", `1:4: begins with a quote that is not closed; write ' at the end of the text`},
	{"a: \"b\nc: \"d\"\ne: f\n", `1:4: begins with a quote that is closed only in line 2, before other text; write " at the end of the text`},
	{"a: 'O'Neil'\n", `1:4: has text after its closing quote; put all of it in quotes, and write '' for an apostrophe inside`},
	{"a: \"b\" c\n", `1:4: has text after its closing quote; put all of it in quotes, and write \" for a quote inside`},
	{"a: [\"b\" c]\n", `1:5: has text after its closing quote; put all of it in quotes, and write \" for a quote inside`},
	{"a: [\"b\" \"c\"]\n", `1:9: follows "\"b\"" in brackets without a comma between; write the comma`},
	{"a: \"C:\\Users\"\n", `1:7: is an escape without its digits; write \\ for a backslash, or put the text in single quotes`},
	{"a: \"\\x4\"\n", `1:5: is an escape without its digits; write \\ for a backslash, or put the text in single quotes`},
	{"a: [b\nc: d\ne: [f]\n", `1:4: opens a list that is not closed; write "]" at its end`},
	{"a: {b: c\nd: e\n", `1:4: opens a map that is not closed; write "}" at its end`},
	{"a: [{b: c]\n", `1:5: opens a map that is not closed; write "}" at its end`},
	{"a: [b\n---\nc: d\n", `1:4: opens a list that is not closed; write "]" at its end`},
	{"a: b]\nc: ]\n", `2:4: "]" closes nothing; remove it, or put the text in quotes`},
	{"a: , b\n", `1:4: begins with a comma; put the text in quotes, or write a list in brackets`},
	{"a: [, b]\n", `1:5: has a comma with nothing before it; remove it`},
	{"a: [b,, c]\n", `1:7: has a comma with nothing before it; remove it`},
	{"a: [- b]\n", `1:5: is a dash of a list item in brackets; separate items by commas there`},
	{"a: [b?]\n", `1:5: has a ? in a text without quotes; put the text in quotes: "b?"`},
	{"a: - b\n", `1:4: is a list item in the line of its key; begin the list in the next line, or write it in brackets: [A, B]`},
	{"a: b\n- c\n", `2:1: is a list item among keys; indent it if it belongs to the key above`},
	{"- a\nb: c\n", `2:1: is among list items; write - before it, or indent it if it belongs to the item above`},
	{"a:\n    b: c\n  d: e\n", `3:3: is indented differently from the lines above; give the keys of a map, and the items of a list, the same indentation`},
	{"a: b\nc\nd: e\n", `2:1: "c" stands where a key is expected, and no colon follows it; write it as KEY: VALUE, or indent it if it continues the value above`},
	{"a: b\nc:d\ne: f\n", `2:1: has no space after the colon; write c: d`},
	{"a: b\nc d\n", `2:1: "c d" stands where a key is expected, and no colon follows it; write it as KEY: VALUE, or indent it if it continues the value above`},
	{"{a: b}\n{c: d}\n", `2:1: follows the end of a document; write --- between two documents`},
	{"t: |\n  a\n b\n", `3:2: is indented less than the text above, which begins after |; give all lines of that text the same indentation`},
	{"  a: b\nc: d\n", `2:1: is indented differently from the lines above; give the keys of a map, and the items of a list, the same indentation`},
	{"a: b\n...\nc: d\n", `3:1: follows the end of a document; write --- between two documents`},
	{"\"a\": \"b\",\n\"c\": \"d\"\n", `1:6: has a comma after its closing quote, as in JSON; remove the comma`},
	{"[a] b\n", `1:5: follows "[a]" in its line, where nothing can; put all of it in quotes, or remove it`},
	{"a: >b\n", `1:4: begins with >, which begins a text of several lines; put the text in quotes: ">b"`},
	{"a: |b\n", `1:4: begins with |, which begins a text of several lines; put the text in quotes: "|b"`},
	{"a: [|b]\n", `1:5: begins with |, which YAML reserves; put the text in quotes: "|b"`},
	{"--- a: b\n", `1:5: is a key in the line of ---; begin it in the next line`},
	{"%YAML 2.0\n---\na: b\n", `1:1: says that this is not YAML 1; remove the line`},
	{"%FOO\n---\na: b\n", `1:1: begins with %, which makes it a YAML directive; remove the line, or put the text in quotes`},
	{"<<<<<<< HEAD\na: b\n=======\na: c\n>>>>>>> x\n", `1:1: is a conflict marker of git: a merge has left both versions here; keep what is right, and delete the markers`},
	{"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n", `1:1: is a Git LFS pointer, not the file itself; run git lfs pull in the checkout`},
	{"a: !<b c\n", `1:4: begins with !, which makes it a YAML tag; put the text in quotes: "!<b c"`},
	{"a: &\n", `1:4: begins with &, which makes it a YAML anchor; put the text in quotes: "&"`},
}

func TestMistakes(t *testing.T) {
	for _, c := range mistakes {
		_, problems := Parse("a", []byte(c.text))
		got := ""
		for _, p := range problems {
			got += strings.TrimPrefix(p.String(), "a:") + "\n"
		}
		if got = strings.TrimSuffix(got, "\n"); got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}
