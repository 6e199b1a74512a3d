// Package limiterstore keeps in the state file what the rate limiter has learned.
package limiterstore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"usersyncd/state"
	"usersyncd/sync/aimd"
)

// saveEvery is how old the saved state may become while requests are made.
const saveEvery = 30 * time.Second

// Store saves and restores a rate limiter. A pause that the API has asked for is saved within a second: a program that
// is killed and started again must not send a request before it is over.
type Store struct {
	store    *state.Store
	client   string // a hash of the OAuth client and the API, whose quota it is
	readOnly bool
	log      *slog.Logger

	mu     sync.Mutex
	at     time.Time // of the last attempt to save
	sent   uint64    // requests that the saved state takes into account
	saved  []aimd.TokenMemory
	failed bool // and that was logged
}

// New returns the Store of an OAuth client.
func New(store *state.Store, clientID, api string, readOnly bool, log *slog.Logger) *Store {
	sum := sha256.Sum256([]byte(clientID + "\n" + api))
	return &Store{store: store, client: hex.EncodeToString(sum[:8]), readOnly: readOnly, log: log}
}

// Restore gives the limiter what was saved, without the pauses if they are to be ignored. If it cannot be read, the limiter
// starts from scratch.
func (s *Store) Restore(l *aimd.Dispatcher, ignorePause bool) {
	data, err := s.store.Limiter(s.client)
	if data == nil && err == nil {
		return
	}
	var learned aimd.Memory
	if err == nil {
		err = json.Unmarshal(data, &learned)
	}
	if err != nil {
		s.log.Debug("the saved state of the rate limiter cannot be read; the limiter starts from scratch", "error", err)
		return
	}
	for i := range learned.Tokens {
		if ignorePause {
			learned.Tokens[i].Gate = time.Time{}
		}
	}
	l.Restore(learned)
	s.saved = learned.Tokens
}

// Save is to be called every second. It saves at once if a pause has begun or grown, else every half a minute while
// requests are made.
func (s *Store) Save(l *aimd.Dispatcher, now time.Time) { s.save(l, now, saveEvery) }

// Flush saves at the end of a run.
func (s *Store) Flush(l *aimd.Dispatcher) { s.save(l, time.Now(), 0) }

func (s *Store) save(l *aimd.Dispatcher, now time.Time, interval time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent, learned := l.Stats().Sent, l.Memory() // in this order: a request in between is not missed
	if s.readOnly || !pausedLonger(learned.Tokens, s.saved) && (sent == s.sent || now.Sub(s.at) < interval) {
		return
	}
	s.at = now
	data, err := json.Marshal(learned)
	if err == nil {
		err = s.store.SaveLimiter(s.client, data)
	}
	switch {
	case err == nil:
		s.sent, s.saved = sent, learned.Tokens
	case !s.failed:
		s.failed = true
		s.log.Warn("the state of the rate limiter cannot be saved; after a restart it would start from scratch", "error", err)
	}
}

// pausedLonger reports whether a token is paused for longer than was saved.
func pausedLonger(now, saved []aimd.TokenMemory) bool {
	for i, t := range now {
		if !t.Gate.IsZero() && (i >= len(saved) || t.Gate.After(saved[i].Gate)) {
			return true
		}
	}
	return false
}
