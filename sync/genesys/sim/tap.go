package sim

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"
)

// A Tap is the way to a server on which every request is seen, and its answer may be held up: for tests of what
// is sent when.
type Tap struct {
	// Hook, if it is not nil, is called before a request is sent, and again when it was answered and its sender has not
	// got the answer yet. Its error is what the sender gets instead: after the first call the request is not sent.
	Hook func(line string, answered bool) error

	to   http.RoundTripper
	mu   sync.Mutex
	sent []Sent
}

// Sent is one request.
type Sent struct {
	At   time.Time
	Line string // "PATCH /api/v2/users/...", with the query and the body of a PATCH
}

// Tap returns a new way to the server.
func (s *Server) Tap() *Tap { return &Tap{to: s.Transport()} }

// Sent returns what was sent so far, in that order.
func (t *Tap) Sent() []Sent {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Sent(nil), t.sent...)
}

// RoundTrip implements http.RoundTripper.
func (t *Tap) RoundTrip(r *http.Request) (*http.Response, error) {
	line := r.Method + " " + r.URL.RequestURI()
	if r.Method == http.MethodPatch {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		line += " " + string(body)
	}
	t.mu.Lock()
	t.sent = append(t.sent, Sent{time.Now(), line})
	t.mu.Unlock()
	if t.Hook != nil {
		if err := t.Hook(line, false); err != nil {
			return nil, err
		}
	}
	answer, err := t.to.RoundTrip(r)
	if t.Hook != nil {
		if err := t.Hook(line, true); err != nil {
			return nil, err
		}
	}
	return answer, err
}
