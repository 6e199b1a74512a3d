package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	usersync "usersyncd/sync"
	"usersyncd/sync/control/health"
	"usersyncd/sync/genesys/sim"
)

// A minder counts how often systemd was told that all is well, over virtual time and a real socket.
type minder struct {
	manager
	marks int
}

// mind sets up systemd's side; it has to happen outside of the bubble.
func mind(t *testing.T) *minder {
	t.Helper()
	m := &minder{}
	t.Setenv("NOTIFY_SOCKET", m.listen(t))
	t.Setenv("WATCHDOG_USEC", "60000000")
	return m
}

// fed counts the watchdog's messages in the time to come.
func (m *minder) fed(b *bubble, d time.Duration) (n int) {
	from := m.mark(b)
	time.Sleep(d)
	to := m.mark(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, said := range m.said[from:to] {
		if said == "WATCHDOG=1" {
			n++
		}
	}
	return n
}

// status returns what systemd was told last.
func (m *minder) status(b *bubble) (text string) {
	m.mark(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, said := range m.said {
		if status, ok := strings.CutPrefix(said, "STATUS="); ok {
			text = status
		}
	}
	return text
}

// mark returns the number of messages so far: a message of its own is the last one. The socket has a time of
// its own, so it is waited for without sleeping.
func (m *minder) mark(b *bubble) int {
	m.marks++
	mark := fmt.Sprintf("X_MARK=%d", m.marks)
	if _, err := sd.SdNotify(false, mark); err != nil {
		b.Fatal(err)
	}
	for {
		if at := m.when(0, "^"+mark+"$"); at >= 0 {
			return at
		}
		runtime.Gosched()
	}
}

// live asks /livez.
func (b *bubble) live() (code int, body string) {
	w := httptest.NewRecorder()
	health.Handlers(b.d, b.d.Limits)["/livez"].ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/livez", nil))
	return w.Code, w.Body.String()
}

// A loop that only waits, since nothing happens, is live for both.
func TestWatchdogOfAnIdleLoop(t *testing.T) {
	m := mind(t)
	inBubble(t, sim.Options{Users: 6}, "resync-interval: 1h\nrefresh-interval: 1h\n", nil, func(b *bubble) {
		time.Sleep(time.Minute)
		for range 5 {
			if n := m.fed(b, 10*time.Minute); n < 29 {
				b.Errorf("fed %d times in ten minutes", n)
			}
			if code, why := b.live(); code != http.StatusOK {
				b.Errorf("/livez answers %d: %s", code, why)
			}
		}
	})
}

// A loop that does not come back, wherever it stands, is not vouched for; when it goes on, it is.
func TestWatchdogOfAStuckLoop(t *testing.T) {
	for _, step := range []string{"pass", "idle"} {
		t.Run(step, func(t *testing.T) {
			m := mind(t)
			var release chan struct{}
			var stuck atomic.Bool
			inBubble(t, sim.Options{Users: 6}, "", func(b *bubble) {
				release = make(chan struct{})
				b.at = func(at string) {
					if at == step && stuck.Load() {
						<-release
					}
				}
			}, func(b *bubble) {
				time.Sleep(2 * time.Minute)
				if n := m.fed(b, 10*time.Minute); n < 29 {
					b.Fatalf("fed %d times in ten minutes of health", n)
				}
				b.log.take(b.T)
				stuck.Store(true)
				b.hints.changes <- struct{}{}
				time.Sleep(time.Minute + 5*time.Second)
				if n := m.fed(b, 10*time.Minute); n > 0 {
					b.Errorf("fed %d times while the loop was stuck", n)
				}
				log := b.log.take(b.T)
				line := said(log, "sync loop is not making progress; watchdog pings stopped")
				if line == nil || !strings.Contains(fmt.Sprint(line["reason"]), "the loop has taken no step for") || len(log) > 3 {
					b.Errorf("the log says %v", log)
				}
				if code, why := b.live(); code != http.StatusServiceUnavailable || !strings.HasPrefix(why, "stuck: the loop") {
					b.Errorf("/livez answers %d: %s", code, why)
				}
				stuck.Store(false)
				close(release)
				if n := m.fed(b, 10*time.Minute); n < 29 {
					b.Errorf("fed %d times in ten minutes after that", n)
				}
			})
		})
	}
}

// roundTrip is a transport that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// So is a worker that does not come back, whatever the loop does meanwhile.
func TestWatchdogOfAStuckWorker(t *testing.T) {
	for phase, stuckAt := range map[usersync.Phase]func(*http.Request) bool{
		"apply":   func(r *http.Request) bool { return r.Method == http.MethodPatch },
		"refresh": func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == "/api/v2/users" },
		"read":    func(r *http.Request) bool { return strings.Contains(r.URL.Path, "utilization") },
	} {
		t.Run(string(phase), func(t *testing.T) {
			m := mind(t)
			var release chan struct{}
			inBubble(t, sim.Options{Users: 6}, "", func(b *bubble) {
				release = make(chan struct{})
				if err := os.RemoveAll(b.specs); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(b.specs, "mei.yaml"), "email: "+mei+"\ntitle: Captain\nutilization: {call: {capacity: 2}}\n")
				b.wire = func(next http.RoundTripper) http.RoundTripper {
					return roundTrip(func(r *http.Request) (*http.Response, error) {
						if stuckAt(r) {
							<-release // whatever the request's context says
						}
						return next.RoundTrip(r)
					})
				}
			}, func(b *bubble) {
				if n := m.fed(b, 3*time.Minute); n < 8 {
					b.Errorf("fed %d times at first: nobody can know yet", n)
				}
				if st := b.d.Status(); st.Phase != phase {
					b.Fatalf("it is in the phase %s", st.Phase)
				}
				time.Sleep(5 * time.Minute)
				if n := m.fed(b, time.Hour); n > 0 {
					b.Errorf("fed %d times while a worker was stuck", n)
				}
				if code, why := b.live(); code != http.StatusServiceUnavailable || !strings.Contains(why, "no request was sent or answered for 1h") {
					b.Errorf("/livez answers %d: %s", code, why)
				}
				close(release)
				time.Sleep(time.Minute)
				if n := m.fed(b, 10*time.Minute); n < 29 {
					b.Errorf("fed %d times in ten minutes after that", n)
				}
			})
		})
	}
}

// A pause that the API has asked for is no reason to restart, and none to take long to stop.
func TestWatchdogDuringALongPause(t *testing.T) {
	m := mind(t)
	inBubble(t, sim.Options{Users: 6}, "", nil, func(b *bubble) {
		time.Sleep(time.Minute)
		f, err := sim.ParseFault("PATCH x1 429 retry-after=590")
		if err != nil {
			b.Fatal(err)
		}
		b.sim.AddFault(f)
		b.sim.Edit(mei, func(u *sim.User) { u.Title = "Captain" }) // drift: found by the next reading
		time.Sleep(15 * time.Minute)
		if st := b.d.Status(); st.Phase != usersync.PhaseApply || b.app.limiter.Stats().Gate < 8*time.Minute {
			b.Fatalf("it does not wait: %+v", st)
		}
		if n := m.fed(b, 8*time.Minute); n < 23 {
			b.Errorf("fed %d times in eight minutes of waiting", n)
		}
		if took := b.stop(); took > 2*time.Second {
			b.Errorf("it took %v to stop", took)
		}
	})
}

// SIGTERM in the middle of such a pause, as systemd sends it: long before TimeoutStopSec.
func TestStopDuringAPause(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 5})
	r.start()
	r.waitFor("the first pass", func() bool { return r.lines("pass done") == 1 })
	f, err := sim.ParseFault("PATCH 429 retry-after=500")
	if err != nil {
		t.Fatal(err)
	}
	r.sim.AddFault(f)
	r.declare(r.sim.Users()[0].Email, "Moved")
	r.waitFor("the pause", func() bool { return r.lines("rate limit") == 1 })
	began := time.Now()
	r.signal(syscall.SIGTERM)
	if code := r.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}
