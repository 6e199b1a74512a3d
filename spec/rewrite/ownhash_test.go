package rewrite_test

import (
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/spec/rewrite"
)

// Whatever the _defaults.yaml says, the hash changes exactly with the user's own mapping.
func TestOwnHashUnderAnyDefaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spec")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		read := func(defaults, own *spec.User) *spec.User {
			for name, u := range map[string]*spec.User{"_defaults.yaml": defaults, "a.yaml": own} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(rewrite.Marshal(u)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			tree := loadIn(t, dir)
			if len(tree.Problems) > 0 {
				t.Fatal(texts(tree.Problems))
			}
			return tree.Users[0]
		}
		defaults := func() *spec.User {
			u := organization(t, "a@x.example")[0]
			u.ID = ""
			u.Fields.Set(spec.Department, `"Support"`) // an empty file would be a problem
			u.Fields = u.Fields.Without(spec.Email)
			u.Fields = u.Fields.Without(spec.Name)
			return u
		}
		one, other := organization(t, "a@x.example")[0], organization(t, "a@x.example")[0]
		first := read(defaults(), one)
		second := read(defaults(), one)
		third := read(defaults(), other)
		if first.OwnHash() != second.OwnHash() {
			t.Fatalf("another _defaults.yaml, another hash:\n%v %v\n%v %v", first.Fields, first.OwnParts, second.Fields, second.OwnParts)
		}
		if same := one.Fields.Hash() == other.Fields.Hash(); same != (second.OwnHash() == third.OwnHash()) {
			t.Fatalf("the mappings are the same: %t, the hashes are not as they are:\n%v\n%v", same, one.Fields, other.Fields)
		}
	})
}
