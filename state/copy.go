package state

import (
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// WriteCopy writes the file, as it is at one moment, to the writer that begin returns; size is in bytes. It takes memory for
// a few pages. Commits go on meanwhile, unless the file has to grow a lot: the writer must not wait without end.
func (s *Store) WriteCopy(begin func(size int64) (io.Writer, error)) error {
	return s.read(func(tx *bolt.Tx) error {
		w, err := begin(tx.Size())
		if err == nil {
			_, err = tx.WriteTo(w)
		}
		return err
	})
}

// OpenCopy opens what WriteCopy has written, for reading only: it has a private file without a name, which is gone when it
// is closed. Path and errors name path, the original.
func OpenCopy(r io.Reader, size int64, path string, o Options) (*Store, error) {
	s, err := newTemporary(path)
	if err != nil {
		return nil, err
	}
	s.readOnly, s.untrusted = true, o.Untrusted
	if _, err = io.CopyN(s.file, r, size); err == nil {
		err = s.attach()
	}
	if err != nil {
		return nil, fmt.Errorf("copy of state file %s: %w", path, errors.Join(err, s.release()))
	}
	return s, nil
}

// newTemporary makes a store with an empty private file that has no name, which stands for the one at path.
func newTemporary(path string) (*Store, error) {
	f, err := os.CreateTemp("", "usersyncd-*.db")
	if err != nil {
		return nil, fmt.Errorf("temporary state file: %w; set TMPDIR to a directory that can be written", err)
	}
	s := &Store{path: path, file: f}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}
