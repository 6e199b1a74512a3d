package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/control"
)

// A stage is a source whose status a test sets.
type stage struct {
	control.Source
	mu     sync.Mutex
	st     control.Status
	broken bool // no pass succeeds
}

func (s *stage) Status() control.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.st
	st.Now = time.Now()
	if !s.broken {
		st.Success = st.Now
	}
	return st
}

func (s *stage) set(change func(*control.Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.st)
}

func (s *stage) hold(ids ...string) {
	s.set(func(st *control.Status) { st.Holds, st.Held = holds(ids...), len(ids) })
}

// A receiver is a webhook without a socket.
type receiver struct {
	answer func(try int, r *http.Request) (*http.Response, error) // nil: 200

	mu    sync.Mutex
	tries []time.Time
	got   []Message // that were answered 2xx
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.tries = append(r.tries, time.Now())
	try := len(r.tries)
	r.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	resp := reply(http.StatusOK, "ok")
	if r.answer != nil {
		if resp, err = r.answer(try, req); err != nil {
			return nil, err
		}
	}
	if resp.StatusCode < 300 {
		var m Message
		if err := json.Unmarshal(body, &m); err != nil {
			return nil, err
		}
		r.mu.Lock()
		r.got = append(r.got, m)
		r.mu.Unlock()
	}
	return resp, nil
}

// asked is when the receiver was asked.
func (r *receiver) asked() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.tries)
}

func (r *receiver) said() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := []string{}
	for _, m := range r.got {
		said = append(said, m.Kind+" "+m.Status)
	}
	return said
}

func reply(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// hang answers when nobody waits any more.
func hang(_ int, r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

const secretURL = "https://hooks.example.com/services/T0SECRET/B0SECRET?sig=S1GNATURE"

// A journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// A play is a Notifier that runs in a bubble until the test ends.
type play struct {
	stage    stage
	receiver *receiver
	log      journal
	stop     func() time.Duration // ends it, and returns how long that took
}

func run(t *testing.T, r *receiver) *play {
	t.Helper()
	target, err := ParseTarget(secretURL)
	if err != nil {
		t.Fatal(err)
	}
	p := &play{receiver: r}
	n, err := New(Options{Target: target, RepeatInterval: 24 * time.Hour, Details: true, Source: &p.stage, Transport: r,
		Log: slog.New(slog.NewTextHandler(&p.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	p.stop = sync.OnceValue(func() time.Duration {
		began := time.Now()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		return time.Since(began)
	})
	t.Cleanup(func() {
		p.stop()
		if s := p.log.String(); strings.Contains(s, "SECRET") || strings.Contains(s, "S1GNATURE") {
			t.Errorf("the log has the URL:\n%s", s)
		}
	})
	return p
}

func (p *play) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := p.receiver.said(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("delivered %q, not %q\n%s", got, want, p.log.String())
	}
}

func TestDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t, &receiver{})
		p.stage.hold("p-1")
		time.Sleep(time.Minute)
		p.want(t, "held firing")
		p.stage.hold()
		time.Sleep(groupInterval)
		p.want(t, "held firing", "held resolved")
		time.Sleep(24 * time.Hour)
		p.want(t, "held firing", "held resolved")
		if d := p.stop(); d != 0 {
			t.Errorf("it took %s to end", d)
		}
	})
}

// A receiver that is down is tried again, with one warning in the log. When it is back, it is told what it missed and
// still lasts, though nothing new happens.
func TestDeadReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		dead := true
		p := run(t, &receiver{answer: func(int, *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if dead {
				return nil, errors.New("connection refused: " + secretURL)
			}
			return reply(200, "ok"), nil
		}})
		p.stage.hold("p-1")
		p.stage.set(func(st *control.Status) { st.Failures, st.Failed = []usersync.Failure{{Email: "a@x.org"}}, 1 })
		time.Sleep(10 * time.Minute)
		if n := len(p.receiver.asked()); n < 8 || n > 10 {
			t.Errorf("%d tries", n)
		}
		p.stage.hold("p-1", "p-2")
		p.stage.set(func(st *control.Status) { st.Failures, st.Failed = nil, 0 })
		time.Sleep(10 * time.Minute)
		if n := strings.Count(p.log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings:\n%s", n, p.log.String())
		}
		mu.Lock()
		dead = false
		mu.Unlock()
		time.Sleep(maxBackoff + pollInterval)
		p.want(t, "held firing")
		if m := p.receiver.got[0]; m.Title != "2 users are held by a guard" || !strings.Contains(m.Fix, "p-1") || !strings.Contains(m.Fix, "p-2") {
			t.Errorf("%+v", m)
		}
		if !strings.Contains(p.log.String(), "notifications are delivered again") {
			t.Error(p.log.String())
		}
		time.Sleep(time.Hour)
		p.want(t, "held firing")
	})
}

func TestRetryAfter(t *testing.T) {
	for header, least := range map[string]time.Duration{"100": 100 * time.Second, "100000": maxRetryAfter, "-3": time.Second, "soon": time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p := run(t, &receiver{answer: func(try int, _ *http.Request) (*http.Response, error) {
				if try > 1 {
					return reply(200, "ok"), nil
				}
				resp := reply(http.StatusTooManyRequests, "rate_limited")
				resp.Header.Set("Retry-After", header)
				return resp, nil
			}})
			p.stage.hold("p-1")
			time.Sleep(10 * time.Minute)
			p.want(t, "held firing")
			if d := p.receiver.asked()[1].Sub(p.receiver.asked()[0]); d < least || d > least+2*minBackoff {
				t.Errorf("Retry-After %s: tried again after %s", header, d)
			}
		})
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	for status, again := range map[int]bool{302: false, 307: false, 400: false, 401: false, 403: false, 404: false, 408: true, 410: false, 500: true, 502: true, 503: true} {
		synctest.Test(t, func(t *testing.T) {
			p := run(t, &receiver{answer: func(int, *http.Request) (*http.Response, error) {
				resp := reply(status, "no_service")
				resp.Header.Set("Location", "https://elsewhere.example.com/")
				return resp, nil
			}})
			p.stage.hold("p-1")
			time.Sleep(9 * time.Minute)
			synctest.Wait()
			if n := len(p.receiver.asked()); (n > 1) != again || n > 10 {
				t.Errorf("%d: %d tries", status, n)
			}
			if s := p.log.String(); !strings.Contains(s, fmt.Sprintf("hooks.example.com responded %d (no_service)", status)) || !strings.Contains(s, " fix=") {
				t.Error(s)
			}
		})
	}
}

// A message that is refused for good is tried again after groupInterval, and keeps back no other kind.
func TestRefusedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t, &receiver{answer: func(try int, _ *http.Request) (*http.Response, error) {
			if try == 1 {
				return reply(http.StatusBadRequest, "invalid_payload"), nil
			}
			return reply(http.StatusOK, "ok"), nil
		}})
		p.stage.hold("p-1")
		p.stage.set(func(st *control.Status) { st.Failures, st.Failed = []usersync.Failure{{Email: "a@x.org"}}, 1 })
		time.Sleep(time.Minute)
		p.want(t, "failing firing")
		time.Sleep(groupInterval)
		p.want(t, "failing firing", "held firing")
	})
}

// A receiver that never answers is asked one message at a time; the end takes five seconds.
func TestHangingReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t, &receiver{answer: hang})
		for i := range 1000 {
			p.stage.hold(fmt.Sprintf("p-%d", i))
			time.Sleep(time.Minute)
		}
		asked := p.receiver.asked()
		for i, at := range asked[1:] {
			if d := at.Sub(asked[i]); d < postTimeout {
				t.Fatalf("the next try after %s", d)
			}
		}
		p.stage.hold("p-last")
		time.Sleep(time.Minute)
		if d := p.stop(); d > shutdownTimeout {
			t.Errorf("it took %s to end", d)
		}
		if !strings.Contains(p.log.String(), "not delivered before shutdown") {
			t.Error(p.log.String())
		}
	})
}

// What is due when the daemon ends is sent, the pause before a second try notwithstanding.
func TestTheEndSendsWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t, &receiver{answer: func(try int, _ *http.Request) (*http.Response, error) {
			if try == 1 {
				resp := reply(http.StatusServiceUnavailable, "")
				resp.Header.Set("Retry-After", "300")
				return resp, nil
			}
			time.Sleep(time.Second)
			return reply(http.StatusAccepted, ""), nil
		}})
		p.stage.hold("p-1")
		p.stage.set(func(st *control.Status) { st.Failures, st.Failed = []usersync.Failure{{Email: "a@x.org"}}, 1 })
		time.Sleep(time.Minute)
		p.want(t)
		if d := p.stop(); d != 2*time.Second {
			t.Errorf("it took %s to end", d)
		}
		p.want(t, "held firing", "failing firing")
	})
}

// Trouble that comes and goes ends up in few messages, and never in many at once.
func TestFlappingAtTheReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t, &receiver{})
		for i := range 600 {
			p.stage.hold(fmt.Sprintf("p-%d", i)) // another hold with each commit
			p.stage.set(func(st *control.Status) {
				st.CredentialsDead = i%2 == 0
				st.Failures = []usersync.Failure{{Email: "a@x.org"}}[:i/10%2] // away for longer than resolveTimeout
			})
			time.Sleep(40 * time.Second)
		}
		synctest.Wait()
		got := p.receiver.got
		for i, m := range got {
			if i >= 10 && m.At.Sub(got[i-10].At) < 10*time.Minute {
				t.Fatalf("11 messages in %s", m.At.Sub(got[i-10].At))
			}
		}
		if len(got) > 90 {
			t.Errorf("%d messages", len(got))
		}
	})
}
