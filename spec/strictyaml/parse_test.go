package strictyaml

import (
	"errors"
	"testing"
)

func TestPositionOfSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"yaml: line 7: did not find\x1b":      "a.yaml:7:1: not valid YAML near line 7: did not find\\x1b",
		"yaml: unknown anchor 'a' referenced": "a.yaml:1:1: not valid YAML: unknown anchor 'a' referenced",
		"the YAML parser failed: line 3: x":   "a.yaml:1:1: not valid YAML: the YAML parser failed: line 3: x",
	} {
		if got := syntaxProblem("a.yaml", errors.New(text)).String(); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
