package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
)

const (
	defaultEvents       = 50_000    // at some 500 bytes each they take 25 MB, and are what 50,000 changes record
	defaultHistoryBytes = 128 << 20 // long lists, such as all skills before and after, could otherwise fill the file
)

// Query selects events. The zero value selects all.
type Query struct {
	Since    time.Time // not older
	Email    string    // of one user: spec.User.Key, as declared at the time
	ID       string    // of one user, by Genesys id
	Revision string    // of the checkout, or its beginning: a commit, or with "-dirty" appended the edits on top of it
	Limit    int       // at most so many; 0: no limit
}

func (q *Query) matches(e *Event) bool {
	return !e.At.Before(q.Since) && (q.Email == "" || e.Email == q.Email) && (q.ID == "" || e.ID == q.ID) && q.matchesRevision(e.Revision)
}

// matchesRevision distinguishes a commit from uncommitted edits on top of it.
func (q *Query) matchesRevision(revision string) bool {
	commit, dirty := spec.CutDirty(revision)
	prefix, wantsDirty := spec.CutDirty(q.Revision)
	return q.Revision == "" || dirty == wantsDirty && strings.HasPrefix(commit, prefix)
}

// History returns the selected events, the newest first.
func (s *Store) History(q Query) (events []Event, err error) {
	var email []byte
	if q.Email != "" {
		email, _ = json.Marshal(q.Email) // as it is in a record
	}
	err = s.read(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketHistory))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for key, record := c.Last(); key != nil; key, record = c.Prev() {
			if !bytes.Contains(record, []byte(q.ID)) || !bytes.Contains(record, email) { // avoids decoding nearly all of them
				continue
			}
			var e Event
			if !openJSON(bucketHistory, key, record, &e) {
				continue // damage is handled when the file is opened next
			}
			if q.matches(&e) {
				events = append(events, e)
			}
			if q.Limit > 0 && len(events) == q.Limit {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// HistoryStart returns the time of the oldest event if older ones were dropped for space; else the zero time.
func (s *Store) HistoryStart() (start time.Time, err error) {
	err = s.read(func(tx *bolt.Tx) error {
		for key, record := range records(tx, bucketHistory) {
			var e Event
			if string(key) == eventKey(0) {
				return nil
			}
			if openJSON(bucketHistory, key, record, &e) { // damage is handled when the file is opened next
				start = e.At
				return nil
			}
		}
		return nil
	})
	return start, err
}

// eventKey is the key of the n-th event: hexadecimal, of equal length, so that keys sort as the numbers do.
func eventKey(n uint64) string { return fmt.Sprintf("%016x", n) }

// limitUnmanaged leaves out the last of many events without fields, of users who are no longer managed: a commit may have one for
// each user of the organization, and they would push out the writes, which a rollback needs. It keeps a tenth of the history.
func (s *Store) limitUnmanaged(events []Event) []Event {
	unmanaged, most := 0, s.maxEvents/10
	return slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
		if len(e.Fields) > 0 {
			return false
		}
		unmanaged++
		return unmanaged > most
	})
}

// appendEvents adds events to the history, and drops the oldest beyond its limits.
func (s *Store) appendEvents(tx *bolt.Tx, events []Event) error {
	if events = s.limitUnmanaged(events); len(events) == 0 {
		return nil
	}
	b := tx.Bucket([]byte(bucketHistory))
	var next uint64
	if last, _ := b.Cursor().Last(); last != nil {
		if _, err := fmt.Sscanf(string(last), "%016x", &next); err != nil {
			return fmt.Errorf("key %q: %w", last, err)
		}
		next++
	}
	if !s.counted {
		s.historyBytes = 0
		for _, record := range records(tx, bucketHistory) {
			s.historyBytes += len(record)
		}
		s.counted = true
	}
	for i, e := range events {
		e.At = e.At.UTC()
		key := eventKey(next + uint64(i))
		sealed, err := sealJSON(bucketHistory, key, e)
		if err == nil {
			err = setRecord(tx, bucketHistory, key, sealed)
		}
		if err != nil {
			return err
		}
		s.historyBytes += len(sealed)
	}
	for {
		oldest, record := b.Cursor().First()
		if n := storedSum(tx, bucketHistory).records(); n <= len(events) || n <= s.maxEvents && s.historyBytes <= s.maxHistoryBytes {
			return nil // new events are stored whatever their size
		}
		s.historyBytes -= len(record)
		if err := deleteRecord(tx, bucketHistory, string(oldest)); err != nil {
			return err
		}
	}
}
