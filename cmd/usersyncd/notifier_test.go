package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"usersyncd/sync/genesys/sim"
)

// A hook is a webhook between the client and the organization.
type hook struct {
	next http.RoundTripper
	mu   sync.Mutex
	got  []map[string]any
}

func (h *hook) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "hooks.example.com" {
		return h.next.RoundTrip(r)
	}
	message := map[string]any{}
	if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, message)
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Body: io.NopCloser(strings.NewReader("ok")), Request: r}, nil
}

// said returns what it was told, a word each for what it is about and how that is.
func (h *hook) said() (told []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.got {
		told = append(told, m["kind"].(string)+" "+m["status"].(string))
	}
	return told
}

// The daemon tells its webhook that users are held, and later that they are not any more.
func TestTheDaemonTellsPeople(t *testing.T) {
	url := filepath.Join(t.TempDir(), "url")
	write(t, url, "https://hooks.example.com/secret")
	if err := os.Chmod(url, 0o600); err != nil {
		t.Fatal(err)
	}
	h := &hook{}
	before := func(b *bubble) {
		b.wire = func(next http.RoundTripper) http.RoundTripper { h.next = next; return h }
	}
	inBubble(t, sim.Options{Users: 40}, "notify-url-file: "+url+"\nnotify-format: generic\n", before, func(b *bubble) {
		time.Sleep(5 * time.Minute)
		if told := h.said(); told != nil {
			b.Errorf("told although all is well: %v", told)
		}
		aside := b.specs + ".aside"
		if err := os.MkdirAll(aside, 0o755); err != nil {
			b.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(b.specs, "*", "*.yaml"))
		if err != nil || len(files) < 20 {
			b.Fatal(err, len(files))
		}
		move := func(back bool) {
			for _, f := range files[:20] {
				from, to := f, filepath.Join(aside, filepath.Base(f))
				if back {
					from, to = to, from
				}
				if err := os.Rename(from, to); err != nil {
					b.Fatal(err)
				}
			}
		}
		move(false)
		time.Sleep(5 * time.Minute)
		move(true)
		time.Sleep(20 * time.Minute)
		if got := strings.Join(h.said(), ", "); got != "held firing, held resolved" {
			b.Errorf("told %q", got)
		}
	})
}
