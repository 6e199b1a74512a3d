package spec

import (
	"os"
	"path/filepath"
)

// Place finds where a name stands inside a field, for a message about that name: at is where the field
// was set (see User.At), which may be in a _defaults.yaml. The file is read again, so it is not for hot paths.
// Where the name cannot be found, because the file changed or the name comes from elsewhere, it returns at.
func (l *Loader) Place(at Pos, name string) Pos {
	dir, err := filepath.EvalSymlinks(l.dir)
	if err != nil {
		return at
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return at
	}
	defer func() { _ = root.Close() }() // only read from
	o := newOpener(root)
	defer o.close()
	content, err := o.read(at.File)
	if err != nil {
		return at
	}
	docs, _ := parse(at.File, content)
	for _, doc := range docs {
		if value := doc.valueAt(at); value != nil {
			if found := value.named(clean(name)); found != nil {
				return found.pos
			}
		}
	}
	return at
}

// valueAt is the value whose key stands at a place.
func (n *node) valueAt(at Pos) *node {
	for _, e := range n.entries {
		if e.key.pos == at {
			return e.value
		}
		if found := e.value.valueAt(at); found != nil {
			return found
		}
	}
	for _, item := range n.items {
		if found := item.valueAt(at); found != nil {
			return found
		}
	}
	return nil
}

// named is the scalar with a text. Values come before keys, as a role may be called "role", and a number
// is nobody's name.
func (n *node) named(text string) *node {
	if n.kind == scalar && (n.quoted || !isTyped(n.tag)) && clean(n.text) == text {
		return n
	}
	for _, item := range n.items {
		if found := item.named(text); found != nil {
			return found
		}
	}
	for _, e := range n.entries {
		if found := e.value.named(text); found != nil {
			return found
		}
	}
	for _, e := range n.entries {
		if e.key.text == text {
			return e.key
		}
	}
	return nil
}
