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

	"usersyncd/state/lockfile"
)

// Why a state file cannot be used, for errors.Is.
var (
	// ErrLocked is returned when another process has the file open. Its text has the process id if that is known.
	ErrLocked = lockfile.ErrLocked
	// ErrNewer is returned when a newer usersyncd wrote the file. Such a file is never set aside.
	ErrNewer = errors.New("state file has a newer format")
	// ErrForeign is returned when the file is the sound bbolt database of another program.
	ErrForeign = errors.New("not a state file of usersyncd")
	// ErrOtherOrg is returned when the file holds another organization's users.
	ErrOtherOrg = errors.New("state file belongs to another organization")
	// ErrReadOnly is returned by the writing methods of a store from OpenReadOnly or OpenCopy.
	ErrReadOnly = errors.New("state file is open for reading only")
	// ErrDamaged is returned when the file turns out to be damaged while it is open.
	ErrDamaged = errors.New("state file is damaged")
	// ErrReplaced is returned when the file was removed or replaced while it is open: what is written to it would be
	// missing after a restart, and another process may use the new one.
	ErrReplaced = errors.New("state file was removed or replaced")
)

// A LockedError is an ErrLocked.
type LockedError = lockfile.LockedError

// Options of Open and OpenReadOnly. The zero value is ready to use.
type Options struct {
	Timeout       time.Duration // how long to wait for the lock of another process; 0: 2 s
	MaxEvents     int           // how many events the history has at most; 0: 50,000
	Process       string        // what this process is, for the error message of others, such as "usersyncd --once"
	MaxEventBytes int           // how many bytes they take at most; 0: 128 MiB
	MaxSize       int           // how many bytes the file has at most; 0: 1 GiB
	// Untrusted is for a file in a place that others may write to: its releases are ignored.
	Untrusted bool
}

// Store is an open state file. Its methods are safe for concurrent use.
type Store struct {
	path            string
	readOnly        bool
	untrusted       bool // see Options
	maxEvents       int
	maxHistoryBytes int

	mu       sync.RWMutex // held for writing while the file is replaced by another, and while it is closed
	file     *os.File     // bbolt's; to release the lock when bbolt cannot
	db       *bolt.DB     // nil: there is nothing to read (OpenReadOnly only)
	fileInfo os.FileInfo  // of file, which path must name; nil: it need not
	aside    string       // where the damaged file was moved
	rebuilt  bool         // of a store without db

	historyMu    sync.Mutex // taken before mu
	historyBytes int        // size of all events, if counted; both are guarded by historyMu
	counted      bool
	broken       atomic.Pointer[damage]
	failed       atomic.Bool // a commit has failed since CheckWritable succeeded
	closed       atomic.Bool
}

// SetAside returns the path to which a damaged file was moved, when it was opened or since; "" if none was.
func (s *Store) SetAside() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.aside
}

// Path returns the path of the file.
func (s *Store) Path() string { return s.path }

// ReadOnly reports whether the writing methods return ErrReadOnly.
func (s *Store) ReadOnly() bool { return s.readOnly }

// Empty reports whether there is nothing to read: OpenReadOnly found no file, or a damaged one with no sound record.
func (s *Store) Empty() bool { return s.database() == nil }

func (s *Store) database() *bolt.DB {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.db
}

// Close waits for calls under way, and closes the file.
func (s *Store) Close() error {
	if s.Empty() || s.closed.Swap(true) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.readOnly && s.checkReplaced() == nil {
		lockfile.RemovePID(s.path) // before the lock is released: afterwards it may be the next holder's
	}
	if err := s.release(); err != nil {
		return fmt.Errorf("close state file %s: %w", s.path, err)
	}
	return nil
}

// release closes what is open. A transaction that panicked may have left bbolt's locks held, so of a broken database only
// the file is closed, which releases its lock.
func (s *Store) release() error {
	if s.db != nil && s.broken.Load() == nil {
		return s.db.Close()
	}
	if _, err := s.file.Stat(); errors.Is(err, os.ErrClosed) { // bbolt closes what it cannot open
		return nil
	}
	return errors.Join(lockfile.Unlock(s.file), s.file.Close())
}

// read runs fn in a read transaction, unless the store is empty.
func (s *Store) read(fn func(*bolt.Tx) error) error {
	if s.Empty() {
		return nil
	}
	if err := s.view(fn); err != nil {
		return fmt.Errorf("read state file %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) write(fn func(*bolt.Tx) error) error {
	err := ErrReadOnly
	if !s.readOnly {
		err = s.update(fn)
	}
	if err != nil {
		s.failed.Store(true)
		return fmt.Errorf("write state file %s: %w", s.path, err)
	}
	return nil
}

// probeSize is how many bytes CheckWritable writes: more than the results of all calls in flight take.
const probeSize = 256 << 10

// CheckWritable returns nil, unless a commit has failed and the file still has no room for the next ones. A small commit may
// succeed on a full disk, as it finds room in the file; so this writes, and removes, what is larger.
func (s *Store) CheckWritable() error {
	if !s.failed.Load() {
		return nil
	}
	err := s.write(func(tx *bolt.Tx) error {
		return setRecord(tx, bucketMeta, keyProbe, seal(bucketMeta, keyProbe, make([]byte, probeSize)))
	})
	if err == nil {
		err = s.write(func(tx *bolt.Tx) error { return deleteRecord(tx, bucketMeta, keyProbe) })
	}
	s.failed.Store(err != nil)
	return err
}

func (s *Store) view(fn func(*bolt.Tx) error) error {
	return s.guard(func() error { return s.db.View(fn) })
}

func (s *Store) update(fn func(*bolt.Tx) error) error {
	return s.guard(func() error { return s.db.Update(fn) })
}

// guard runs one transaction, and turns panics of bbolt and faults of its memory map into ErrDamaged.
func (s *Store) guard(transaction func() error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if d := s.broken.Load(); d != nil {
		return d
	}
	if err := s.checkReplaced(); err != nil {
		return err
	}
	panicked, err := recoverDamage(transaction)
	if panicked != nil {
		panicked.what += "; start again to rebuild it from the API"
		s.broken.CompareAndSwap(nil, panicked)
		return panicked
	}
	return err
}

// checkReplaced returns ErrReplaced if the path names another file, or none. It takes a microsecond or two, a commit
// about a thousand.
func (s *Store) checkReplaced() error {
	if s.fileInfo == nil {
		return nil
	}
	now, err := os.Lstat(s.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(s.fileInfo, now) {
		return fmt.Errorf("%w while usersyncd has it open: put %s back, or start again to read from the API what it held", ErrReplaced, s.path)
	}
	return nil
}

// recoverDamage runs fn and returns a panic of it as damage. It also catches reads of mapped pages that the file no longer
// has, which would otherwise end the process.
func recoverDamage(fn func() error) (panicked *damage, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			panicked = damagef("%v", p)
		}
	}()
	return nil, fn()
}

// damage is an ErrDamaged that says what is wrong with the file.
type damage struct{ what string }

func damagef(format string, args ...any) *damage { return &damage{fmt.Sprintf(format, args...)} }

func (d *damage) Error() string { return fmt.Sprintf("%v: %s", ErrDamaged, d.what) }
func (d *damage) Unwrap() error { return ErrDamaged }
