package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/limiterstore"
	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/aimd"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/watch"

	"github.com/spf13/cobra"
)

// examined runs doctor on a directory of one user, with an API at url, and returns its findings by name, and its report.
func examined(t *testing.T, url string, flags ...string) (map[string]Finding, Report) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ana.yaml"), []byte("email: ana.perez@example.com\nname: Ana\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return examine(t, dir, map[string]string{
		"GENESYSCLOUD_OAUTHCLIENT_ID": "demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET": "demo", "USERSYNCD_API_URL": url,
		"USERSYNCD_STATE": filepath.Join(t.TempDir(), "usersyncd.db"), "USERSYNCD_RETRY_MAX": "0", "HTTPS_PROXY": "http://proxy.example",
	}, flags...)
}

// examine runs doctor on a directory.
func examine(t *testing.T, dir string, env map[string]string, flags ...string) (map[string]Finding, Report) {
	t.Helper()
	c := config.New(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	cmd := &cobra.Command{}
	c.Declare(cmd, config.Full)
	if err := errors.Join(cmd.ParseFlags(flags), c.Load(cmd)); err != nil {
		t.Fatal(err)
	}
	c.Dir = dir
	r := Examine(t.Context(), c, "test", slog.New(slog.DiscardHandler))
	found := map[string]Finding{}
	for _, f := range r.Checks {
		found[f.Name] = f
	}
	return found, r
}

// served is an organization whose answers a test may change; nil answers as it does.
func served(t *testing.T, o sim.Options, change func(w http.ResponseWriter, r *http.Request) (done bool)) string {
	t.Helper()
	s := sim.New(o)
	loopback := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if change == nil || !change(w, r) {
			s.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(loopback.Close)
	return loopback.URL
}

// Nothing that an organization or a spec holds reaches the terminal as it is.
func TestHostileText(t *testing.T) {
	const evil = `\u001b[2J\u202e\u0007\nproblem  login`
	url := served(t, sim.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("inin-ratelimit-allowed", "\u009b2J") // what a header may hold
		switch {
		case strings.HasSuffix(r.URL.Path, "/organizations/me"):
			fmt.Fprint(w, `{"id":"`+evil+`","name":"`+evil+`"}`)
		case strings.HasSuffix(r.URL.Path, "/tokens/me"):
			fmt.Fprint(w, `{"OAuthClient":{"name":"`+evil+`","roleDivisions":[{"roleId":"r","divisionId":"*"}]}}`)
		case strings.HasSuffix(r.URL.Path, "/roles/r"):
			fmt.Fprint(w, `{"name":"`+evil+`"}`)
		default:
			return false
		}
		return true
	})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("email: a@example.com\nname: A\n\"\\e[2J\\u202e\": x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, r := examine(t, dir, map[string]string{"GENESYSCLOUD_OAUTHCLIENT_ID": "demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET": "demo"},
		"--state="+filepath.Join(t.TempDir(), "\x1b[2J.db"), "--api-url="+url)
	out := r.String()
	if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 || r.Problems == 0 {
		t.Errorf("%q", out[max(i, 0):])
	}
	if strings.Count(out, "\nproblem ") != 2 { // the spec, and the permissions
		t.Error(out)
	}
}

func TestCompareWatches(t *testing.T) {
	for _, c := range []struct {
		need, watches, instances int
		want                     Verdict
		fix                      string
	}{
		{10, 8192, 128, OK, ""},
		{5000, 8192, 128, Warning, "fs.inotify.max_user_watches=524288"},
		{9000, 8192, 128, Warning, "fs.inotify.max_user_watches=524288"},
		{400_000, 8192, 128, Warning, "fs.inotify.max_user_watches=800000"},
		{10, 8192, 0, Warning, "fs.inotify.max_user_instances=128"},
		{10, -1, 128, Unchecked, ""},
	} {
		if got := compareWatches(c.need, c.watches, c.instances)[0]; got.Verdict != c.want || !strings.Contains(got.Fix, c.fix) || (got.Fix == "") != (c.fix == "") {
			t.Errorf("%v: %+v", c, got)
		}
	}
}

// As many directories are counted as are watched.
func TestWatchesFor(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"a/b", "a/.hidden/c", "d", ".git/refs/heads"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, ".git", "HEAD"), []byte("ref: refs/heads/main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := watchesFor(root)
	if err != nil {
		t.Fatal(err)
	}
	w := watch.New(root, watch.Options{})
	ctx, stop := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- w.Run(ctx) }()
	<-w.Changes() // the watches are set
	inside := w.State().Dirs
	stop()
	if err := <-gone; err != nil {
		t.Fatal(err)
	}
	if above := strings.Count(root, "/"); inside != 4 || got != inside+above+1 {
		t.Errorf("%d counted, %d inside, %d above, and .git", got, inside, above)
	}
}

// A state file with something to tell: quarantine, creations without an outcome.
func TestReadsTheState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	store, err := state.Open(path, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = store.Commit(state.Commit{
		Refresh:       &state.Refresh{At: time.Now().Add(-3 * time.Hour), Listed: 1},
		Users:         []*state.User{{Observed: state.Observed{ID: "u1", Fields: spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: `"a@example.com"`})}}},
		CreateIntents: []state.Intent{{Key: "b@example.com", Started: time.Now()}},
		Failures:      []state.Failure{{Key: "c@example.com", Next: time.Now().Add(time.Hour), Message: "no"}},
	})
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	found, r := examined(t, served(t, sim.Options{}, nil), "--state="+path)
	for name, want := range map[string]string{
		"state file": "1 user, 0 managed; the organization was read 3 hours ago", "quarantine": `the API refused 1 user, such as "c@example.com"`,
		"creations": "1 creation with an unknown outcome",
	} {
		if !strings.Contains(found[name].Found, want) {
			t.Errorf("%s: %+v", name, found[name])
		}
	}
	if r.Problems != 0 || found["quarantine"].Verdict != Warning {
		t.Errorf("%+v", r)
	}
}

// A pause that the API has asked for holds for doctor, too: it says so instead of asking.
func TestPause(t *testing.T) {
	for _, pause := range []string{"120", "3600"} {
		path := filepath.Join(t.TempDir(), "usersyncd.db")
		asked := false
		url := served(t, sim.Options{}, func(_ http.ResponseWriter, r *http.Request) bool {
			asked = asked || r.URL.Path != "/oauth/token"
			return false
		})
		store, err := state.Open(path, state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		limiter := aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{}))
		ticket, _, err := limiter.Acquire(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		limiter.Release(ticket, 429, map[string][]string{"Retry-After": {pause}})
		limiterstore.New(store, "demo", url, false, slog.New(slog.DiscardHandler)).Flush(limiter)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		found, r := examined(t, url, "--state="+path)
		if f := found["organization"]; f.Verdict != Warning || !strings.Contains(f.Fix, "minute") && !strings.Contains(f.Fix, "seconds") || r.Problems != 0 || asked {
			t.Errorf("asked: %v, %+v", asked, r)
		}
	}
}

// Every verdict has its place in the order of the report, and the worst is last.
func TestWorstLast(t *testing.T) {
	var r Report
	for _, f := range slices.Concat(problem("f", "1").named("a"), ok("2").named("b"), warning("f", "3").named("c"), unchecked("4").named("d")) {
		r.add(f)
	}
	var order []string
	for line := range strings.Lines(r.String()) {
		order = append(order, strings.Fields(line + " -")[0])
	}
	if want := []string{"ok", "unchecked", "warning", "fix:", "problem", "fix:", "-", "1"}; !slices.Equal(order, want) {
		t.Errorf("%q", order)
	}
}
