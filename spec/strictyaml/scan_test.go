package strictyaml

import (
	"math"
	"runtime"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"usersyncd/spec/growth"
)

// ordinary are texts in every form of YAML.
var ordinary = []string{
	"", "a: b\n", "a: {b: c, d: [e, f]}\n", "- a\n- b: c\n  d: e\n- - f\n  - g\n", "a:\n- b\n- c\nd: e\n", "a:\nb:\n", "-\n-\n", "{a, b: , c: d}", "[a: b, c: d, e]", "? a\n: b\n? c\n",
	"a: |\n  b\n   c\n\n  d\ne: >-\n  f\n", "a: |2\n    b\n   c\n", "a: 'it''s'\nb: \"x\\\"y\\u00e9\\x41\\U0001F600\"\n", "a: b c\n  d e\nf: g\n", "a: \"b\n  c\"\nd: e\n", "--- a\n--- b\n...\n---\n",
	"# c\na: b # d\n\n# e\nf:\n  # g\n  - h # i\n", "a: &x [b]\nc: *x\n&y d: !!str e\n? !z f\n: g\n", "a: b:c\nd: e#f\ng: h, i\nj: -k\nl: ?m\nn: :o\n", "a:\r\n  b: c\r\n", "{\"a\":b, 'c':d}", "\"a\": b\n'c' : d\n",
	"a: [\n  b,\n  c,\n]\nd: {\n  e: f\n}\n", "\ufeffa: b\n", "%TAG ! tag:x,2000:\n---\na: b\n", "[[], {}, [{}]]", "- {a: b}\n- [c]\n", "é: ü\n  ß\nx: y\n", "a: 1\n---\nb: 2\n", "a:\tb\n", "a: b\t# c\n", "- a: b\n\n  c: d\n", "{a: b\n, c: d}", "a: \n  b\n", "?\n: a\n", ": a\n", "[? a : b, ? c]",
	"[:, :]", "#\n\t\n\n#", "?\t# a\n", "{:, : a}", "{a, &b}", "- # c\n  a\n", "a: >\n\n  b\n", "a: |\n", "x: 'a\n\n  b'\n", "a: -\n", "- -\n", "a b: c\n", "...\na: b\n",
}

func FuzzScan(f *testing.F) {
	for _, text := range ordinary {
		f.Add(text)
	}
	for _, c := range mistakes {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(checkEncoding("", []byte(text))) > 0 {
			return
		}
		content, problems := withoutVersion("", []byte(text))
		docs, err := decode(content)
		nodes, wrong := scan(string(content), math.MaxInt)
		if err != nil || problems != nil {
			if p := syntaxProblem("a", text, errUnsaid); p.Line > strings.Count(text, "\n")+1 || p.Column < 1 {
				t.Errorf("%q: %v", text, p)
			}
			return
		}
		built := 0
		for _, doc := range docs {
			built += count(doc) - 1
		}
		if wrong != nil && strings.Contains(text, "?") {
			return // the library skips the bracket after "[?", so that it takes "[?]]"
		}
		if wrong != nil || nodes < built || nodes > 2*built+2+len(docs) {
			t.Errorf("%q: %d nodes, not %d; %+v", text, nodes, built, wrong)
		}
	})
}

func count(y *yaml.Node) int {
	n := 1
	for _, c := range y.Content {
		n += count(c)
	}
	return n
}

// Of ordinary files nodes are counted exactly, but for what is not there.
func TestNodesAreCounted(t *testing.T) {
	for text, want := range map[string]int{
		"roles: [" + strings.Repeat("A,", 1000) + "]\n": 1003, "users:\n" + strings.Repeat("- {email: a, skills: {A: 1}}\n", 100): 3 + 100*7, strings.Repeat("- a\n- b: c\n", 100): 1 + 100*4,
	} {
		if nodes, wrong := scan(text, math.MaxInt); nodes != want || wrong != nil {
			t.Errorf("%.20q: %d nodes, not %d; %v", text, nodes, want, wrong)
		}
	}
	if nodes, _ := scan("["+strings.Repeat("a,", 1000), 10); nodes != 11 {
		t.Errorf("the count ends at %d", nodes)
	}
}

// The nodes of a file that has too many are not built: there it would take a hundred times its size.
func TestTooManyNodesAreNotBuilt(t *testing.T) {
	content := []byte("roles: [" + strings.Repeat("a,", (MaxFileSize-10)/2) + "]")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	docs, problems := Parse("a", content)
	runtime.ReadMemStats(&after)
	if docs != nil || len(problems) != 1 || problems[0].String() != "a:1:1: has more than 200000 values; split it into several files" {
		t.Errorf("%d, %v", len(docs), problems)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 8<<20 {
		t.Errorf("%d bytes for %d", took, len(content))
	}
}

// The scan of a hostile file takes time in proportion to its size, also after the first mistake.
func TestScanGrowsWithTheText(t *testing.T) {
	for _, c := range []struct{ before, repeated string }{
		{"[", "!a!b, "}, {"[", "a: b: c "}, {"[", "\"a\" b "}, {"[", "*a, "}, {"[", "? "}, {"[", "\t"}, {"a:", "\t"}, {"?", "\t"}, {"[", "@, "}, {"[", "[a], b c\nd: "}, {"#\n", "\t\n"}, {"a: |\n", "\n"},
	} {
		growth.Check(t, 10_000, func(n int) func() {
			text := c.before + strings.Repeat(c.repeated, n) + "#"
			return func() { scan(text, math.MaxInt) }
		})
	}
}
