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
// directories (0700) if need be. A damaged file is moved aside and an empty one put in its place; see
// SetAside. A file that others may read is made private; one that others may write, a link, or another
// user's file is refused. While another process has the file, Open waits for Options.Timeout and then
// returns ErrLocked, with the process id in its text.
func Open(path string, o Options) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("directory of state file %s: %w", path, err)
	}
	deadline := o.deadline()
	aside := ""
	for {
		s, err := openExisting(path, deadline)
		if errors.Is(err, fs.ErrNotExist) {
			s, err = create(path, deadline)
		}
		if errors.Is(err, fs.ErrExist) {
			continue // another process created it first
		}
		if d, ok := errors.AsType[*damage](err); ok {
			if aside, err = setAside(path, time.Now()); err != nil {
				err = fmt.Errorf("set aside state file %s (%s): %w", path, d.what, err)
			}
			if err = errors.Join(err, s.release()); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		s.untrusted = o.Untrusted
		s.aside, s.events, s.most = aside, cmp.Or(o.Events, maxEvents), cmp.Or(o.Bytes, maxEventBytes)
		if s.named, err = s.file.Stat(); err != nil {
			return nil, errors.Join(err, s.release())
		}
		writePID(path)
		return s, nil
	}
}

// OpenReadOnly opens the state file at path and never changes anything on disk. A file that is
// missing is an empty store; so is a damaged one, whose Snapshot says Rebuilt. Other readers may have
// the file open at the same time, a process that writes may not: ErrLocked.
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
	s := &Store{path: path, file: f, readOnly: true, untrusted: o.Untrusted}
	err = s.attach()
	if errors.Is(err, ErrDamaged) {
		return &Store{path: path, readOnly: true, rebuilt: true}, s.release()
	}
	if err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (o Options) deadline() time.Time {
	timeout := o.Timeout
	if timeout == 0 {
		timeout = lockTimeout
	}
	return time.Now().Add(timeout)
}

// openExisting returns the store with *damage if its file is to be set aside, which must happen before
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

// attach hands the locked file to bbolt, once it is known to be sound, and brings the records to rights.
func (s *Store) attach() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	halfMeta, err := verify(s.file, info.Size())
	if err != nil {
		return err
	}
	if err := s.openBolt(); err != nil {
		return err
	}
	if err := s.view(checkFormat(s.path)); err != nil {
		return err
	}
	if err := s.upgrade(); err != nil {
		return err
	}
	var bad []recordID
	if err := s.view(func(tx *bolt.Tx) error { bad, err = findDamaged(tx); return err }); err != nil {
		return err
	}
	if halfMeta {
		bad = append(bad, recordID{}) // whatever the last commit held
	}
	if s.readOnly {
		s.lost = len(bad)
		return nil
	}
	return s.dropDamaged(bad)
}

// create makes an empty state file under another name and renames it when it is complete, so that a
// crash leaves no half of one. The lock moves with the file. fs.ErrExist: somebody else was faster.
func create(path string, deadline time.Time) (*Store, error) {
	rebuilt, err := wasSetAside(path)
	if err != nil {
		return nil, err
	}
	f, err := lockFile(path+newSuffix, os.O_RDWR|os.O_CREATE, deadline)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, file: f}
	if _, err := os.Lstat(path); err == nil {
		return nil, errors.Join(fs.ErrExist, os.Remove(f.Name()), s.release()) // removed while the lock is ours
	}
	if err := s.fill(rebuilt); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// fill makes a locked file of any content a state file, and gives it its name.
func (s *Store) fill(rebuilt bool) error {
	if err := s.file.Truncate(0); err != nil { // what a crash has left
		return err
	}
	if err := s.openBolt(); err != nil {
		return err
	}
	if err := s.update(layOut(rebuilt)); err != nil {
		return fmt.Errorf("create state file %s: %w", s.path, err)
	}
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
