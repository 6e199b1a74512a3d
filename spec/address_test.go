package spec_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/spec/rewrite"
)

// An address that is read as another one, or looks like one, would give a user's access to somebody else.
func TestAddressesThatLookLikeOthers(t *testing.T) {
	for address, want := range map[string]string{
		"\u0430na@x.example":                             `"аna@x.example" has the Cyrillic letter 'а' (U+0430) among Latin letters; type the Latin letter or, if this is the address, write "\u0430na@x.example"`,
		"b.\u0430na@x.example":                           `"b.аna@x.example" has the Cyrillic letter 'а' (U+0430) among Latin letters; type the Latin letter or, if this is the address, write "b.\u0430na@x.example"`,
		"ana@ex\u03b1mple.test":                          `"ana@exαmple.test" has the Greek letter 'α' (U+03B1) among Latin letters; type the Latin letter or, if this is the address, write "ana@ex\u03b1mple.test"`,
		"\uff41na@x.example":                             `"ａna@x.example" has 'ａ' (U+FF41), which looks like "a", among Latin letters; type the Latin letter or, if this is the address, write "\uff41na@x.example"`,
		"mar\u212a@x.example":                            "\"marK@x.example\" is written with '\u212a' (U+212A), which is read as \"K\"; write that",
		"\u212a@x.example":                               "\"K@x.example\" is written with '\u212a' (U+212A), which is read as \"K\"; write that",
		"\u0645\u200c\u0645@x.example":                   `"م\u200cم@x.example" contains an invisible character (U+200C); remove it`,
		"\u0438\u0432\u0430\u043d@x.example":             "",
		"\u0438\u0432\u0430\u043d.smith@x.example":       "",
		"ivan@\u043f\u0440\u0438\u043c\u0435\u0440.test": "",
		"jos\u00e9@x.example":                            "", "\u5f20wei@x.example": "", "stra\u00dfe@x.example": "", "\u0131lker@x.example": "",
	} {
		for _, field := range []string{"email: %s\n", "email: b@x.example\nmanager: %s\n", "email: b@x.example\npreviousEmail: [%s]\n", "email: b@x.example\nemails: [{type: home, address: %s}]\n"} {
			content := fmt.Sprintf(field, address)
			tree := load(t, spec.NewLoader(checkout(t, map[string]string{"a.yaml": content})))
			got := ""
			if len(tree.Problems) > 0 {
				got = tree.Problems[0].Message
			}
			if got != want || len(tree.Problems) > 1 {
				t.Errorf("%s: %q, want %q", content, texts(tree.Problems), want)
			}
		}
	}
}

// Such an address of an organization is exported with escapes, which a reader of the spec sees.
func TestAddressThatLooksLikeAnotherIsExported(t *testing.T) {
	dir := t.TempDir()
	users := []*spec.User{{Key: "\u0430na@x.example", Fields: spec.FieldsOf(map[spec.Field]spec.Value{spec.Name: `"A"`, spec.Manager: spec.Text("\uff42o@x.example")})}}
	report, err := rewrite.Write(t.Context(), spec.NewLoader(dir), users, rewrite.Options{})
	must(t, err)
	if report.Created != 1 || len(report.Skipped) > 0 {
		t.Fatalf("%+v", report)
	}
	tree := load(t, spec.NewLoader(dir))
	want := slices.Clone(users[0].Fields)
	want.Set(spec.Email, spec.Text(users[0].Key))
	if diff := cmp.Diff(want, tree.Users[0].Fields); diff != "" || len(tree.Problems) > 0 {
		t.Errorf("%s%q", diff, texts(tree.Problems))
	}
}
