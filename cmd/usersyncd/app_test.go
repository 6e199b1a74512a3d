package main

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// readOnlyApp is the program as plan puts it together.
func readOnlyApp(t *testing.T, url string, log *slog.Logger) *app {
	t.Helper()
	c := config.New(func(name string) (string, bool) { return "demo", strings.HasPrefix(name, "GENESYSCLOUD_OAUTH") })
	c.Dir, c.APIURL, c.State = t.TempDir(), url, filepath.Join(t.TempDir(), "usersyncd.db")
	a, err := newApp(c, true, &progress.Screen{W: &strings.Builder{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.close(nil); err != nil {
			t.Error(err)
		}
	})
	a.log = log
	return a
}

// Even a plan gone mad could not write: the client refuses to send it.
func TestPlanCannotWrite(t *testing.T) {
	server := sim.New(sim.Options{Users: 1, Seed: 5})
	loopback := httptest.NewServer(server)
	t.Cleanup(loopback.Close)
	a := readOnlyApp(t, loopback.URL, slog.New(slog.DiscardHandler))
	u, _ := server.User(ana)
	calls := a.genesys.Compile([]*plan.Change{{
		Key: ana, Action: plan.Update, Desired: spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: `"` + ana + `"`, spec.Title: `"Chief"`}),
		Fields:  []plan.FieldChange{{Field: spec.Title, Before: `"Agent"`, After: `"Chief"`}},
		Current: &state.User{Observed: state.Observed{ID: u.ID, Version: u.Version}},
	}})
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	if _, err := a.genesys.Do(t.Context(), calls[0]); !errors.Is(err, api.ErrReadOnly) {
		t.Errorf("%v", err)
	}
	if u, _ := server.User(ana); u.Writes != 0 {
		t.Errorf("it was written %d times", u.Writes)
	}
}
