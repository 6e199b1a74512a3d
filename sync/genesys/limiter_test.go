package genesys_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

var _ api.Limiter = (*aimd.Dispatcher)(nil)

// With the limiter of package aimd: an API that asks for an hour is not waited for, and says so.
func TestParkedByTheAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{api: func(*http.Request, string) reply {
			return reply{status: 429, body: `{}`, header: map[string]string{"Retry-After": "3600"}}
		}}
		d, _ := open(t, f, func(o *api.Options) { o.Limiter = aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{})) })
		_, err := d.Get(t.Context(), "u1")
		if !errors.Is(err, apply.ErrThrottled) || !errors.Is(err, aimd.ErrParked) || !strings.Contains(err.Error(), "T") {
			t.Error(err)
		}
		if n := f.count("GET "); n != 1 {
			t.Errorf("sent %d times", n)
		}
	})
}

// With the limiter of package aimd and the API's own account of a window of 60 requests a minute:
// 100 changes by ten workers cross two windows without a single 429.
func TestWindowIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var opened time.Time
		count := 0
		f := &fake{api: func(r *http.Request, body string) reply {
			mu.Lock()
			defer mu.Unlock()
			if now := time.Now(); count == 0 || now.Sub(opened) >= time.Minute {
				opened, count = now, 0
			}
			count++
			left := int(time.Until(opened.Add(time.Minute))/time.Second) + 1
			if count > 60 {
				return reply{status: 429, body: `{}`, header: map[string]string{"Retry-After": fmt.Sprint(left)}}
			}
			a := jsonReply(200, `{"id":"u1","version":8}`)
			a.delay = 100 * time.Millisecond
			a.header = map[string]string{
				"inin-ratelimit-count": fmt.Sprint(count), "inin-ratelimit-allowed": "60", "inin-ratelimit-reset": fmt.Sprint(left),
			}
			return a
		}}
		limiter := aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{}))
		d, _ := open(t, f, func(o *api.Options) { o.Limiter = limiter })
		changes := make([]*plan.Change, 100)
		for i := range changes {
			changes[i] = retitle()
		}
		calls := make(chan *apply.Call)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				for c := range calls {
					if _, err := d.Do(t.Context(), c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		began := time.Now()
		for _, c := range d.Compile(changes) {
			calls <- c
		}
		close(calls)
		wg.Wait()
		s := d.Stats()
		t.Logf("100 writes at 60 a minute took %v, %d of 429", time.Since(began), s.Throttled)
		if s.Throttled != 0 || s.Writes != 100 {
			t.Errorf("%+v", s)
		}
		if spent := time.Since(began); spent < time.Minute || spent > 2*time.Minute {
			t.Errorf("took %v", spent)
		}
	})
}
