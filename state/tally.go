package state

import (
	"encoding/binary"

	bolt "go.etcd.io/bbolt"
)

// tally is kept in a bucket's sequence: how many records it holds, and the XOR of their checksums. A
// page that a disk forgot to write holds older records, each of them whole; the tally tells.
type tally uint64

func (t tally) with(record []byte) tally    { return (t + 1<<32) ^ checksum(record) }
func (t tally) without(record []byte) tally { return (t - 1<<32) ^ checksum(record) }
func (t tally) records() int                { return int(t >> 32) }

func checksum(record []byte) tally {
	if len(record) < recordHead {
		return 0
	}
	return tally(binary.BigEndian.Uint32(record[1:]))
}

// setRecord and deleteRecord keep the tally. No bucket is changed in another way.
func setRecord(tx *bolt.Tx, bucket, key string, record []byte) error {
	b := tx.Bucket([]byte(bucket))
	t := tally(b.Sequence())
	if old := b.Get([]byte(key)); old != nil {
		t = t.without(old)
	}
	if err := b.SetSequence(uint64(t.with(record))); err != nil {
		return err
	}
	return b.Put([]byte(key), record)
}

func deleteRecord(tx *bolt.Tx, bucket, key string) error {
	b := tx.Bucket([]byte(bucket))
	old := b.Get([]byte(key))
	if old == nil {
		return nil
	}
	if err := b.SetSequence(uint64(tally(b.Sequence()).without(old))); err != nil {
		return err
	}
	return b.Delete([]byte(key))
}
