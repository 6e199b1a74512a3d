package state

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	bolt "go.etcd.io/bbolt"
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
func (s *Store) Lookup(keys ...string) (found []*User, err error) {
	err = s.users(func(b *bolt.Bucket) error {
		found, err = lookup(b, keys)
		return err
	})
	return found, err
}

func lookup(b *bolt.Bucket, keys []string) (found []*User, err error) {
	err = b.ForEach(func(id, record []byte) error {
		if !slices.ContainsFunc(keys, func(key string) bool { return mayMention(record, key) }) {
			return nil
		}
		if u := openUser(id, record); u != nil && slices.ContainsFunc([]string{u.Declared.Key, u.Key(), u.AppliedKey()}, func(key string) bool { return key != "" && slices.Contains(keys, key) }) {
			found = append(found, u)
		}
		return nil
	})
	return found, err
}

// Addresses returns the addresses of all users that are known, in lower case, deleted ones too.
func (s *Store) Addresses() ([]string, error) {
	var keys []string
	err := s.users(func(b *bolt.Bucket) error {
		return b.ForEach(func(id, record []byte) error {
			if u := openUser(id, record); u != nil && u.Key() != "" {
				keys = append(keys, u.Key())
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

// SnapshotOf reads what Snapshot does, but of the users only those who have one of some addresses, as Lookup finds them,
// or one of some ids. Damage is left to Snapshot. It is for a look at few users while a pass goes on.
func (s *Store) SnapshotOf(keys, ids []string) (*Snapshot, error) {
	snap, _, err := s.read(func(tx *bolt.Tx) (map[string]*User, bool, error) {
		b := tx.Bucket([]byte(bucketUsers))
		found, err := lookup(b, keys)
		for _, id := range ids {
			if u := openUser([]byte(id), b.Get([]byte(id))); u != nil {
				found = append(found, u)
			}
		}
		users := map[string]*User{}
		for _, u := range found {
			users[u.ID] = u
		}
		return users, true, err
	})
	return snap, err
}

// users runs fn over the bucket of users, if there is one.
func (s *Store) users(fn func(*bolt.Bucket) error) error {
	if s.Empty() {
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
	if u, ok := decodeUser(string(id), payload, time.Now()); ok {
		return u
	}
	return nil
}
