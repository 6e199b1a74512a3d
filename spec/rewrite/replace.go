package rewrite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"usersyncd/spec"
)

// writeAll writes the planned files, and the schema that new files refer to.
func (w *writer) writeAll(ctx context.Context) error {
	schema := spec.Schema()
	if old, err := readRegular(w.Root, schemaFile); err != nil || !bytes.Equal(old, schema) {
		if err := replace(w.Root, schemaFile, schema); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.content)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := replace(w.Root, name, w.content[name]); err != nil {
			return err
		}
	}
	return nil
}

func readRegular(root *os.Root, name string) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fs.ErrInvalid
	}
	return root.ReadFile(name)
}

// replace writes a file atomically: beside the old one, and then renamed. A link in its place is replaced, not followed.
func replace(root *os.Root, name string, content []byte) (err error) {
	mode := fs.FileMode(0o644)
	if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() {
		mode = info.Mode().Perm()
	}
	folder := path.Dir(name)
	if err := root.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	temporary := path.Join(folder, "."+path.Base(name)+".new")
	if err := root.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the file that an earlier export left: %w", err)
	}
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(temporary))
	}
	return nil
}
