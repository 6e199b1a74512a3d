package state

import (
	"bytes"
	"fmt"
	"strings"

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

// Lookup reads the users who have an address (spec.User.Key), or had it when they were last written to. It
// reads past all the others, which takes some ten milliseconds for 50,000 of them.
func (s *Store) Lookup(key string) ([]*User, error) {
	var found []*User
	want := []byte(strings.ToLower(key))
	err := s.users(func(b *bolt.Bucket) error {
		return b.ForEach(func(id, record []byte) error {
			if !bytes.Contains(bytes.ToLower(record), want) {
				return nil
			}
			u := openUser(id, record)
			if u == nil {
				return nil
			}
			for _, fields := range []spec.Fields{u.Fields, u.Applied} {
				if email, err := spec.Decode[string](fields[spec.Email]); err == nil && spec.Key(email) == key {
					found = append(found, u)
					return nil
				}
			}
			return nil
		})
	})
	return found, err
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
