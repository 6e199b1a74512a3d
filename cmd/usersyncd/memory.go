package main

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

// rememberEvery is how old the limiter's memory may become while requests are made.
const rememberEvery = 30 * time.Second

// A memory keeps what the limiter has learned in the state file. A pause that the API has asked for is
// kept within a second: a program that is killed and started again must not ask earlier.
type memory struct {
	store    *state.Store
	client   string // whose quota it is; nothing of the credentials can be read from it
	readOnly bool
	log      *slog.Logger

	mu     sync.Mutex
	at     time.Time // when it was kept last, or was to be
	sent   uint64    // requests that what is kept takes into account
	kept   []aimd.TokenMemory
	failed bool // and it was said
}

func newMemory(store *state.Store, clientID, api string, readOnly bool, log *slog.Logger) *memory {
	sum := sha256.Sum256([]byte(clientID + "\n" + api))
	return &memory{store: store, client: hex.EncodeToString(sum[:8]), readOnly: readOnly, log: log}
}

// restore gives the limiter what was kept. What cannot be read is nothing learned.
func (m *memory) restore(l *aimd.Dispatcher) {
	data, err := m.store.Limiter(m.client)
	if data == nil && err == nil {
		return
	}
	var learned aimd.Memory
	if err == nil {
		err = json.Unmarshal(data, &learned)
	}
	if err != nil {
		m.log.Debug("what the rate limiter had learned cannot be read; it starts from scratch", "error", err)
		return
	}
	l.Restore(learned)
	m.kept = learned.Tokens
}

// keep writes what there is to keep at now: at once if a gate has shut, or shuts for longer, and else every
// half a minute while requests are made.
func (m *memory) keep(l *aimd.Dispatcher, now time.Time) { m.write(l, now, rememberEvery) }

// save writes what there is to keep at the end of a run.
func (m *memory) save(l *aimd.Dispatcher) { m.write(l, time.Now(), 0) }

// shuts reports whether a token's gate is shut for longer than what was kept says.
func shuts(now, kept []aimd.TokenMemory) bool {
	for i, t := range now {
		if !t.Gate.IsZero() && (i >= len(kept) || t.Gate.After(kept[i].Gate)) {
			return true
		}
	}
	return false
}

// write keeps what was learned, unless nothing new was, or little in so short a time.
func (m *memory) write(l *aimd.Dispatcher, now time.Time, pause time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sent, learned := l.Stats().Sent, l.Memory() // in this order: a request in between is not missed
	if m.readOnly || !shuts(learned.Tokens, m.kept) && (sent == m.sent || now.Sub(m.at) < pause) {
		return
	}
	m.at = now
	data, err := json.Marshal(learned)
	if err == nil {
		err = m.store.SaveLimiter(m.client, data)
	}
	switch {
	case err == nil:
		m.sent, m.kept = sent, learned.Tokens
	case !m.failed:
		m.failed = true
		m.log.Warn("what the rate limiter has learned cannot be kept; it is tried again, and without it a restart learns from scratch", "error", err)
	}
}
