package genesys_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
)

// However long a single pause may be, a login service that does not answer ends the pass, and is not said
// to throttle.
func TestLoginServiceIsDown(t *testing.T) {
	for _, longest := range []time.Duration{30 * time.Second, 10 * time.Minute} {
		t.Run(longest.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{t: t, token: func(int) reply { return jsonReply(500, `{}`) }}
				d, _ := open(t, f, func(o *api.Options) {
					o.Limiter = aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{}))
					o.Retry = &api.Retry{Max: 5, MinWait: time.Second, MaxWait: longest}
				})
				began := time.Now()
				_, err := d.Get(t.Context(), "u1")
				if !errors.Is(err, apply.ErrUnreachable) || errors.Is(err, apply.ErrThrottled) {
					t.Error(err)
				}
				if took := time.Since(began); took > 10*time.Minute {
					t.Errorf("given up after %v", took)
				}
			})
		})
	}
}

// A login service that fails a few times is asked again, after the pauses that the API is read again after.
func TestLoginServiceFailsTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, api: func(*http.Request, string) reply { return jsonReply(200, `{"id":"u1","version":1}`) }}
		f.token = func(n int) reply {
			if n <= 2 {
				return jsonReply(500, `{}`)
			}
			return jsonReply(200, `{"access_token":"t","token_type":"bearer","expires_in":86400}`)
		}
		d, _ := open(t, f, func(o *api.Options) { o.Limiter = aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{})) })
		began := time.Now()
		if _, err := d.Get(t.Context(), "u1"); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 4*time.Second { // 1 s and 2 s, and a little jitter
			t.Errorf("after %v", took)
		}
	})
}

// A service that is down for long is not warned of with every try: at first, when the pauses have become ten times as long, and
// when it fails in another way.
func TestFewWarningsOfALoginServiceThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &fake{api: userReply, token: func(n int) reply {
			switch n {
			case 9:
				return jsonReply(502, `{}`)
			case 10:
				return token(3600)(n)
			}
			return reply{err: errors.New("connection refused")}
		}}
		d, _ := open(t, f, func(o *api.Options) {
			o.Limiter = aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{}))
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			o.Retry = &api.Retry{Max: 20, MinWait: time.Second, MaxWait: 30 * time.Second}
		})
		get(t, d)
		if n := strings.Count(log.String(), "level=WARN"); f.minted != 10 || n < 3 || n > 4 {
			t.Errorf("%d warnings of %d tries:\n%s", n, f.minted, log.String())
		}
		for _, want := range []string{"pause=1s", "502"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%q is missing in\n%s", want, log.String())
			}
		}
	})
}

// A service that quotes what it was sent gives nothing away.
func TestLoginServiceQuotesTheSecret(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("id:" + secret))
	for _, quoted := range []string{secret, "Basic " + basic, strings.Repeat("x", 295) + secret} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{t: t, token: func(int) reply {
				return jsonReply(400, fmt.Sprintf(`{"error":"invalid_client","description":%q}`, "no: "+quoted))
			}}
			d, _ := open(t, f, func(o *api.Options) { o.ClientID = "id" })
			_, err := d.Get(t.Context(), "u1")
			if err == nil {
				t.Fatal("no error")
			}
			if text := err.Error(); strings.Contains(text, basic) || strings.Contains(text, secret) || strings.Contains(text, secret[:4]) {
				t.Errorf("%q", text)
			}
		})
	}
}
