package state

import (
	"bytes"
	"fmt"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// maxLimiter is far more than a limiter has to say, in bytes.
const maxLimiter = 64 << 10

// SaveLimiter keeps what a rate limiter has learned about a client's quota, in place of what was kept
// before, whosever that was. client is one line, data at most 64 KiB; nobody here looks inside. It is no
// part of what is known of the organization, so the Converged mark stays. After an error the store holds
// what it held before.
func (s *Store) SaveLimiter(client string, data []byte) error {
	if s.readOnly {
		return fmt.Errorf("write state file %s: %w", s.path, ErrReadOnly)
	}
	if len(data) > maxLimiter || strings.Contains(client, "\n") {
		return fmt.Errorf("write state file %s: what the limiter of client %q has learned: %d bytes, %d allowed, and one line for the client",
			s.path, client, len(data), maxLimiter)
	}
	record := seal(bucketMeta, keyLimiter, append([]byte(client+"\n"), data...))
	err := s.update(func(tx *bolt.Tx) error { return setRecord(tx, bucketMeta, keyLimiter, record) })
	if err != nil {
		return fmt.Errorf("write state file %s: %w", s.path, err)
	}
	return nil
}

// Limiter returns what SaveLimiter kept for a client. It is nil if there is nothing, if it is another
// client's, or if it is damaged: a limiter can learn everything again.
func (s *Store) Limiter(client string) (data []byte, err error) {
	if s.Empty() {
		return nil, nil
	}
	err = s.view(func(tx *bolt.Tx) error {
		record := tx.Bucket([]byte(bucketMeta)).Get([]byte(keyLimiter))
		payload, _ := unseal(bucketMeta, []byte(keyLimiter), record)
		if whose, learned, ok := bytes.Cut(payload, []byte("\n")); ok && string(whose) == client {
			data = bytes.Clone(learned)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read state file %s: %w", s.path, err)
	}
	return data, nil
}
