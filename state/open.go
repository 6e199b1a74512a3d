package state

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// maxSize bounds the file, in bytes; doc.go says what fits.
const maxSize = 1 << 30

// Open opens the state file at path for reading and writing, and creates it (mode 0600) and its
// directories (0700) if need be. A damaged file is moved aside, and one with what is sound of it put in
// its place; see SetAside. A file that others may read is made private; one that others may write, a link,
// or another user's file is refused. While another process has the file, Open waits for Options.Timeout and
// then returns ErrLocked, with the process id in its text.
func Open(path string, o Options) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("directory of state file %s: %w", path, err)
	}
	deadline := o.deadline()
	for {
		s, err := openExisting(path, deadline)
		switch {
		case errors.Is(err, ErrDamaged):
			damaged := s
			s, err = damaged.rebuild(err, deadline)
			err = errors.Join(err, damaged.release())
		case errors.Is(err, fs.ErrNotExist):
			s, err = create(path, deadline)
		}
		if errors.Is(err, fs.ErrExist) {
			continue // another process created it first
		}
		if err != nil {
			return nil, err
		}
		s.untrusted, s.events, s.most = o.Untrusted, cmp.Or(o.MaxEvents, maxEvents), cmp.Or(o.MaxEventBytes, maxEventBytes)
		if s.named, err = s.file.Stat(); err != nil {
			return nil, errors.Join(err, s.release())
		}
		writePID(path)
		return s, nil
	}
}

// OpenReadOnly opens the state file at path and never changes it, or anything beside it. A file that is
// missing is an empty store. Of a damaged one it shows what Open would take over, from a temporary copy. Other
// readers may have the file open at the same time, a process that writes may not: ErrLocked.
func OpenReadOnly(path string, o Options) (*Store, error) {
	f, err := lockFile(path, os.O_RDONLY, o.deadline())
	if errors.Is(err, fs.ErrNotExist) {
		aside, err := wasSetAside(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return &Store{path: path, readOnly: true, rebuilt: aside, untrusted: o.Untrusted}, nil
	}
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, file: f, readOnly: true}
	err = s.attach()
	if err != nil {
		damaged := s
		if errors.Is(err, ErrDamaged) {
			s, err = damaged.rebuild(err, time.Time{})
		}
		err = errors.Join(err, damaged.release())
	}
	if err != nil {
		return nil, err
	}
	s.untrusted = o.Untrusted
	return s, nil
}

func (o Options) deadline() time.Time {
	timeout := o.Timeout
	if timeout == 0 {
		timeout = lockTimeout
	}
	return time.Now().Add(timeout)
}

// openExisting returns the store with ErrDamaged if its file is to be set aside, which must happen before
// release gives its lock back.
func openExisting(path string, deadline time.Time) (*Store, error) {
	f, err := lockFile(path, os.O_RDWR, deadline)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, file: f}
	if err = s.attach(); err == nil {
		err = makePrivate(f) // now that it is known to be ours
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, errors.Join(err, s.release())
	}
	return s, err
}

// attach hands the locked file to bbolt, once its pages are known to be sound, and returns ErrDamaged, with the file
// as it was, unless all records are.
func (s *Store) attach() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if err := verify(s.file, info.Size()); err != nil {
		return err
	}
	if err := s.openBolt(); err != nil {
		return err
	}
	if err := s.view(checkFormat(s.path)); err != nil {
		return err
	}
	if err := s.view(checkRecords); err != nil {
		return err
	}
	return s.upgrade()
}

// create makes an empty state file. fs.ErrExist: somebody else was faster.
func create(path string, deadline time.Time) (*Store, error) {
	rebuilt, err := wasSetAside(path)
	if err != nil {
		return nil, err
	}
	var kept *salvaged
	if rebuilt { // and a crash left nothing in its place
		kept = &salvaged{}
	}
	s, err := build(path, kept, deadline)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, errors.Join(fs.ErrExist, os.Remove(path+newSuffix), s.release()) // removed while the lock is ours
	}
	if err := s.rename(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// build makes a state file under another name, so that a crash leaves no half of one. The lock is that of the file, and
// moves with it.
func build(path string, kept *salvaged, deadline time.Time) (*Store, error) {
	f, err := lockFile(path+newSuffix, os.O_RDWR|os.O_CREATE, deadline)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, file: f}
	if err := s.fill(kept); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// fill makes a file of any content a state file.
func (s *Store) fill(kept *salvaged) error {
	if err := s.file.Truncate(0); err != nil { // what a crash has left
		return err
	}
	if err := s.openBolt(); err != nil {
		return err
	}
	if err := s.update(layOut(kept)); err != nil {
		return fmt.Errorf("create state file %s: %w", s.path, err)
	}
	return nil
}

// rename gives a file that is complete its name.
func (s *Store) rename() error {
	if err := os.Rename(s.path+newSuffix, s.path); err != nil {
		return err
	}
	return syncDir(s.path)
}

// openBolt opens the database in s.file, of which the lock is held: bbolt locks the same open file
// once more, which succeeds at once.
func (s *Store) openBolt() error {
	panicked, err := recovered(func() error {
		db, err := bolt.Open(s.file.Name(), 0o600, &bolt.Options{
			Timeout:      lockTimeout,
			FreelistType: bolt.FreelistMapType,
			MaxSize:      maxSize,
			ReadOnly:     s.readOnly,
			NoStatistics: true,
			OpenFile:     func(string, int, os.FileMode) (*os.File, error) { return s.file, nil },
		})
		if err != nil {
			return fmt.Errorf("open state file %s: %w", s.path, err)
		}
		s.db = db
		return nil
	})
	if panicked != nil {
		return panicked
	}
	return err
}
