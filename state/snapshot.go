package state

import (
	"cmp"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
)

// Meta has the small records: what a pass that has nothing to do must know.
type Meta struct {
	Org           *Org         // nil: Bind was never called
	Refresh       Refresh      // as in Snapshot
	Converged     *Converged   // nil: not converged, or something has changed since
	Rebuilt       bool         // as in Snapshot
	Damaged       int          // as in Snapshot
	CreateIntents int          // creations whose outcome was not recorded
	WriteIntents  int          // fields of users for which the outcome of a write was not recorded
	Failures      int          // users in quarantine
	NextTry       time.Time    // the earliest Failure.Next; zero if there is no failure
	AppliedTree   *AppliedTree // the tree that was last fully applied; nil: none was
	Pause         *Pause       // nil: none
	Releases      []string     // as in Snapshot, whoever may write to the file
}

// Meta reads the small records, and no users.
func (s *Store) Meta() (Meta, error) {
	m := Meta{Rebuilt: s.rebuilt}
	err := s.read(func(tx *bolt.Tx) error {
		m = readMeta(tx)
		m.CreateIntents, m.WriteIntents = storedSum(tx, bucketIntents).records(), storedSum(tx, bucketWrites).records()
		failures, _ := readAll(tx, bucketFailures, decodeFailure)
		for _, f := range failures {
			if m.NextTry.IsZero() || f.Next.Before(m.NextTry) {
				m.NextTry = f.Next
			}
		}
		m.Failures = len(failures)
		return nil
	})
	if err != nil {
		return Meta{}, err
	}
	return m, nil
}

// Snapshot reads everything. The caller may change its maps and the users, see User. If
// it finds damage that was not there when the file was opened, the file is set aside and replaced as by Open.
func (s *Store) Snapshot() (*Snapshot, error) { return s.SnapshotFor(nil) }

// SnapshotFor is Snapshot where many of the users are declared: declared returns the fields of a declaration, by its key, nil if
// there is none; of a user that is not managed, it is that at the observed address. What a user has as declared is the same memory:
// the whole of Fields or LastApplied, or single values.
func (s *Store) SnapshotFor(declared func(key string) spec.Fields) (*Snapshot, error) {
	db := s.database()
	readUsers := func(tx *bolt.Tx) (map[string]*User, bool) { return readUsers(tx, declared) }
	snap, sound, err := s.snapshot(readUsers)
	if sound || err != nil {
		return snap, err
	}
	if err := s.replace(db); err != nil {
		return nil, err
	}
	if snap, sound, err = s.snapshot(readUsers); err == nil && !sound {
		err = fmt.Errorf("read state file %s: %w", s.path, damagef("again, just after it was replaced"))
	}
	return snap, err
}

// SnapshotOf reads what Snapshot does, but of the users only those with one of some addresses, as Lookup finds them, or
// one of some ids. It leaves damage to Snapshot. It is for queries about few users while a pass runs.
func (s *Store) SnapshotOf(keys, ids []string) (*Snapshot, error) {
	snap, _, err := s.snapshot(func(tx *bolt.Tx) (map[string]*User, bool) {
		users := map[string]*User{}
		for _, u := range lookup(tx, keys) {
			users[u.ID] = u
		}
		for _, id := range ids {
			if u := openUser([]byte(id), tx.Bucket([]byte(bucketUsers)).Get([]byte(id))); u != nil {
				users[id] = u
			}
		}
		return users, true
	})
	return snap, err
}

// snapshot makes a snapshot with the users that readUsers returns, and reports whether all is sound, as readAll does.
func (s *Store) snapshot(readUsers func(*bolt.Tx) (map[string]*User, bool)) (snap *Snapshot, sound bool, err error) {
	snap = &Snapshot{Users: map[string]*User{}, CreateIntents: map[string]Intent{}, Failures: map[string]Failure{}, Rebuilt: s.rebuilt}
	if s.Empty() && s.rebuilt {
		snap.Guards.Tallies = []Tally{incompleteTally(time.Now())}
	}
	sound = true
	err = s.read(func(tx *bolt.Tx) error {
		m := readMeta(tx)
		snap.Refresh, snap.Rebuilt, snap.Damaged = m.Refresh, m.Rebuilt, m.Damaged
		getMeta(tx, keyGuards, &snap.Guards)
		if snap.Releases = releases(tx); s.untrusted {
			snap.Releases, snap.Guards.Released = nil, nil
		}
		getMeta(tx, keyCheckout, &snap.Checkout)
		var users, intents, writes, failures bool
		snap.Users, users = readUsers(tx)
		snap.CreateIntents, intents = readAll(tx, bucketIntents, decodeIntent)
		snap.WriteIntents, writes = readWrites(tx)
		snap.Failures, failures = readAll(tx, bucketFailures, decodeFailure)
		sound = users && intents && writes && failures
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return snap, sound, nil
}

func readUsers(tx *bolt.Tx, declared func(key string) spec.Fields) (map[string]*User, bool) {
	now := time.Now()
	return readAll(tx, bucketUsers, func(id string, payload []byte) (*User, bool) { return decodeUser(id, payload, now, declared) })
}

func readMeta(tx *bolt.Tx) Meta {
	status := cmp.Or(getMetaPtr[statusRecord](tx, keyStatus), &statusRecord{Rebuilt: true})
	m := Meta{Rebuilt: status.Rebuilt, Damaged: status.Damaged, Org: getMetaPtr[Org](tx, keyOrg), AppliedTree: getMetaPtr[AppliedTree](tx, keyApplied),
		Pause: getMetaPtr[Pause](tx, keyPause), Releases: releases(tx)}
	if status.Refresh != nil {
		m.Refresh = *status.Refresh
	}
	if m.Damaged == 0 {
		m.Converged = getMetaPtr[Converged](tx, keyConverged)
	}
	return m
}

// getMetaPtr returns a record of the bucket meta; nil if there is none that is sound.
func getMetaPtr[T any](tx *bolt.Tx, key string) *T {
	v := new(T)
	if !getMeta(tx, key, v) {
		return nil
	}
	return v
}

// readAll decodes a bucket. It is not sound if a record is damaged, which is left out, or if the bucket's sum is wrong.
func readAll[T any](tx *bolt.Tx, bucket string, decode func(key string, payload []byte) (T, bool)) (all map[string]T, sound bool) {
	want, s := storedSum(tx, bucket), bucketSum(0)
	all, sound = make(map[string]T, min(want.records(), 1<<20)), true // the number may be damaged, too
	for k, record := range records(tx, bucket) {
		s = s.with(record)
		key := string(k)
		payload, ok := unseal(bucket, k, record)
		if ok {
			var v T
			if v, ok = decode(key, payload); ok {
				all[key] = v
			}
		}
		sound = sound && ok
	}
	return all, sound && s == want
}
