package genesys_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
)

const (
	apiURL = "https://api.example.test"
	secret = "s3cr3t/with+signs="
)

// A reply is what the fake answers: after delay, with err instead of an answer, or cut off half way.
type reply struct {
	status int
	header map[string]string
	body   string
	stream io.Reader // instead of body
	delay  time.Duration
	cut    bool
	err    error
}

func jsonReply(status int, body string) reply { return reply{status: status, body: body} }

// A fake is an in-memory service for what the simulator does not do. It hands out tokens t1, t2, ... and
// asks api about the rest.
type fake struct {
	t     testing.TB
	api   func(r *http.Request, body string) reply
	token func(n int) reply // nil: a good one of a day

	mu     sync.Mutex
	seen   []string // method and path, in the order of arrival
	bodies []string
	minted int
	at     []time.Time // of the token requests
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	for k := range r.Header {
		if strings.EqualFold(k, "Idempotency-Key") {
			f.t.Errorf("%s %s has an Idempotency-Key", r.Method, r.URL)
		}
	}
	var a reply
	f.mu.Lock()
	f.seen, f.bodies = append(f.seen, r.Method+" "+r.URL.Path), append(f.bodies, string(body))
	if strings.HasSuffix(r.URL.Path, "/oauth/token") {
		f.minted++
		f.at = append(f.at, time.Now())
		a = jsonReply(200, fmt.Sprintf(`{"access_token":"t%d","token_type":"bearer","expires_in":86400}`, f.minted))
		if f.token != nil {
			a = f.token(f.minted)
		}
		f.mu.Unlock()
	} else {
		f.mu.Unlock()
		a = f.api(r, string(body))
	}
	if a.delay > 0 {
		timer := time.NewTimer(a.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	for k, v := range a.header {
		h.Set(k, v)
	}
	var content io.Reader = strings.NewReader(a.body)
	if a.stream != nil {
		content = a.stream
	}
	if a.cut {
		content = io.MultiReader(strings.NewReader(a.body[:len(a.body)/2]), broken{})
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(content), Request: r}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// count returns how many requests began with the text.
func (f *fake) count(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.seen {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

func (f *fake) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

// A fakeLimiter delays nothing but the requests of a slot that is paused, and counts the tickets: every one is
// to come back once.
type fakeLimiter struct {
	mu       sync.Mutex
	next     uint64
	out      map[uint64]bool
	wrong    error
	statuses []int
	cancels  int
	expected []int
	parked   error
	slot     int
	shut     map[int]time.Time
}

func (b *fakeLimiter) Acquire(ctx context.Context, _, _ string) (uint64, int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		wait := time.Until(b.shut[b.slot])
		if wait <= 0 {
			break
		}
		b.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		b.mu.Lock()
	}
	if b.parked != nil {
		return 0, 0, b.parked
	}
	if b.out == nil {
		b.out = map[uint64]bool{}
	}
	b.next++
	b.out[b.next] = true
	return b.next, b.slot, nil
}

func (b *fakeLimiter) Release(ticket uint64, status int, _ map[string][]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.back(ticket)
	b.statuses = append(b.statuses, status)
}

func (b *fakeLimiter) Cancel(ticket uint64, pause time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.back(ticket)
	b.cancels++
	if b.shut == nil {
		b.shut = map[int]time.Time{}
	}
	b.shut[b.slot] = time.Now().Add(pause)
}

func (b *fakeLimiter) back(ticket uint64) {
	if !b.out[ticket] {
		b.wrong = fmt.Errorf("ticket %d came back without being out", ticket)
	}
	delete(b.out, ticket)
}

func (b *fakeLimiter) Expect(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, n)
}

func (b *fakeLimiter) balance() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.out) > 0 {
		return errors.Join(b.wrong, fmt.Errorf("%d tickets never came back", len(b.out)))
	}
	return b.wrong
}

// open makes a directory on the fake; adjust may change the options.
func open(t testing.TB, f *fake, adjust func(*api.Options)) (*genesys.Directory, *fakeLimiter) {
	t.Helper()
	f.t = t
	b := &fakeLimiter{}
	o := api.Options{API: apiURL, ClientID: "client", ClientSecret: secret, Limiter: b, Transport: f, Version: "1.2.3"}
	if adjust != nil {
		adjust(&o)
	}
	d, err := genesys.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.balance(); err != nil {
			t.Error(err)
		}
	})
	return d, b
}

// tries returns an adjustment: n further tries, 1 s to 30 s apart.
func tries(n int) func(*api.Options) {
	return func(o *api.Options) { o.Retry = &api.Retry{Max: n} }
}
