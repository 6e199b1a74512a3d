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
	// Hold, if it is not nil, is called when a request was answered, and before its sender gets the answer.
	Hold func(line string)
	// Break, if it is not nil, is called before a request is sent, and again when it was answered. Its error is what
	// the sender gets instead: of the first call the request is not sent.
	Break func(line string, answered bool) error

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
	if t.Break != nil {
		if err := t.Break(line, false); err != nil {
			return nil, err
		}
	}
	answer, err := t.to.RoundTrip(r)
	if t.Hold != nil {
		t.Hold(line)
	}
	if t.Break != nil {
		if err := t.Break(line, true); err != nil {
			return nil, err
		}
	}
	return answer, err
}
