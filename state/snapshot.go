package state

import (
	"fmt"
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
	if s.Empty() {
		return Meta{Rebuilt: s.rebuilt}, nil
	}
	var m Meta
	err := s.view(func(tx *bolt.Tx) error {
		m = readMeta(tx)
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

// Snapshot reads everything. The maps and users are the caller's own. If it finds damage that was not there when the file
// was opened, the file is set aside and replaced as Open does.
func (s *Store) Snapshot() (*Snapshot, error) {
	db := s.database()
	snap, sound, err := s.snapshot()
	if sound || err != nil {
		return snap, err
	}
	if err := s.replace(db); err != nil {
		return nil, err
	}
	if snap, sound, err = s.snapshot(); err == nil && !sound {
		err = fmt.Errorf("read state file %s: %w", s.path, damagef("again, as soon as it was replaced"))
	}
	return snap, err
}

func (s *Store) snapshot() (snap *Snapshot, sound bool, err error) {
	return s.read(func(tx *bolt.Tx) (map[string]*User, bool, error) {
		now := time.Now()
		return readAll(tx, bucketUsers, func(id string, payload []byte) (*User, bool) { return decodeUser(id, payload, now) })
	})
}

// read makes a snapshot with the users that readUsers returns, and says whether all was sound, as readAll does.
func (s *Store) read(readUsers func(*bolt.Tx) (map[string]*User, bool, error)) (snap *Snapshot, sound bool, err error) {
	snap = &Snapshot{Users: map[string]*User{}, Intents: map[string]Intent{}, Failures: map[string]Failure{}, Rebuilt: s.rebuilt}
	if s.Empty() {
		if s.rebuilt {
			snap.Guards.Tallies = []Tally{forgotten(time.Now())}
		}
		return snap, true, nil
	}
	err = s.view(func(tx *bolt.Tx) (err error) {
		m := readMeta(tx)
		snap.Refresh, snap.Rebuilt, snap.Damaged = m.Refresh, m.Rebuilt, m.Damaged
		getMeta(tx, keyGuards, &snap.Guards)
		if snap.Releases = releases(tx); s.untrusted {
			snap.Releases, snap.Guards.Released = nil, nil
		}
		getMeta(tx, keyCheckout, &snap.Checkout)
		var users, intents, writes, failures bool
		if snap.Users, users, err = readUsers(tx); err != nil {
			return err
		}
		if snap.Intents, intents, err = readAll(tx, bucketIntents, decodeIntent); err != nil {
			return err
		}
		if snap.Writes, writes, err = readWrites(tx); err != nil {
			return err
		}
		if snap.Failures, failures, err = readAll(tx, bucketFailures, decodeFailure); err != nil {
			return err
		}
		sound = users && intents && writes && failures
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("read state file %s: %w", s.path, err)
	}
	return snap, sound, nil
}

// readMeta reads the records of the bucket meta.
func readMeta(tx *bolt.Tx) Meta {
	status := readStatus(tx)
	m := Meta{Rebuilt: status.Rebuilt, Damaged: status.Damaged}
	if status.Refresh != nil {
		m.Refresh = *status.Refresh
	}
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
	var converged Converged
	if getMeta(tx, keyConverged, &converged) && m.Damaged == 0 {
		m.Converged = &converged
	}
	return m
}

// readAll decodes a bucket. It is not sound if a record is damaged, which is left out, or the tally is wrong.
func readAll[T any](tx *bolt.Tx, bucket string, decode func(key string, payload []byte) (T, bool)) (all map[string]T, sound bool, err error) {
	b, t := tx.Bucket([]byte(bucket)), tally(0)
	if b == nil { // it came later than the file, which is open for reading only
		return map[string]T{}, true, nil
	}
	want := tally(b.Sequence())
	all, sound = make(map[string]T, min(want.records(), 1<<20)), true // it may be damaged too
	err = b.ForEach(func(k, record []byte) error {
		t = t.with(record)
		key := string(k)
		payload, ok := unseal(bucket, k, record)
		if ok {
			var v T
			if v, ok = decode(key, payload); ok {
				all[key] = v
			}
		}
		sound = sound && ok
		return nil
	})
	return all, sound && t == want, err
}
