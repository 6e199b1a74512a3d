package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// Bind ties the file to an organization: the first call records it, later ones return ErrOtherOrg for another one. An
// organization is identified by its id, whatever the URL; only where one of the ids is not known, by its API's base URL.
// An id that was not known is added.
func (s *Store) Bind(o Org) error {
	o.API = strings.TrimRight(o.API, "/")
	m, err := s.Meta()
	if err != nil {
		return err
	}
	if old := m.Org; old != nil {
		known := old.ID != "" && o.ID != ""
		if known && old.ID != o.ID || !known && !strings.EqualFold(old.API, o.API) {
			return fmt.Errorf("%w: %s holds %v, not %v: give each organization its own with --state", ErrOtherOrg, s.path, *old, o)
		}
		if o.ID == "" || o.ID == old.ID && strings.EqualFold(old.API, o.API) {
			return nil
		}
	}
	if s.readOnly {
		return nil
	}
	return s.write(func(tx *bolt.Tx) error { return putMeta(tx, keyOrg, o) })
}

func (o Org) String() string {
	if o.ID == "" {
		return o.API
	}
	return fmt.Sprintf("%s (organization %s)", o.API, o.ID)
}

// maxLimiter bounds the data of a rate limiter, in bytes.
const maxLimiter = 64 << 10

// SaveLimiter stores what a rate limiter has learned about a client's quota, and replaces what was stored before, for any
// client. client is one line, data at most 64 KiB of any content. The Converged mark stays. After an error the store holds
// what it held before.
func (s *Store) SaveLimiter(client string, data []byte) error {
	return s.write(func(tx *bolt.Tx) error {
		if len(data) > maxLimiter || strings.Contains(client, "\n") {
			return fmt.Errorf("data of the rate limiter of client %q: %d bytes, %d allowed, and one line for the client", client, len(data), maxLimiter)
		}
		return setRecord(tx, bucketMeta, keyLimiter, seal(bucketMeta, keyLimiter, append([]byte(client+"\n"), data...)))
	})
}

// Limiter returns what SaveLimiter stored for a client; nil if there is nothing, if it is of another client, or if it is
// damaged: a limiter can learn everything again.
func (s *Store) Limiter(client string) (data []byte, err error) {
	err = s.read(func(tx *bolt.Tx) error {
		record := tx.Bucket([]byte(bucketMeta)).Get([]byte(keyLimiter))
		payload, _ := unseal(bucketMeta, []byte(keyLimiter), record)
		if owner, learned, ok := bytes.Cut(payload, []byte("\n")); ok && string(owner) == client {
			data = bytes.Clone(learned)
		}
		return nil
	})
	return data, err
}

// LastPass returns what a commit has recorded of the last pass; nil if that was never done, as by an older usersyncd, or if the
// record is damaged: the next pass records it again.
func (s *Store) LastPass() (record []byte, err error) {
	err = s.read(func(tx *bolt.Tx) error {
		if m := getMetaPtr[json.RawMessage](tx, keyPass); m != nil {
			record = *m
		}
		return nil
	})
	return record, err
}

// ErrPlanID is returned for a release of what cannot be the id of a plan.
var ErrPlanID = errors.New("is not the id of a plan, such as p-1f3ac24e")

var planID = regexp.MustCompile(`^p-[0-9a-f]{1,64}$`)

// CheckPlanID returns ErrPlanID for what cannot be the id of a plan.
func CheckPlanID(plan string) error {
	if !planID.MatchString(plan) {
		return fmt.Errorf("%q %w", plan, ErrPlanID)
	}
	return nil
}

// putReleases adds ids to the releases, and removes those that were handled. An id that is in both lists stays.
func putReleases(tx *bolt.Tx, add, handled []string) error {
	if len(add)+len(handled) == 0 {
		return nil
	}
	ids := releases(tx)
	before := len(ids)
	ids = slices.DeleteFunc(append(ids, add...), func(id string) bool { return slices.Contains(handled, id) && !slices.Contains(add, id) })
	slices.Sort(ids)
	switch ids = slices.Compact(ids); {
	case len(ids) > 0:
		return putMeta(tx, keyReleases, ids)
	case before > 0:
		return deleteRecord(tx, bucketMeta, keyReleases)
	}
	return nil
}

func releases(tx *bolt.Tx) (ids []string) {
	getMeta(tx, keyReleases, &ids)
	return ids
}
