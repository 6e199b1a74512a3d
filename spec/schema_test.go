package spec_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"usersyncd/spec"
)

var (
	update      = flag.Bool("update", false, "rewrite schema.json and the table of fields in README.md")
	schemaCases = flag.String("schema-cases", "", "file to write the cases of TestSchemaAndLoaderAgree to, for another validator")
)

// schemaCase is a text, and whether the schema, or a part of it, takes it.
type schemaCase struct {
	Name, Part, Text string
	Valid            bool
}

// compiled is the schema, or the part of it that ref names.
func compiled(t *testing.T, ref string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(spec.Schema()))
	must(t, err)
	c := jsonschema.NewCompiler()
	must(t, c.AddResource("schema.json", doc))
	s, err := c.Compile("schema.json" + ref)
	must(t, err)
	return s
}

// instance reads YAML as an editor does: a date is text.
func instance(t *testing.T, text string) any {
	t.Helper()
	var n yaml.Node
	must(t, yaml.Unmarshal([]byte(text), &n))
	var strip func(*yaml.Node)
	strip = func(n *yaml.Node) {
		if n.Tag == "!!timestamp" {
			n.Tag = "!!str"
		}
		for _, c := range n.Content {
			strip(c)
		}
	}
	strip(&n)
	var v any
	must(t, n.Decode(&v))
	j, err := json.Marshal(v)
	if err != nil {
		return text // .nan has no JSON
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	must(t, err)
	return out
}

func TestSchemaAndLoaderAgree(t *testing.T) {
	const s, defaults = "", "#/definitions/defaults"
	parts := map[string]*jsonschema.Schema{s: compiled(t, s), defaults: compiled(t, defaults)}
	var all []schemaCase
	check := func(name, part, text string, want bool) {
		if err := parts[part].Validate(instance(t, text)); (err == nil) != want {
			t.Errorf("%s: it should be %t, and the schema says %v", name, want, err)
		}
		all = append(all, schemaCase{name, part, text, want})
	}
	for _, c := range fixtures {
		field := string(c.field) + ": " + c.yaml + "\n"
		ok := (c.value != "" || c.blind) && !c.strict
		check(field, s, "email: a@x.example\n"+field, ok)
		check("listed "+field, s, "users:\n- {email: a@x.example, "+strings.TrimSpace(field)+"}\n", ok)
		if info, _ := spec.Lookup(c.field); !info.NoDefault {
			check("default "+field, defaults, field, ok)
		}
	}
	check("everything", s, everything, true)
	for _, text := range []string{
		"name: Ana\n", "users: []\n", "[]\n", "hello\n", "users:\n- name: Ana\n", "users:\n- email: a@x.example\ntitle: A\n", "email: a\n",
		"email: a@x.example\nid: x\n", "email: a@x.example\npreviousEmail: x\n", "email: a@x.example\npassword: x\n", "email: a@x.example\ntitle:\n",
	} {
		tree := load(t, spec.NewLoader(checkout(t, map[string]string{"a.yaml": text})))
		if len(tree.Problems) == 0 {
			t.Errorf("the loader takes %q", text)
		}
		check(text, s, text, false)
	}
	for _, text := range []string{"{}\n", "email: a@x.example\n", "name: A\n", "id: 3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f\n"} {
		check(text, defaults, text, false)
	}
	if *schemaCases != "" {
		j, err := json.Marshal(all)
		must(t, err)
		must(t, os.WriteFile(*schemaCases, j, 0o600))
	}
}

// Editors read the file.
func TestSchemaIsInTheFile(t *testing.T) {
	text, err := os.ReadFile("schema.json")
	must(t, err)
	derived(t, "schema.json", string(text), string(spec.Schema()))
}

// derived checks that a file is as it follows from the table of fields.
func derived(t *testing.T, name, text, want string) {
	t.Helper()
	switch {
	case text == want:
	case *update:
		must(t, os.WriteFile(name, []byte(want), 0o644))
	default:
		t.Errorf("%s does not have the fields of field.go; run: go test ./spec -update", name)
	}
}

func TestSchemaHasTheFieldsOfTheTable(t *testing.T) {
	var s struct {
		Definitions map[string]struct {
			Properties map[string]struct {
				Description string
				Ref         string `json:"$ref"`
			}
		}
	}
	must(t, json.Unmarshal(spec.Schema(), &s))
	user, defaults := []string{"id", "previousEmail"}, []string(nil)
	for _, info := range spec.AllFields() {
		user = append(user, string(info.Field))
		if !info.NoDefault {
			defaults = append(defaults, string(info.Field))
		}
	}
	slices.Sort(user)
	slices.Sort(defaults)
	if diff := cmp.Diff(user, slices.Sorted(maps.Keys(s.Definitions["user"].Properties))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(defaults, slices.Sorted(maps.Keys(s.Definitions["defaults"].Properties))); diff != "" {
		t.Error(diff)
	}
	for name, p := range s.Definitions["user"].Properties {
		if p.Description == "" {
			t.Errorf("%s has no description", name)
		}
	}
}

// The table of the README is that of the format. And its examples are valid.
func TestReadmeHasTheTableOfFields(t *testing.T) {
	text, err := os.ReadFile("README.md")
	must(t, err)
	table := spec.MarkdownTable()
	head, _, _ := strings.Cut(table, "|---")
	before, rest, ok := strings.Cut(string(text), head)
	_, after, more := strings.Cut(rest, "\n\n")
	if !ok || !more {
		t.Fatalf("README.md has no table with the head %s", head)
	}
	derived(t, "README.md", string(text), before+table+"\n"+after)
	for i, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		name := "a.yaml"
		files := map[string]string{"other.yaml": "email: other@example.com\n"}
		if strings.Contains(m[1], "_defaults.yaml") {
			name = "_defaults.yaml"
		}
		files[name] = m[1]
		if tree := load(t, spec.NewLoader(checkout(t, files))); len(tree.Problems) > 0 {
			t.Errorf("example %d of README.md: %q", i+1, texts(tree.Problems))
		}
	}
}
