package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
)

// maxEvents is how many events are kept unless Options say otherwise: at some 500 bytes each they take 25 MB,
// and are what 50,000 changes leave behind.
const maxEvents = 50_000

// maxEventBytes is how much they may take together, unless Options say otherwise: long lists, such as the skills of
// everybody, before and after, would fill the file.
const maxEventBytes = 128 << 20

// Query says which events are wanted. The zero value is all of them.
type Query struct {
	Since    time.Time // not older
	Email    string    // of one user: spec.User.Key, as declared at the time
	ID       string    // of one user, by Genesys id
	Revision string    // of the checkout, or how it begins: a commit, or with "-dirty" behind it the edits on top of that
	Limit    int       // most events; 0: no limit
}

func (q *Query) wants(e *Event) bool {
	return !e.At.Before(q.Since) && (q.Email == "" || e.Email == q.Email) && (q.ID == "" || e.ID == q.ID) && q.wantsRevision(e.Revision)
}

// wantsRevision tells what a commit asked for from what was edited on top of it and not committed.
func (q *Query) wantsRevision(revision string) bool {
	commit, dirty := spec.CutDirty(revision)
	begins, wantsDirty := spec.CutDirty(q.Revision)
	return q.Revision == "" || dirty == wantsDirty && strings.HasPrefix(commit, begins)
}

// History returns the events that are wanted, the newest first.
func (s *Store) History(q Query) ([]Event, error) {
	var events []Event
	if s.Empty() {
		return nil, nil
	}
	email, err := json.Marshal(q.Email) // as it stands in a record
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	if q.Email == "" {
		email = nil
	}
	err = s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketHistory))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for key, record := c.Last(); key != nil; key, record = c.Prev() {
			if !bytes.Contains(record, []byte(q.ID)) || !bytes.Contains(record, email) { // saves decoding nearly all of them
				continue
			}
			payload, ok := unseal(bucketHistory, key, record)
			var e Event
			if !ok || json.Unmarshal(payload, &e) != nil {
				continue // it is left out when the file is opened the next time
			}
			if q.wants(&e) {
				events = append(events, e)
			}
			if q.Limit > 0 && len(events) == q.Limit {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read history in state file %s: %w", s.path, err)
	}
	return events, nil
}

// HistoryStart returns the time of the oldest event that is kept, if older ones were dropped for it; else the
// zero time.
func (s *Store) HistoryStart() (time.Time, error) {
	var first Event
	if s.Empty() {
		return first.At, nil
	}
	err := s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketHistory))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		key, record := c.First()
		if string(key) == eventKey(0) {
			return nil
		}
		for ; key != nil; key, record = c.Next() {
			if payload, ok := unseal(bucketHistory, key, record); ok && json.Unmarshal(payload, &first) == nil {
				return nil // those that are damaged are left out when the file is opened the next time
			}
		}
		return nil
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("read history in state file %s: %w", s.path, err)
	}
	return first.At, nil
}

// eventKey numbers an event: hexadecimal, so that keys can be read and sort as the numbers do.
func eventKey(n uint64) string { return fmt.Sprintf("%016x", n) }

// record adds events, and drops as many of the oldest as there are too many.
func (s *Store) record(tx *bolt.Tx, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	b := tx.Bucket([]byte(bucketHistory))
	var next uint64
	if last, _ := b.Cursor().Last(); last != nil {
		if _, err := fmt.Sscanf(string(last), "%016x", &next); err != nil {
			return fmt.Errorf("history: key %q: %w", last, err)
		}
		next++
	}
	if !s.measured {
		s.bytes = 0
		if err := b.ForEach(func(_, record []byte) error { s.bytes += len(record); return nil }); err != nil {
			return fmt.Errorf("history: %w", err)
		}
		s.measured = true
	}
	for i, e := range events {
		e.At = e.At.UTC()
		key := eventKey(next + uint64(i))
		sealed, err := sealJSON(bucketHistory, key, e)
		if err != nil {
			return fmt.Errorf("history: %w", err)
		}
		if err := setRecord(tx, bucketHistory, key, sealed); err != nil {
			return fmt.Errorf("history: %w", err)
		}
		s.bytes += len(sealed)
	}
	for {
		oldest, record := b.Cursor().First()
		if n := tally(b.Sequence()).records(); n <= len(events) || n <= s.events && s.bytes <= s.most {
			break // what is new is kept, whatever it takes
		}
		s.bytes -= len(record)
		if err := deleteRecord(tx, bucketHistory, string(oldest)); err != nil {
			return fmt.Errorf("history: %w", err)
		}
	}
	return nil
}

// put begins a pause, or ends it.
func (p *Pause) put(tx *bolt.Tx) error {
	if p.At.IsZero() {
		return deleteRecord(tx, bucketMeta, keyPause)
	}
	pause := *p
	pause.At = pause.At.UTC()
	return putMeta(tx, keyPause, pause)
}
