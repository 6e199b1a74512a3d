package state

import (
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The buckets of the file, and the keys of meta.
const (
	bucketMeta     = "meta"
	bucketUsers    = "users"    // by Genesys id
	bucketIntents  = "intents"  // by spec.User.Key
	bucketFailures = "failures" // by spec.User.Key
	bucketHistory  = "history"  // by number, in order
	bucketWrites   = "writes"   // by Genesys id, a space and the field

	keyFormat    = "format"
	keyOrg       = "org"
	keyStatus    = "status"
	keyConverged = "converged"
	keyLimiter   = "limiter"
	keyGuards    = "guards"
	keyApplied   = "applied"
	keyPause     = "pause"
	keyCheckout  = "checkout"
	keyReleases  = "releases"
	keyPass      = "pass"
	keyProbe     = "probe" // see CheckWritable
)

// fileFormat is the version of the file; a change of any record's form increments it. The format record itself never
// changes its form.
//
//	1  a user is identified by the address last applied
//	2  a user has the declaration that it was matched to
const fileFormat = 2

type formatRecord struct {
	Version int `json:"version"`
}

// statusRecord says how complete the other records are. Without one they are not: the file counts as rebuilt.
type statusRecord struct {
	Refresh *Refresh `json:"refresh,omitempty"` // nil: none since the file was created or rebuilt
	Rebuilt bool     `json:"rebuilt,omitempty"` // an earlier file was set aside, and no refresh since
	Damaged int      `json:"damaged,omitempty"` // records and pages that were lost then
}

// bucketNames returns every bucket of a state file.
func bucketNames() []string {
	return append([]string{bucketMeta, bucketUsers, bucketIntents, bucketFailures}, laterBuckets()...)
}

// laterBuckets returns those that the file of an older usersyncd does not have until it is opened for writing.
func laterBuckets() []string { return []string{bucketHistory, bucketWrites} }

// initialize fills a new database, in one commit, so that a file without a format record is damaged and not new. records
// are those of a damaged file; nil if there was none.
func initialize(records *salvaged) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		if err := addBuckets(tx); err != nil {
			return err
		}
		if records != nil {
			return records.put(tx, time.Now())
		}
		return putMeta(tx, keyStatus, statusRecord{})
	}
}

// addBuckets makes the buckets that a file does not have, and sets its version.
func addBuckets(tx *bolt.Tx) error {
	for _, name := range bucketNames() {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return putMeta(tx, keyFormat, formatRecord{Version: fileFormat})
}

// checkFormat refuses a sound file of another program or of a newer usersyncd.
func checkFormat(path string) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		ours, others, noBucket := 0, 0, ""
		err := tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			others++
			if b == nil { // bbolt writes only buckets there: a bit has flipped
				noBucket = string(name)
			}
			return nil
		})
		if err != nil {
			return err
		}
		missing := 0
		for _, name := range bucketNames() {
			if tx.Bucket([]byte(name)) != nil {
				ours++
			} else if !slices.Contains(laterBuckets(), name) {
				missing++
			}
		}
		if others -= ours; ours == 0 && others > 0 {
			return fmt.Errorf("%s: %w, but the database of another program: use another state file", path, ErrForeign)
		}
		if noBucket != "" {
			return damagef("%q is not a bucket", noBucket)
		}
		if missing > 0 {
			return damagef("%d of %d buckets are missing", missing, len(bucketNames()))
		}
		var f formatRecord
		if !getMeta(tx, keyFormat, &f) || f.Version < 1 {
			return damagef("no format record")
		}
		if f.Version > fileFormat {
			return newerError(path, f.Version)
		}
		if others > 0 {
			return damagef("%d buckets have other names", others)
		}
		return nil
	}
}

func newerError(path string, version int) error {
	return fmt.Errorf("%w: %s has format %d and this usersyncd knows %d: use a newer usersyncd, or another state file",
		ErrNewer, path, version, fileFormat)
}

// upgrade adds the later buckets to an older file, and sets the format version, so that an older usersyncd refuses the
// file instead of dropping what it does not know. Records are read in either form.
func (s *Store) upgrade() error {
	missing := false
	var f formatRecord
	err := s.view(func(tx *bolt.Tx) error {
		missing = slices.ContainsFunc(laterBuckets(), func(name string) bool { return tx.Bucket([]byte(name)) == nil })
		getMeta(tx, keyFormat, &f)
		return nil
	})
	if err != nil || s.readOnly || !missing && f.Version == fileFormat {
		return err
	}
	return s.update(addBuckets)
}

// recordID names a record.
type recordID struct {
	bucket string
	key    string
}

// checkRecords returns ErrDamaged if the checksum of a record or the sum of a bucket is wrong.
func checkRecords(tx *bolt.Tx) error {
	for _, name := range bucketNames() {
		s := bucketSum(0)
		for key, record := range records(tx, name) {
			if record == nil {
				return damagef("bucket %s holds a bucket", name)
			}
			if _, ok := unseal(name, key, record); !ok {
				return damagef("%s %q has a wrong checksum", name, key)
			}
			s = s.with(record)
		}
		if s != storedSum(tx, name) {
			return damagef("bucket %s has a wrong sum", name)
		}
	}
	return nil
}

// getMeta decodes a record of the bucket meta, and reports whether there is one that is sound.
func getMeta(tx *bolt.Tx, key string, v any) bool {
	record := tx.Bucket([]byte(bucketMeta)).Get([]byte(key))
	return record != nil && openJSON(bucketMeta, []byte(key), record, v)
}

func putMeta(tx *bolt.Tx, key string, v any) error {
	record, err := sealJSON(bucketMeta, key, v)
	if err != nil {
		return err
	}
	return setRecord(tx, bucketMeta, key, record)
}
