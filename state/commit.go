package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
)

// Commit applies commits one after the other, all of them or none, and returns when they are on disk. After an error
// the store holds what it held before and stays usable, unless it is ErrDamaged. A field's name must be one word and
// its value one line.
func (s *Store) Commit(commits ...Commit) error {
	if s.readOnly {
		return fmt.Errorf("write state file %s: %w", s.path, ErrReadOnly)
	}
	puts, events := make([][]put, len(commits)), 0
	for i, c := range commits {
		var err error
		if puts[i], err = c.encode(); err != nil {
			return fmt.Errorf("write state file %s: %w", s.path, err)
		}
		events += len(c.Events)
	}
	if !slices.ContainsFunc(commits, func(c Commit) bool { return !c.Empty() }) {
		return nil
	}
	if events > 0 {
		s.history.Lock()
		defer s.history.Unlock()
	}
	err := s.update(func(tx *bolt.Tx) error {
		for i, c := range commits {
			if err := errors.Join(c.apply(tx, puts[i]), s.record(tx, c.Events)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		if events > 0 {
			s.measured = false // what was counted is not there
		}
		return fmt.Errorf("write state file %s: %w", s.path, err)
	}
	return nil
}

// Empty reports whether there is nothing to commit.
func (c *Commit) Empty() bool {
	return len(c.Users)+len(c.Forget)+len(c.Intents)+len(c.ClearIntents)+len(c.Writes)+len(c.ClearWrites)+len(c.Failures)+len(c.ClearFailures)+len(c.Events) == 0 &&
		c.Refresh == nil && c.Converged == nil && c.Guards == nil && c.Pause == nil && c.Checkout == "" && !c.RolledBack && len(c.AddReleases)+len(c.ClearReleases) == 0
}

// put is a record ready to be written.
type put struct {
	recordID
	record []byte
}

// encode makes the records, so that a value that cannot be stored is refused before anything is written.
func (c *Commit) encode() ([]put, error) {
	puts := make([]put, 0, len(c.Users)+len(c.Intents)+len(c.Failures))
	add := func(bucket, key string, payload []byte, err error) error {
		if err == nil && key == "" {
			err = errors.New("no key")
		}
		if err != nil {
			return fmt.Errorf("%s %q: %w", bucket, key, err)
		}
		puts = append(puts, put{recordID{bucket, key}, seal(bucket, key, payload)})
		return nil
	}
	for _, id := range c.AddReleases {
		if err := CheckPlanID(id); err != nil {
			return nil, err
		}
	}
	for _, u := range c.Users {
		if u == nil {
			return nil, errors.New("users: nil")
		}
		payload, err := encodeUser(u)
		if err := add(bucketUsers, u.ID, payload, err); err != nil {
			return nil, err
		}
	}
	for _, in := range c.Intents {
		in.Started = in.Started.UTC()
		payload, err := json.Marshal(in)
		if err := add(bucketIntents, in.Key, payload, err); err != nil {
			return nil, err
		}
	}
	for _, e := range c.Writes {
		e.At = e.At.UTC()
		for _, f := range e.Fields {
			one := e
			one.Fields = []FieldEvent{f}
			payload, err := json.Marshal(one)
			if err := add(bucketWrites, writeKey(e.ID, f.Field), payload, err); err != nil {
				return nil, err
			}
		}
	}
	for _, f := range c.Failures {
		f.Next = f.Next.UTC()
		payload, err := json.Marshal(f)
		if err := add(bucketFailures, f.Key, payload, err); err != nil {
			return nil, err
		}
	}
	return puts, nil
}

func (c *Commit) apply(tx *bolt.Tx, puts []put) error {
	var resolved []string
	for _, u := range c.ClearWrites {
		for _, f := range u.Fields {
			resolved = append(resolved, writeKey(u.ID, f))
		}
	}
	if err := errors.Join(
		deleteAll(tx, bucketUsers, c.Forget),
		deleteAll(tx, bucketIntents, c.ClearIntents),
		deleteAll(tx, bucketWrites, resolved),
		deleteAll(tx, bucketFailures, c.ClearFailures),
	); err != nil {
		return err
	}
	for _, p := range puts {
		if err := setRecord(tx, p.bucket, p.key, p.record); err != nil {
			return fmt.Errorf("%s %q: %w", p.bucket, p.key, err)
		}
	}
	if c.Refresh != nil {
		r := *c.Refresh
		r.At = r.At.UTC()
		if err := putMeta(tx, keyStatus, statusRecord{Refresh: &r}); err != nil {
			return err
		}
	}
	if c.Guards != nil {
		if err := putMeta(tx, keyGuards, c.Guards); err != nil {
			return err
		}
	}
	if c.Checkout != "" {
		if err := putMeta(tx, keyCheckout, c.Checkout); err != nil {
			return err
		}
	}
	if c.Pause != nil {
		if err := c.Pause.put(tx); err != nil {
			return err
		}
	}
	if err := putReleases(tx, c.AddReleases, c.ClearReleases); err != nil {
		return err
	}
	if a := (Applied{}); c.RolledBack && getMeta(tx, keyApplied, &a) {
		a.RolledBack = true
		if err := putMeta(tx, keyApplied, a); err != nil {
			return err
		}
	}
	switch {
	case c.Converged != nil:
		if c.Converged.Revision != "" {
			if err := putMeta(tx, keyApplied, Applied{Revision: c.Converged.Revision, At: time.Now().UTC()}); err != nil {
				return err
			}
		}
		return putMeta(tx, keyConverged, c.Converged)
	case len(puts)+len(c.Forget) > 0:
		return deleteRecord(tx, bucketMeta, keyConverged)
	default:
		return nil
	}
}

func deleteAll(tx *bolt.Tx, bucket string, keys []string) error {
	for _, key := range keys {
		if err := deleteRecord(tx, bucket, key); err != nil {
			return fmt.Errorf("%s %q: %w", bucket, key, err)
		}
	}
	return nil
}

// Bind ties the file to an organization: the first call records it, later ones return ErrOtherOrg for another
// one. An organization is its id, behind whatever URL; only where one of the ids is not known its API's base URL
// counts. An id that was not known is added.
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
	if err := s.update(func(tx *bolt.Tx) error { return putMeta(tx, keyOrg, o) }); err != nil {
		return fmt.Errorf("bind state file %s to %v: %w", s.path, o, err)
	}
	return nil
}

func (o Org) String() string {
	if o.ID == "" {
		return o.API
	}
	return fmt.Sprintf("%s (organization %s)", o.API, o.ID)
}

func decodeIntent(key string, payload []byte) (Intent, bool) {
	var in Intent
	ok := json.Unmarshal(payload, &in) == nil
	in.Key = key // JSON has no room for a key that is not UTF-8
	return in, ok
}

// writeKey is where the intent of a write stands. No field has a space in its name.
func writeKey(id string, f spec.Field) string { return id + " " + string(f) }

// readWrites reads the intents of writes, and says whether all was sound, as readAll does.
func readWrites(tx *bolt.Tx) (map[string]map[spec.Field]Event, bool, error) {
	all, sound, err := readAll(tx, bucketWrites, decodeWrite)
	var byUser map[string]map[spec.Field]Event
	for _, e := range all {
		if byUser == nil {
			byUser = map[string]map[spec.Field]Event{}
		}
		if byUser[e.ID] == nil {
			byUser[e.ID] = map[spec.Field]Event{}
		}
		byUser[e.ID][e.Fields[0].Field] = e
	}
	return byUser, sound, err
}

func decodeWrite(key string, payload []byte) (Event, bool) {
	var e Event
	at := strings.LastIndexByte(key, ' ')
	if json.Unmarshal(payload, &e) != nil || len(e.Fields) != 1 || at < 0 || key[at+1:] != string(e.Fields[0].Field) {
		return e, false
	}
	e.ID = key[:at]
	return e, true
}

func decodeFailure(key string, payload []byte) (Failure, bool) {
	var f Failure
	ok := json.Unmarshal(payload, &f) == nil
	f.Key = key
	return f, ok
}
