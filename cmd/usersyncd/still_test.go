package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
)

// A checkout in which somebody left a merge open for a day is one line of the log, after five minutes, and
// one when it is over. A pull, and whatever ends in time, is none.
func TestOpenMergeIsOneAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		d := &daemon{app: &app{log: slog.New(slog.NewTextHandler(&log, nil))}}
		said := func(what string, want ...string) {
			t.Helper()
			lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
			if log.Len() == 0 {
				lines = nil
			}
			log.Reset()
			if len(lines) != len(want) {
				t.Fatalf("%s: said %d times, want %d: %q", what, len(lines), len(want), lines)
			}
			for i, w := range want {
				if !strings.Contains(lines[i], w) {
					t.Errorf("%s: %q does not say %q", what, lines[i], w)
				}
			}
		}
		unstill := func(what string, lasts time.Duration) {
			for began, n := time.Now(), 0; time.Since(began) < lasts; n++ {
				d.logResult(nil, fmt.Errorf("scanning /srv/users: %w (%s, try %d)", spec.ErrTreeChanged, what, n))
				time.Sleep(time.Minute)
			}
		}

		unstill("index.lock", 4*time.Minute)
		d.logResult(nil, nil)
		said("a slow pull")
		unstill("index.lock", 4*time.Minute)
		d.logResult(nil, errors.New("the API is down"))
		d.logResult(nil, nil)
		said("and another, that ends in an outage", "the API is down", "the passes work again")

		unstill(".git/MERGE_HEAD", 24*time.Hour)
		said("a merge left open", `level=ERROR msg="the pass ended early" error="scanning /srv/users: the checkout is changing (.git/MERGE_HEAD, try 5)" lasts=5m0s note="what was applied before stays`)
		d.logResult(nil, nil)
		said("its end", "the passes work again")
	})
}
