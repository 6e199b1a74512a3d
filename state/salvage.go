package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
)

// salvaged is what a new file takes over of a damaged one: every record whose checksum is right of what only usersyncd
// knows. What was observed is not among it, and is read again.
type salvaged struct {
	records map[recordID][]byte
	seen    map[recordID]bool // also what was not kept
	guards  Guards
	damaged int // records and pages that were lost; at least 1 of a damaged file
}

// salvage reads a damaged file. It returns ErrNewer for one that a newer usersyncd wrote.
func salvage(f *os.File, now time.Time) (*salvaged, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	kept := &salvaged{records: map[recordID][]byte{}, seen: map[recordID]bool{}}
	names, format := bucketNames(), formatRecord{}
	lost := readDamaged(f, info.Size(), func(key, record []byte) {
		i := slices.IndexFunc(names, func(bucket string) bool { _, ok := unseal(bucket, key, record); return ok })
		switch {
		case i < 0:
			kept.damaged++
		case names[i] == bucketMeta && string(key) == keyFormat:
			_ = openJSON(bucketMeta, key, record, &format) // its checksum is right
		default:
			kept.take(recordID{names[i], string(key)}, record, now)
		}
	})
	if format.Version > fileFormat {
		return nil, newerError(f.Name(), format.Version)
	}
	kept.damaged = max(1, kept.damaged+lost)
	return kept, nil
}

// take keeps a record whose checksum is right, if it is of a kind that is taken over and makes sense.
func (k *salvaged) take(id recordID, record []byte, now time.Time) {
	if k.seen[id] { // what the tree leads to comes first
		return
	}
	k.seen[id] = true
	payload, ok := record[recordHead:], true
	switch id.bucket {
	case bucketUsers:
		var u *User
		if u, ok = decodeUser(id.key, payload, now); ok && u.forgetObserved() {
			if payload, err := encodeUser(u); err == nil { // as it was read
				k.records[id] = seal(id.bucket, id.key, payload)
			}
		}
	case bucketIntents:
		_, ok = decodeIntent(id.key, payload)
		k.copy(id, record, ok)
	case bucketWrites:
		_, ok = decodeWrite(id.key, payload)
		k.copy(id, record, ok)
	case bucketHistory:
		ok = json.Unmarshal(payload, &Event{}) == nil
		k.copy(id, record, ok)
	case bucketMeta:
		switch id.key {
		case keyGuards:
			ok = json.Unmarshal(payload, &k.guards) == nil
		case keyOrg, keyApplied, keyPause, keyCheckout, keyReleases:
			k.copy(id, record, true)
		}
	}
	if !ok {
		k.damaged++
	}
}

func (k *salvaged) copy(id recordID, record []byte, ok bool) {
	if ok {
		k.records[id] = bytes.Clone(record)
	}
}

// forgetObserved takes out what was observed, and reports whether anything is left. No listing shows who is deleted: that
// and by what address and name to find the user stays.
func (u *User) forgetObserved() bool {
	observed := Observed{ID: u.ID}
	if u.Deleted() {
		observed.Fields = spec.Fields{}
		for _, f := range []spec.Field{spec.State, spec.Email, spec.Name} {
			if v, known := u.Fields[f]; known {
				observed.Fields[f] = v
			}
		}
	}
	*u = User{Observed: observed, Applied: u.Applied, Declared: u.Declared, FormerKeys: u.FormerKeys, Removed: u.Removed, Suspended: u.Suspended}
	return u.Applied != nil || u.Declared != (Declaration{}) || len(u.FormerKeys) > 0 || u.Removed != "" || u.Suspended != ""
}

// put adds what is taken over to a new database, and that something was lost.
func (k *salvaged) put(tx *bolt.Tx, now time.Time) error {
	ids := make([]recordID, 0, len(k.records))
	for id := range k.records {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b recordID) int { return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.key, b.key)) })
	for _, id := range ids {
		if err := setRecord(tx, id.bucket, id.key, k.records[id]); err != nil {
			return fmt.Errorf("%s %q: %w", id.bucket, id.key, err)
		}
	}
	guards := k.guards
	guards.Tallies = append(slices.Clip(guards.Tallies), forgotten(now))
	if err := putMeta(tx, keyGuards, guards); err != nil {
		return err
	}
	return putMeta(tx, keyStatus, statusRecord{Rebuilt: true, Damaged: k.damaged})
}

// forgotten tells the guards that more may have been done than is remembered.
func forgotten(now time.Time) Tally {
	return Tally{At: now.UTC().Truncate(time.Minute), Incomplete: true}
}

// rebuild sets the damaged file of a store aside and returns a store with a new file in its place, which holds what is
// sound of it. The new file is complete before the old one is moved, so that a crash loses nothing but between two
// renames. For a store that is open for reading only it is a temporary copy, and nothing is moved. The damaged store keeps
// its lock; why says what is wrong with it.
func (s *Store) rebuild(why error, deadline time.Time) (next *Store, err error) {
	kept, err := salvage(s.file, time.Now())
	switch {
	case err != nil:
	case s.readOnly:
		next, err = temporary(s.path, kept)
	default:
		if next, err = build(s.path, kept, deadline); err != nil {
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
		return nil, fmt.Errorf("replace state file %s (%w): %w", s.path, why, err)
	}
	return next, nil
}

// temporary makes a store to read what is kept of a damaged file. Its own file has no name.
func temporary(path string, kept *salvaged) (*Store, error) {
	if len(kept.records) == 0 {
		return &Store{path: path, readOnly: true, rebuilt: true}, nil
	}
	f, err := os.CreateTemp("", "usersyncd-*.db")
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, file: f}
	if err := errors.Join(os.Remove(f.Name()), s.fill(kept)); err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.readOnly = true
	return s, nil
}

// replace is rebuild for a store that is open, of a database in which damage was found.
func (s *Store) replace(damaged *bolt.DB) error {
	s.history.Lock()
	defer s.history.Unlock()
	s.opened.Lock()
	defer s.opened.Unlock()
	if err := s.gone(); err != nil || s.db != damaged { // somebody else was faster
		return err
	}
	next, err := s.rebuild(ErrDamaged, time.Now().Add(lockTimeout))
	if err != nil {
		return err
	}
	if next.Empty() {
		return fmt.Errorf("read state file %s: %w", s.path, ErrDamaged)
	}
	var named os.FileInfo
	if s.named != nil {
		if named, err = next.file.Stat(); err != nil {
			return errors.Join(err, next.release())
		}
	}
	err = s.release()
	s.file, s.db, s.named, s.aside, s.measured = next.file, next.db, named, next.aside, false
	return err
}
