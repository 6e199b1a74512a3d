package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
	"usersyncd/state/boltfile"
)

// badSuffix is followed by the time at which a damaged file was set aside.
const badSuffix = ".bad-"

// salvaged are the records that a new file takes over from a damaged one: those whose checksum is right, of what only
// usersyncd knows. What was observed is left out, and read again.
type salvaged struct {
	records map[recordID][]byte
	seen    map[recordID]bool // also those that were left out
	guards  Guards
	damaged int // records and pages that were lost; at least 1
}

// salvage reads a damaged file. It returns ErrNewer for one that a newer usersyncd wrote.
func salvage(f *os.File, now time.Time) (*salvaged, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	found := &salvaged{records: map[recordID][]byte{}, seen: map[recordID]bool{}}
	names, format, damagedRecords := bucketNames(), formatRecord{}, 0
	damagedPages := boltfile.ReadDamaged(f, info.Size(), func(key, record []byte) {
		i := slices.IndexFunc(names, func(bucket string) bool { _, ok := unseal(bucket, key, record); return ok })
		switch {
		case i < 0:
			damagedRecords++
		case names[i] == bucketMeta && string(key) == keyFormat:
			_ = openJSON(bucketMeta, key, record, &format) // its checksum is right
		case !found.add(recordID{names[i], string(key)}, record, now):
			damagedRecords++
		}
	})
	if format.Version > fileFormat {
		return nil, newerError(f.Name(), format.Version)
	}
	found.damaged = max(1, damagedRecords+damagedPages)
	return found, nil
}

// add takes over a record whose checksum is right, if it is of a kind that is taken over. It returns false if the record
// cannot be decoded.
func (s *salvaged) add(id recordID, record []byte, now time.Time) bool {
	if s.seen[id] { // records in the tree come before those of pages that it no longer references
		return true
	}
	s.seen[id] = true
	payload, ok := record[recordHead:], true
	switch id.bucket {
	case bucketUsers:
		u, ok := decodeUser(id.key, payload, now, nil)
		if ok && u.forgetObserved() {
			if payload, err := encodeUser(u); err == nil { // as it was read
				s.records[id] = seal(id.bucket, id.key, payload)
			}
		}
		return ok
	case bucketIntents:
		_, ok = decodeIntent(id.key, payload)
	case bucketWrites:
		_, ok = decodeWrite(id.key, payload)
	case bucketHistory:
		ok = json.Unmarshal(payload, &Event{}) == nil
	case bucketMeta:
		switch id.key {
		case keyGuards:
			return json.Unmarshal(payload, &s.guards) == nil
		case keyOrg, keyApplied, keyPause, keyCheckout, keyReleases:
		default:
			return true
		}
	default:
		return true
	}
	if ok {
		s.records[id] = bytes.Clone(record)
	}
	return ok
}

// forgetObserved removes what was observed, and reports whether anything is left. No listing shows deleted users: of these
// it keeps the state, the address and the name, by which they are found.
func (u *User) forgetObserved() bool {
	observed := Observed{ID: u.ID}
	if u.Deleted() {
		observed.Fields = spec.Fields{}
		for _, f := range []spec.Field{spec.State, spec.Email, spec.Name} {
			if v, known := u.Fields.Lookup(f); known {
				observed.Fields.Set(f, v)
			}
		}
	}
	*u = User{Observed: observed, LastApplied: u.LastApplied, Declared: u.Declared, FormerKeys: u.FormerKeys, Removed: u.Removed, Suspended: u.Suspended}
	return u.LastApplied != nil || u.Declared != (Declaration{}) || len(u.FormerKeys) > 0 || u.Removed != "" || u.Suspended != ""
}

// put adds the records to a new database, and notes that records were lost.
func (s *salvaged) put(tx *bolt.Tx, now time.Time) error {
	ids := slices.SortedFunc(maps.Keys(s.records), func(a, b recordID) int { return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.key, b.key)) })
	for _, id := range ids {
		if err := setRecord(tx, id.bucket, id.key, s.records[id]); err != nil {
			return fmt.Errorf("%s %q: %w", id.bucket, id.key, err)
		}
	}
	guards := s.guards
	guards.Tallies = append(slices.Clip(guards.Tallies), incompleteTally(now))
	if err := putMeta(tx, keyGuards, guards); err != nil {
		return err
	}
	return putMeta(tx, keyStatus, statusRecord{Rebuilt: true, Damaged: s.damaged})
}

// incompleteTally tells the guards that more may have been done than is recorded.
func incompleteTally(now time.Time) Tally {
	return Tally{At: now.UTC().Truncate(time.Minute), Incomplete: true}
}

// rebuild sets the damaged file of a store aside, and returns a store with a new file of its sound records. The new file
// is complete before the old one is moved, so that a crash loses nothing except between two renames. For a store that is
// open for reading only, the new file is temporary and nothing is moved. The damaged store keeps its lock. reason says what
// is wrong with it.
func (s *Store) rebuild(reason error, deadline time.Time) (next *Store, err error) {
	records, err := salvage(s.file, time.Now())
	switch {
	case err != nil:
	case s.readOnly:
		next, err = temporary(s.path, records)
	default:
		if next, err = build(s.path, records, deadline); err != nil {
			break
		}
		if next.aside, err = setAside(s.path, time.Now()); err == nil {
			err = next.rename()
		}
		if err != nil {
			err = errors.Join(err, next.release())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("replace state file %s (%w): %w", s.path, reason, err)
	}
	return next, nil
}

// temporary makes a store to read the records of a damaged file.
func temporary(path string, records *salvaged) (*Store, error) {
	if len(records.records) == 0 {
		return &Store{path: path, readOnly: true, rebuilt: true}, nil
	}
	s, err := newTemporary(path)
	if err != nil {
		return nil, err
	}
	if err := s.fill(records); err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.readOnly = true
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

// replace rebuilds the file of an open store, in whose database damage was found.
func (s *Store) replace(damaged *bolt.DB) error {
	s.historyMu.Lock()
	defer s.historyMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkReplaced(); err != nil || s.db != damaged { // another goroutine has done it
		return err
	}
	next, err := s.rebuild(ErrDamaged, time.Now().Add(lockTimeout))
	if err != nil {
		return err
	}
	if next.Empty() {
		return fmt.Errorf("read state file %s: %w", s.path, ErrDamaged)
	}
	var info os.FileInfo
	if s.fileInfo != nil {
		if info, err = next.file.Stat(); err != nil {
			return errors.Join(err, next.release())
		}
	}
	err = s.release()
	s.file, s.db, s.fileInfo, s.aside, s.counted = next.file, next.db, info, next.aside, false
	return err
}

// setAside renames a damaged file, which the caller has locked, and returns its new path.
func setAside(path string, now time.Time) (string, error) {
	stamp := path + badSuffix + now.UTC().Format("20060102T150405Z")
	aside := stamp
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", err
		}
		aside = fmt.Sprintf("%s-%d", stamp, n)
	}
	if err := os.Rename(path, aside); err != nil {
		return "", err
	}
	return aside, syncDir(path)
}

// wasSetAside reports whether a damaged file was set aside here. So a file that is created after a crash, between the two
// renames of rebuild, counts as rebuilt.
func wasSetAside(path string) (bool, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), filepath.Base(path)+badSuffix) }), err
}
