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

// Commit applies commits one after the other, all of them or none, and returns when they are on disk. After an error the
// store holds what it held before and stays usable, unless it is ErrDamaged. A field's name must be one word and its value
// one line.
func (s *Store) Commit(commits ...Commit) error {
	puts, events := make([][]put, len(commits)), 0
	for i, c := range commits {
		var err error
		if puts[i], err = c.puts(); err != nil {
			return fmt.Errorf("write state file %s: %w", s.path, err)
		}
		events += len(c.Events)
	}
	if !s.readOnly && !slices.ContainsFunc(commits, func(c Commit) bool { return !c.Empty() }) {
		return nil
	}
	if events > 0 {
		s.historyMu.Lock()
		defer s.historyMu.Unlock()
	}
	err := s.write(func(tx *bolt.Tx) error {
		for i, c := range commits {
			if err := c.apply(tx, puts[i]); err != nil {
				return err
			}
			if err := s.appendEvents(tx, c.Events); err != nil {
				return fmt.Errorf("history: %w", err)
			}
		}
		return nil
	})
	if err != nil && events > 0 {
		s.counted = false // what was counted was not stored
	}
	return err
}

// usersAtOnce is how many users CommitMost commits at once. A commit holds the records of its users in memory, twice.
const usersAtOnce = 2000

// CommitMost commits users, each of whom may be recorded without the others, some of them at a time. It returns those that are
// left for a commit with something else: at most 2,000.
func (s *Store) CommitMost(users []*User) (rest []*User, err error) {
	for len(users) > usersAtOnce {
		if err := s.Commit(Commit{Users: users[:usersAtOnce]}); err != nil {
			return nil, err
		}
		users = users[usersAtOnce:]
	}
	return users, nil
}

// Empty reports whether there is nothing to commit.
func (c *Commit) Empty() bool {
	return len(c.Users)+len(c.Forget)+len(c.CreateIntents)+len(c.ClearCreateIntents)+len(c.WriteIntents)+len(c.ClearWriteIntents)+len(c.Failures)+len(c.ClearFailures)+len(c.Events) == 0 &&
		c.Refresh == nil && c.Converged == nil && c.Guards == nil && c.Pause == nil && c.Pass == nil && c.Checkout == "" && !c.RolledBack && len(c.AddReleases)+len(c.ClearReleases) == 0
}

// put is a record to be written.
type put struct {
	recordID
	record []byte
}

// puts encodes the records outside the bucket meta, so that a value that cannot be stored is refused before anything is
// written.
func (c *Commit) puts() ([]put, error) {
	puts := make([]put, 0, len(c.Users)+len(c.CreateIntents)+len(c.Failures))
	var errs []error
	add := func(bucket, key string, payload []byte, err error) {
		if err == nil && key == "" {
			err = errors.New("no key")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %q: %w", bucket, key, err))
			return
		}
		puts = append(puts, put{recordID{bucket, key}, seal(bucket, key, payload)})
	}
	addJSON := func(bucket, key string, v any) {
		payload, err := json.Marshal(v)
		add(bucket, key, payload, err)
	}
	for _, id := range c.AddReleases {
		errs = append(errs, CheckPlanID(id))
	}
	for _, u := range c.Users {
		if u == nil {
			errs = append(errs, errors.New("users: nil"))
			continue
		}
		payload, err := encodeUser(u)
		add(bucketUsers, u.ID, payload, err)
	}
	for _, in := range c.CreateIntents {
		in.Started = in.Started.UTC()
		addJSON(bucketIntents, in.Key, in)
	}
	for _, e := range c.WriteIntents {
		e.At = e.At.UTC()
		for _, f := range e.Fields {
			one := e
			one.Fields = []FieldEvent{f}
			addJSON(bucketWrites, writeKey(e.ID, f.Field), one)
		}
	}
	for _, f := range c.Failures {
		f.Next = f.Next.UTC()
		addJSON(bucketFailures, f.Key, f)
	}
	return puts, errors.Join(errs...)
}

func (c *Commit) apply(tx *bolt.Tx, puts []put) error {
	var writes []string
	for _, u := range c.ClearWriteIntents {
		for _, f := range u.Fields {
			writes = append(writes, writeKey(u.ID, f))
		}
	}
	if err := errors.Join(
		deleteAll(tx, bucketUsers, c.Forget),
		deleteAll(tx, bucketIntents, c.ClearCreateIntents),
		deleteAll(tx, bucketWrites, writes),
		deleteAll(tx, bucketFailures, c.ClearFailures),
	); err != nil {
		return err
	}
	for _, p := range puts {
		if err := setRecord(tx, p.bucket, p.key, p.record); err != nil {
			return fmt.Errorf("%s %q: %w", p.bucket, p.key, err)
		}
	}
	if err := errors.Join(c.applyMeta(tx), putReleases(tx, c.AddReleases, c.ClearReleases)); err != nil {
		return err
	}
	switch {
	case c.Converged != nil:
		if c.Converged.Revision != "" {
			if err := putMeta(tx, keyApplied, AppliedTree{Revision: c.Converged.Revision, At: time.Now().UTC()}); err != nil {
				return err
			}
		}
		return putMeta(tx, keyConverged, c.Converged)
	case len(puts)+len(c.Forget) > 0:
		return deleteRecord(tx, bucketMeta, keyConverged)
	}
	return nil
}

func (c *Commit) applyMeta(tx *bolt.Tx) error {
	var errs []error
	put := func(key string, v any) { errs = append(errs, putMeta(tx, key, v)) }
	if c.Refresh != nil {
		r := *c.Refresh
		r.At = r.At.UTC()
		put(keyStatus, statusRecord{Refresh: &r})
	}
	if c.Guards != nil {
		put(keyGuards, c.Guards)
	}
	if c.Checkout != "" {
		put(keyCheckout, c.Checkout)
	}
	if c.Pass != nil {
		put(keyPass, json.RawMessage(c.Pass))
	}
	if c.RolledBack {
		if a := getMetaPtr[AppliedTree](tx, keyApplied); a != nil {
			a.RolledBack = true
			put(keyApplied, a)
		}
	}
	if p := c.Pause; p != nil && p.At.IsZero() {
		errs = append(errs, deleteRecord(tx, bucketMeta, keyPause))
	} else if p != nil {
		put(keyPause, Pause{At: p.At.UTC(), By: p.By, Reason: p.Reason, Rollback: p.Rollback})
	}
	return errors.Join(errs...)
}

func deleteAll(tx *bolt.Tx, bucket string, keys []string) error {
	for _, key := range keys {
		if err := deleteRecord(tx, bucket, key); err != nil {
			return fmt.Errorf("%s %q: %w", bucket, key, err)
		}
	}
	return nil
}

func decodeIntent(key string, payload []byte) (Intent, bool) {
	var in Intent
	ok := json.Unmarshal(payload, &in) == nil
	in.Key = key // JSON cannot hold a key that is not UTF-8
	return in, ok
}

// writeKey is the key of the intent of a write. No field name contains a space.
func writeKey(id string, f spec.Field) string { return id + " " + string(f) }

// readWrites reads the intents of writes, and reports whether all are sound, as readAll does.
func readWrites(tx *bolt.Tx) (map[string]map[spec.Field]Event, bool) {
	all, sound := readAll(tx, bucketWrites, decodeWrite)
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
	return byUser, sound
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
