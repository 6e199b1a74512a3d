package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Why a state file cannot be used, for errors.Is.
var (
	// ErrLocked is returned when another process has the file open.
	ErrLocked = errors.New("state file is in use")
	// ErrNewer is returned when a newer usersyncd wrote the file. Such a file is never set aside.
	ErrNewer = errors.New("state file has a newer format")
	// ErrForeign is returned when the file is the sound bbolt database of another program.
	ErrForeign = errors.New("not a state file of usersyncd")
	// ErrOtherOrg is returned when the file holds another organization's users.
	ErrOtherOrg = errors.New("state file belongs to another organization")
	// ErrReadOnly is returned by Commit on a store that was opened with OpenReadOnly.
	ErrReadOnly = errors.New("state file is open for reading only")
	// ErrDamaged is returned when the file turns out to be damaged while it is open.
	ErrDamaged = errors.New("state file is damaged")
	// ErrReplaced is returned when the file was removed or replaced while it is open: nothing that is written to
	// it would be there after a restart, and another process may have taken its place.
	ErrReplaced = errors.New("state file was removed or replaced")
)

// Options of Open and OpenReadOnly. The zero value is ready to use.
type Options struct {
	Timeout       time.Duration // how long to wait for the lock of another process; 0 means 2 s
	MaxEvents     int           // how many events of the history are kept; 0 means 50,000
	MaxEventBytes int           // how much they may take, in bytes; 0 means 128 MiB
	// Untrusted is for a file that lies where others may write: what it says of releases does not count.
	Untrusted bool
}

// Store is an open state file. Its methods are safe for concurrent use.
type Store struct {
	path      string
	readOnly  bool
	untrusted bool // see Options
	events    int  // that the history keeps
	most      int  // bytes that they may take

	opened  sync.RWMutex // held for writing while the file is replaced by another, and while it is closed
	file    *os.File     // bbolt's; kept to give the lock back when bbolt cannot
	db      *bolt.DB     // nil: there is nothing to read (OpenReadOnly alone)
	named   os.FileInfo  // the file that path names, as long as it is this one; nil: it does not matter
	aside   string       // where the damaged file was moved
	rebuilt bool         // of a store without db

	history  sync.Mutex // taken before opened
	bytes    int        // that the events take, if measured; both for whoever has the mutex
	measured bool
	broken   atomic.Pointer[damage]
	closed   atomic.Bool
}

// SetAside returns the path to which a damaged file was moved, when it was opened or since; "" if none was.
func (s *Store) SetAside() string {
	s.opened.RLock()
	defer s.opened.RUnlock()
	return s.aside
}

// Path returns where the file is.
func (s *Store) Path() string { return s.path }

// Empty reports that there is nothing to read: OpenReadOnly found no file, or a damaged one of which nothing is sound.
func (s *Store) Empty() bool { return s.database() == nil }

func (s *Store) database() *bolt.DB {
	s.opened.RLock()
	defer s.opened.RUnlock()
	return s.db
}

// Close gives the file back. It waits for calls under way.
func (s *Store) Close() error {
	if s.Empty() || s.closed.Swap(true) {
		return nil
	}
	s.opened.Lock()
	defer s.opened.Unlock()
	if !s.readOnly && s.gone() == nil {
		removePID(s.path) // before the lock goes: afterwards the file may be the next holder's
	}
	if err := s.release(); err != nil {
		return fmt.Errorf("close state file %s: %w", s.path, err)
	}
	return nil
}

// release closes whatever is open. A transaction that panicked may have left bbolt's locks held, so
// of a broken database only the file is closed, which gives the lock back.
func (s *Store) release() error {
	if s.db != nil && s.broken.Load() == nil {
		return s.db.Close()
	}
	if _, err := s.file.Stat(); errors.Is(err, os.ErrClosed) { // bbolt closes what it cannot open
		return nil
	}
	return errors.Join(unlock(s.file), s.file.Close())
}

func (s *Store) view(fn func(*bolt.Tx) error) error {
	return s.guard(func() error { return s.db.View(fn) })
}

func (s *Store) update(fn func(*bolt.Tx) error) error {
	return s.guard(func() error { return s.db.Update(fn) })
}

// guard runs one transaction and turns bbolt's panics, and faults of its memory map, into ErrDamaged.
func (s *Store) guard(transaction func() error) error {
	s.opened.RLock()
	defer s.opened.RUnlock()
	if d := s.broken.Load(); d != nil {
		return d
	}
	if err := s.gone(); err != nil {
		return err
	}
	panicked, err := recovered(transaction)
	if panicked != nil {
		panicked.what += "; start again to rebuild it from the API"
		s.broken.CompareAndSwap(nil, panicked)
		return panicked
	}
	return err
}

// gone returns ErrGone if the path names another file by now, or none. That takes a microsecond or
// two, and a commit a thousand.
func (s *Store) gone() error {
	if s.named == nil {
		return nil
	}
	now, err := os.Lstat(s.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(s.named, now) {
		return fmt.Errorf("%w while usersyncd has it open: put %s back, or start again, and what it held is read from the API", ErrReplaced, s.path)
	}
	return nil
}

// recovered runs fn and returns what it panics with as damage. It also catches reads of mapped pages
// that the file no longer has, which end the process otherwise.
func recovered(fn func() error) (panicked *damage, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			panicked = damagef("%v", p)
		}
	}()
	return nil, fn()
}

// damage says what is wrong with a file's structure.
type damage struct{ what string }

func damagef(format string, args ...any) *damage { return &damage{fmt.Sprintf(format, args...)} }

func (d *damage) Error() string { return fmt.Sprintf("%v: %s", ErrDamaged, d.what) }
func (d *damage) Unwrap() error { return ErrDamaged }
