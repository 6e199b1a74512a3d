package state

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
)

// A record is a format byte, the CRC-32C of everything that makes it this record, and the payload.
//
//	0      1            5
//	+------+------------+-----------
//	| 0x01 | CRC, big e.| payload ...
//	+------+------------+-----------
const (
	recordFormat = 1
	recordHead   = 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) // computed by one CPU instruction where there is one

// seal makes the record of a payload. The sum covers bucket and key too, so that a record that turns
// up under another key is as damaged as one with a flipped bit.
func seal(bucket, key string, payload []byte) []byte {
	r := make([]byte, recordHead, recordHead+len(payload))
	r[0] = recordFormat
	binary.BigEndian.PutUint32(r[1:], sum(recordFormat, bucket, []byte(key), payload))
	return append(r, payload...)
}

// unseal returns the payload of a record, which is valid as long as record is, and whether it is whole.
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
	head = append(head, bucket...) // bucket names hold no zero byte
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

// openJSON reads a record into v and says whether it is whole. v is undefined if it is not.
func openJSON(bucket string, key, record []byte, v any) bool {
	payload, ok := unseal(bucket, key, record)
	return ok && json.Unmarshal(payload, v) == nil
}
