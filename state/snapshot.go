package state

import (
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Meta is everything small: what a pass that finds nothing to do has to know.
type Meta struct {
	Org       *Org       // nil: Bind was never called
	Refresh   Refresh    // as in Snapshot
	Converged *Converged // nil: not converged, or something has changed since
	Rebuilt   bool       // as in Snapshot
	Damaged   int        // as in Snapshot
	Intents   int        // creations whose outcome was not recorded
	Writes    int        // fields of users of whose last write the outcome was not recorded
	Failures  int        // users in quarantine
	NextTry   time.Time  // the earliest Failure.Next; zero if there is no failure
	Applied   *Applied   // the tree that was last fully applied; nil: none was
	Pause     *Pause     // nil: none
}

// Meta reads what is small; it does not touch the users.
func (s *Store) Meta() (Meta, error) {
	m := Meta{Rebuilt: s.rebuilt}
	if s.db == nil {
		return m, nil
	}
	err := s.view(func(tx *bolt.Tx) error {
		m = s.readMeta(tx)
		intents, _, err := readAll(tx, bucketIntents, decodeIntent)
		if err != nil {
			return err
		}
		failures, _, err := readAll(tx, bucketFailures, decodeFailure)
		if err != nil {
			return err
		}
		m.Intents, m.Failures = len(intents), len(failures)
		if b := tx.Bucket([]byte(bucketWrites)); b != nil {
			m.Writes = tally(b.Sequence()).records()
		}
		for _, f := range failures {
			if m.NextTry.IsZero() || f.Next.Before(m.NextTry) {
				m.NextTry = f.Next
			}
		}
		return nil
	})
	if err != nil {
		return Meta{}, fmt.Errorf("read state file %s: %w", s.path, err)
	}
	return m, nil
}

// Snapshot reads everything. The maps and users are the caller's own.
func (s *Store) Snapshot() (*Snapshot, error) {
	snap, bad, err := s.read(func(tx *bolt.Tx) (map[string]*User, []recordID, error) {
		now := time.Now()
		return readAll(tx, bucketUsers, func(id string, payload []byte) (*User, bool) { return decodeUser(id, payload, now) })
	})
	if err != nil {
		return nil, err
	}
	if rotted := len(bad) - s.lost; rotted > 0 { // since the file was opened
		snap.Damaged += rotted
		snap.Refresh = Refresh{}
		if !s.readOnly {
			if err := s.dropDamaged(bad); err != nil {
				return nil, err
			}
		}
	}
	return snap, nil
}

// read makes a snapshot with the users that readUsers returns, and returns apart what is damaged, as readAll does.
func (s *Store) read(readUsers func(*bolt.Tx) (map[string]*User, []recordID, error)) (snap *Snapshot, bad []recordID, err error) {
	snap = &Snapshot{Users: map[string]*User{}, Intents: map[string]Intent{}, Failures: map[string]Failure{}, Rebuilt: s.rebuilt}
	if s.db == nil {
		return snap, nil, nil
	}
	err = s.view(func(tx *bolt.Tx) (err error) {
		m := s.readMeta(tx)
		snap.Refresh, snap.Rebuilt, snap.Damaged = m.Refresh, m.Rebuilt, m.Damaged
		getMeta(tx, keyGuards, &snap.Guards)
		if snap.Requests = releases(tx); s.untrusted {
			snap.Requests, snap.Guards.Released = nil, nil
		}
		getMeta(tx, keyCheckout, &snap.Checkout)
		var badUsers, badIntents, badWrites, badFailures []recordID
		if snap.Users, badUsers, err = readUsers(tx); err != nil {
			return err
		}
		if snap.Intents, badIntents, err = readAll(tx, bucketIntents, decodeIntent); err != nil {
			return err
		}
		if snap.Writes, badWrites, err = readWrites(tx); err != nil {
			return err
		}
		if snap.Failures, badFailures, err = readAll(tx, bucketFailures, decodeFailure); err != nil {
			return err
		}
		bad = slices.Concat(badUsers, badIntents, badWrites, badFailures)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read state file %s: %w", s.path, err)
	}
	return snap, bad, nil
}

// readMeta reads the records of the bucket meta.
func (s *Store) readMeta(tx *bolt.Tx) Meta {
	status := readStatus(tx)
	m := Meta{Rebuilt: status.Rebuilt, Damaged: status.Damaged + s.lost}
	var org Org
	if getMeta(tx, keyOrg, &org) {
		m.Org = &org
	}
	var applied Applied
	if getMeta(tx, keyApplied, &applied) {
		m.Applied = &applied
	}
	var pause Pause
	if getMeta(tx, keyPause, &pause) {
		m.Pause = &pause
	}
	if m.Damaged > 0 {
		return m
	}
	if status.Refresh != nil {
		m.Refresh = *status.Refresh
	}
	var converged Converged
	if getMeta(tx, keyConverged, &converged) {
		m.Converged = &converged
	}
	return m
}

// readAll decodes a bucket, and returns apart what is damaged, as findDamaged does.
func readAll[T any](tx *bolt.Tx, bucket string, decode func(key string, payload []byte) (T, bool)) (map[string]T, []recordID, error) {
	b, t := tx.Bucket([]byte(bucket)), tally(0)
	if b == nil { // it came later than the file, which is open for reading only
		return map[string]T{}, nil, nil
	}
	want := tally(b.Sequence())
	all := make(map[string]T, min(want.records(), 1<<20)) // it may be damaged too
	var bad []recordID
	err := b.ForEach(func(k, record []byte) error {
		t = t.with(record)
		key := string(k)
		if payload, ok := unseal(bucket, k, record); ok {
			if v, ok := decode(key, payload); ok {
				all[key] = v
				return nil
			}
		}
		bad = append(bad, recordID{bucket, key})
		return nil
	})
	if t != want && len(bad) == 0 {
		bad = append(bad, recordID{})
	}
	return all, bad, err
}
