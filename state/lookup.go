package state

import (
	"bytes"
	"slices"
	"strings"
	"time"
	"unicode"

	bolt "go.etcd.io/bbolt"
)

// User returns one user by Genesys id; nil if it is not known.
func (s *Store) User(id string) (*User, error) {
	var u *User
	err := s.read(func(tx *bolt.Tx) error {
		u = openUser([]byte(id), tx.Bucket([]byte(bucketUsers)).Get([]byte(id)))
		return nil
	})
	return u, err
}

// Lookup returns the users who have one of some addresses (spec.User.Key), had it when they were last written to, or are
// declared by it. It scans all records, which takes some ten milliseconds for 50,000 users.
func (s *Store) Lookup(keys ...string) (found []*User, err error) {
	err = s.read(func(tx *bolt.Tx) error {
		found = lookup(tx, keys)
		return nil
	})
	return found, err
}

// Former returns the users who were declared by an address before, and are by another one now. It scans all records, as Lookup.
func (s *Store) Former(key string) (found []*User, err error) {
	err = s.read(func(tx *bolt.Tx) error {
		for id, record := range records(tx, bucketUsers) {
			if !mayContain(record, key) {
				continue
			}
			if u := openUser(id, record); u != nil && slices.Contains(u.FormerKeys, key) {
				found = append(found, u)
			}
		}
		return nil
	})
	return found, err
}

func lookup(tx *bolt.Tx, keys []string) (found []*User) {
	for id, record := range records(tx, bucketUsers) {
		if !slices.ContainsFunc(keys, func(key string) bool { return mayContain(record, key) }) {
			continue
		}
		u := openUser(id, record)
		if u != nil && slices.ContainsFunc([]string{u.Declared.Key, u.Key(), u.AppliedKey()}, func(key string) bool { return key != "" && slices.Contains(keys, key) }) {
			found = append(found, u)
		}
	}
	return found
}

// Addresses returns the addresses of all known users, in lower case, deleted ones included.
func (s *Store) Addresses() (keys []string, err error) {
	err = s.read(func(tx *bolt.Tx) error {
		for id, record := range records(tx, bucketUsers) {
			if u := openUser(id, record); u != nil && u.Key() != "" {
				keys = append(keys, u.Key())
			}
		}
		return nil
	})
	return keys, err
}

// mayContain reports whether a record may contain an address, in any case of letters; for most others it returns false. It
// compares the part around each @ that JSON writes without escapes, and allocates little.
func mayContain(record []byte, key string) bool {
	at := strings.IndexByte(key, '@')
	if at < 0 {
		return false
	}
	escaped := func(r rune) bool { return r > unicode.MaxASCII || strings.ContainsRune(`<>&"\`, r) }
	first := strings.LastIndexFunc(key[:at], escaped) + 1
	for first < at && key[first]&0xc0 == 0x80 { // the other bytes of that character
		first++
	}
	last := len(key)
	if i := strings.IndexFunc(key[at:], escaped); i >= 0 {
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

// openUser decodes a record; nil if there is none, or it is damaged.
func openUser(id, record []byte) *User {
	payload, ok := unseal(bucketUsers, id, record)
	if !ok {
		return nil
	}
	if u, ok := decodeUser(string(id), payload, time.Now(), nil); ok {
		return u
	}
	return nil
}
