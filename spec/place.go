package spec

import (
	"os"
	"path/filepath"

	"usersyncd/spec/strictyaml"
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
	docs, _ := strictyaml.Parse(at.File, content)
	for _, doc := range docs {
		if value := doc.ValueAt(at); value != nil {
			if found := value.Named(strictyaml.Clean(name)); found != nil {
				return found.Pos
			}
		}
	}
	return at
}
