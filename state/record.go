package state

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"iter"

	bolt "go.etcd.io/bbolt"
)

// A record is a format byte, the CRC-32C of format, bucket, key and payload, and the payload.
//
//	0      1            5
//	+------+------------+-----------
//	| 0x01 | CRC, big e.| payload ...
//	+------+------------+-----------
const (
	recordFormat = 1
	recordHead   = 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) // one CPU instruction where there is one

// seal makes the record of a payload. The sum covers bucket and key, too, so that a record under another key counts as
// damaged.
func seal(bucket, key string, payload []byte) []byte {
	r := make([]byte, recordHead, recordHead+len(payload))
	r[0] = recordFormat
	binary.BigEndian.PutUint32(r[1:], sum(recordFormat, bucket, []byte(key), payload))
	return append(r, payload...)
}

// unseal returns the payload of a record, which is valid as long as record is, and whether the checksum is right.
func unseal(bucket string, key, record []byte) ([]byte, bool) {
	if len(record) < recordHead || record[0] != recordFormat {
		return nil, false
	}
	payload := record[recordHead:]
	if binary.BigEndian.Uint32(record[1:]) != sum(record[0], bucket, key, payload) {
		return nil, false
	}
	return payload, true
}

func sum(format byte, bucket string, key, payload []byte) uint32 {
	head := make([]byte, 0, 32)
	head = append(head, format)
	head = append(head, bucket...) // bucket names contain no zero byte
	head = append(head, 0)
	head = binary.BigEndian.AppendUint32(head, uint32(len(key)))
	crc := crc32.Update(0, castagnoli, head)
	crc = crc32.Update(crc, castagnoli, key)
	return crc32.Update(crc, castagnoli, payload)
}

func sealJSON(bucket, key string, v any) ([]byte, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return seal(bucket, key, payload), nil
}

// openJSON decodes a record into v, and reports whether it is sound. Otherwise v is undefined.
func openJSON(bucket string, key, record []byte, v any) bool {
	payload, ok := unseal(bucket, key, record)
	return ok && json.Unmarshal(payload, v) == nil
}

// A bucketSum is the sequence of a bucket: the number of its records (upper 32 bits), and the XOR of their checksums. A
// page that the disk did not write holds older records, each of them sound; this sum shows it.
type bucketSum uint64

func (s bucketSum) with(record []byte) bucketSum    { return (s + 1<<32) ^ checksum(record) }
func (s bucketSum) without(record []byte) bucketSum { return (s - 1<<32) ^ checksum(record) }
func (s bucketSum) records() int                    { return int(s >> 32) }

func checksum(record []byte) bucketSum {
	if len(record) < recordHead {
		return 0
	}
	return bucketSum(binary.BigEndian.Uint32(record[1:]))
}

// setRecord and deleteRecord update the bucket's sum. Buckets are changed in no other way.
func setRecord(tx *bolt.Tx, bucket, key string, record []byte) error {
	b, s := tx.Bucket([]byte(bucket)), storedSum(tx, bucket)
	if old := b.Get([]byte(key)); old != nil {
		s = s.without(old)
	}
	if err := b.SetSequence(uint64(s.with(record))); err != nil {
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
	if err := b.SetSequence(uint64(storedSum(tx, bucket).without(old))); err != nil {
		return err
	}
	return b.Delete([]byte(key))
}

// storedSum returns a bucket's sum. An older file that is open for reading only may not have the bucket.
func storedSum(tx *bolt.Tx, bucket string) bucketSum {
	if b := tx.Bucket([]byte(bucket)); b != nil {
		return bucketSum(b.Sequence())
	}
	return 0
}

// records returns those of a bucket, by key; none if there is no such bucket.
func records(tx *bolt.Tx, bucket string) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, record []byte) bool) {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return
		}
		c := b.Cursor()
		for key, record := c.First(); key != nil && yield(key, record); key, record = c.Next() {
		}
	}
}
