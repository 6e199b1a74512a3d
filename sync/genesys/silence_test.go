package genesys_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
)

// A lockedLog is written to by other goroutines.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Where nobody answers, the log says so after 10 s, and a read is given up within 45 s: the listing, one user, and a token.
func TestABlackHole(t *testing.T) {
	for name, login := range map[string]bool{"the API": false, "the login service": true} {
		synctest.Test(t, func(t *testing.T) {
			var log lockedLog
			hole := true
			f := &fake{api: func(r *http.Request, body string) reply {
				if hole && !login {
					return reply{delay: time.Hour}
				}
				return jsonReply(200, shown(`[]`, 0, 0))
			}}
			if login {
				f.token = func(int) reply {
					if hole {
						return reply{delay: time.Hour}
					}
					return jsonReply(200, `{"access_token":"t","token_type":"bearer","expires_in":86400}`)
				}
			}
			d, _ := open(t, f, func(o *api.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			began := time.Now()
			ended := make(chan error)
			go func() { _, err := list(t.Context(), d); ended <- err }()
			time.Sleep(10*time.Second - time.Millisecond)
			synctest.Wait()
			if strings.Contains(log.String(), "no answer yet") {
				t.Errorf("%s: said too early", name)
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if !strings.Contains(log.String(), "no answer yet") {
				t.Errorf("%s: nothing is said after 10 s:\n%s", name, &log)
			}
			err := <-ended
			if took := time.Since(began); took > 45*time.Second || !errors.Is(err, apply.ErrUncertain) && !errors.Is(err, apply.ErrUnreachable) {
				t.Errorf("%s: given up after %v: %v", name, took, err)
			}
			if text := err.Error(); !login && !strings.HasSuffix(text, ": no usable answer: no answer in time") {
				t.Errorf("%s: %s", name, text) // a reading has no outcome, and the network package's words say nothing
			}
			if n := strings.Count(log.String(), "no answer yet"); n != 1 {
				t.Errorf("%s: said %d times", name, n)
			}
			hole = false
			time.Sleep(time.Hour)
			if _, err := list(t.Context(), d); err != nil || strings.Count(log.String(), "answered again") != 1 {
				t.Errorf("%s: when it answers: %v\n%s", name, err, &log)
			}
		})
	}
}

// One request that is lost costs a listing some time, and no more.
func TestOneLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := 0
		f := &fake{api: func(*http.Request, string) reply {
			if lost++; lost == 1 {
				return reply{delay: time.Hour}
			}
			return jsonReply(200, shown(`[]`, 0, 0))
		}}
		d, _ := open(t, f, nil)
		if _, err := list(t.Context(), d); err != nil {
			t.Error(err)
		}
	})
}
