package state

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"

	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
)

// User reads what is known of one user, by Genesys id; nil if nothing is.
func (s *Store) User(id string) (*User, error) {
	var u *User
	err := s.users(func(b *bolt.Bucket) error {
		u = openUser([]byte(id), b.Get([]byte(id)))
		return nil
	})
	return u, err
}

// Lookup reads the users who have one of some addresses (spec.User.Key), had it when they were last written to, or are
// declared by it.
// It reads past all the others, which takes some ten milliseconds for 50,000 of them.
func (s *Store) Lookup(keys ...string) ([]*User, error) {
	var found []*User
	err := s.users(func(b *bolt.Bucket) error {
		return b.ForEach(func(id, record []byte) error {
			if !slices.ContainsFunc(keys, func(key string) bool { return mayMention(record, key) }) {
				return nil
			}
			u := openUser(id, record)
			if u == nil {
				return nil
			}
			if slices.Contains(keys, u.Declared.Key) {
				found = append(found, u)
				return nil
			}
			for _, fields := range []spec.Fields{u.Fields, u.Applied} {
				if email, err := spec.Decode[string](fields[spec.Email]); err == nil && slices.Contains(keys, spec.Key(email)) {
					found = append(found, u)
					return nil
				}
			}
			return nil
		})
	})
	return found, err
}

// Addresses returns the addresses of all users that are known, in lower case, deleted ones too.
func (s *Store) Addresses() ([]string, error) {
	var keys []string
	err := s.users(func(b *bolt.Bucket) error {
		return b.ForEach(func(id, record []byte) error {
			u := openUser(id, record)
			if u == nil {
				return nil
			}
			if email, err := spec.Decode[string](u.Fields[spec.Email]); err == nil {
				keys = append(keys, spec.Key(email))
			}
			return nil
		})
	})
	return keys, err
}

// mayMention reports whether a record may have an address in it, in whatever case; few others do. It compares what
// stands around each @, as far as JSON writes it without escapes, and copies nothing.
func mayMention(record []byte, key string) bool {
	at := strings.IndexByte(key, '@')
	if at < 0 {
		return false
	}
	special := func(r rune) bool { return r > unicode.MaxASCII || strings.ContainsRune(`<>&"\`, r) }
	first := strings.LastIndexFunc(key[:at], special) + 1 // behind the last byte of what is special, or before it
	for first < at && key[first]&0xc0 == 0x80 {
		first++
	}
	last := len(key)
	if i := strings.IndexFunc(key[at:], special); i >= 0 {
		last = at + i
	}
	want, before := []byte(key[first:last]), at-first
	for i := 0; ; i++ {
		next := bytes.IndexByte(record[i:], '@')
		if next < 0 {
			return false
		}
		i += next
		from := i - before
		if from >= 0 && from+len(want) <= len(record) && bytes.EqualFold(record[from:from+len(want)], want) {
			return true
		}
	}
}

// Part reads what Snapshot does, but of the users only those who have one of some addresses, as Lookup finds them,
// or one of some ids. Damage is left for Snapshot to mend. It is for a look at few users while a pass goes on.
func (s *Store) Part(keys, ids []string) (*Snapshot, error) {
	snap := &Snapshot{Users: map[string]*User{}, Intents: map[string]Intent{}, Failures: map[string]Failure{}, Rebuilt: s.rebuilt}
	if s.db == nil {
		return snap, nil
	}
	var err error
	if snap.Requests, err = s.requests(); err != nil {
		return nil, fmt.Errorf("read requests for release: %w", err)
	}
	err = s.view(func(tx *bolt.Tx) (err error) {
		m := s.readMeta(tx)
		snap.Refresh, snap.Rebuilt, snap.Damaged = m.Refresh, m.Rebuilt, m.Damaged
		getMeta(tx, keyGuards, &snap.Guards)
		getMeta(tx, keyCheckout, &snap.Checkout)
		if snap.Intents, _, err = readAll(tx, bucketIntents, decodeIntent); err != nil {
			return err
		}
		snap.Failures, _, err = readAll(tx, bucketFailures, decodeFailure)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read state file %s: %w", s.path, err)
	}
	found, err := s.Lookup(keys...)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		u, err := s.User(id)
		if err != nil {
			return nil, err
		}
		if u != nil {
			found = append(found, u)
		}
	}
	for _, u := range found {
		snap.Users[u.ID] = u
	}
	return snap, nil
}

// users runs fn over the bucket of users, if there is one.
func (s *Store) users(fn func(*bolt.Bucket) error) error {
	if s.db == nil {
		return nil
	}
	if err := s.view(func(tx *bolt.Tx) error { return fn(tx.Bucket([]byte(bucketUsers))) }); err != nil {
		return fmt.Errorf("read state file %s: %w", s.path, err)
	}
	return nil
}

// openUser decodes a record; nil if there is none, or it is damaged.
func openUser(id, record []byte) *User {
	payload, ok := unseal(bucketUsers, id, record)
	if !ok {
		return nil
	}
	if u, ok := decodeUser(string(id), payload); ok {
		return u
	}
	return nil
}
