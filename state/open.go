package state

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"usersyncd/state/boltfile"
	"usersyncd/state/lockfile"
)

const (
	maxSize     = 1 << 30 // of the file, in bytes; doc.go says what fits
	lockTimeout = 2 * time.Second
)

// Open opens the state file at path for reading and writing. It creates the file (mode 0600) and its directories (0700)
// if they do not exist. A damaged file is moved aside and replaced by one with its sound records; see SetAside. A file that
// others may read is made private; one that others may write, a link and another user's file are refused. If another
// process has the file, Open waits for Options.Timeout and then returns ErrLocked.
func Open(path string, o Options) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("directory of state file %s: %w; create it, or give a file elsewhere with --state", path, err)
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
		s.untrusted, s.db.MaxSize, s.maxEvents, s.maxHistoryBytes = o.Untrusted, cmp.Or(o.MaxSize, maxSize), cmp.Or(o.MaxEvents, defaultEvents), cmp.Or(o.MaxEventBytes, defaultHistoryBytes)
		if s.fileInfo, err = s.file.Stat(); err != nil {
			return nil, errors.Join(err, s.release())
		}
		lockfile.WritePID(path, o.Process)
		return s, nil
	}
}

// OpenReadOnly opens the state file at path, and changes neither it nor anything beside it. A file that does not exist is
// an empty store. Of a damaged file it shows the sound records, from a temporary copy. Other readers may have the file
// open at the same time; while a process writes it, OpenReadOnly returns ErrLocked.
func OpenReadOnly(path string, o Options) (*Store, error) {
	f, err := lockfile.Open(path, os.O_RDONLY, o.deadline())
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

func (o Options) deadline() time.Time {
	return time.Now().Add(cmp.Or(o.Timeout, lockTimeout))
}

// openExisting opens a file that exists. With ErrDamaged it also returns the store, which holds the lock until the file
// was set aside.
func openExisting(path string, deadline time.Time) (*Store, error) {
	f, err := lockfile.Open(path, os.O_RDWR, deadline)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, file: f}
	if err = s.attach(); err == nil {
		err = lockfile.MakePrivate(f) // now that it is known to be a state file
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, errors.Join(err, s.release())
	}
	return s, err
}

// attach opens the locked file with bbolt after its pages were verified. It returns ErrDamaged, and leaves the file as it
// is, unless all records are sound.
func (s *Store) attach() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if err := boltfile.Verify(s.file, info.Size()); err != nil {
		return damagef("%v", err)
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

// create makes an empty state file. It returns fs.ErrExist if another process has made one meanwhile.
func create(path string, deadline time.Time) (*Store, error) {
	rebuilt, err := wasSetAside(path)
	if err != nil {
		return nil, err
	}
	var records *salvaged
	if rebuilt { // and a crash prevented its replacement
		records = &salvaged{}
	}
	s, err := build(path, records, deadline)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, errors.Join(fs.ErrExist, os.Remove(path+lockfile.NewSuffix), s.release()) // removed before the lock is released
	}
	if err := s.rename(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// build makes a state file under a temporary name, so that a crash leaves no incomplete one. The lock is that of the file,
// and stays when it is renamed.
func build(path string, records *salvaged, deadline time.Time) (*Store, error) {
	f, err := lockfile.Open(path+lockfile.NewSuffix, os.O_RDWR|os.O_CREATE, deadline)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, file: f}
	if err := s.fill(records); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// fill replaces the content of the file by a new database.
func (s *Store) fill(records *salvaged) error {
	if err := s.file.Truncate(0); err != nil { // a crash may have left something
		return err
	}
	if err := s.openBolt(); err != nil {
		return err
	}
	if err := s.update(initialize(records)); err != nil {
		return fmt.Errorf("create state file %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) rename() error {
	if err := os.Rename(s.path+lockfile.NewSuffix, s.path); err != nil {
		return err
	}
	return syncDir(s.path)
}

// syncDir makes a change of a file's name durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openBolt opens the database in s.file, which is locked: bbolt's own lock on the same open file succeeds at once.
func (s *Store) openBolt() error {
	panicked, err := recoverDamage(func() error {
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
