package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usersyncd/state"
	"usersyncd/sync/genesys/sim"
)

// buildProgram compiles the program, for benchmarks: the tests run themselves as usersyncd, which spares a build.
func buildProgram(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "usersyncd")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// Killed at random moments of a pass over a troubled API, and started again each time, it ends as
// declared: nobody is changed twice, nobody is made twice, nothing else is touched.
func TestKilled(t *testing.T) {
	t.Parallel()
	kills := 15
	if long() {
		kills = 50
	}
	server := sim.New(sim.Options{
		Users: 500, Seed: 3, Latency: 3 * time.Millisecond, IndexLag: 200 * time.Millisecond,
		Quota: sim.Quota{Limit: 100_000},
	})
	for _, text := range []string{"PATCH 10% lost", "POST /api/v2/users 10% lost", "PATCH 2.5% conflict409", "PATCH 2.5% conflict400", "PATCH 5% 503"} {
		f, err := sim.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		server.AddFault(f)
	}
	loopback := httptest.NewServer(server)
	defer loopback.Close()

	dir := t.TempDir()
	specs := filepath.Join(dir, "users")
	before := server.Users()
	for i, u := range before {
		moved := u
		moved.Department = "Moved"
		declare(t, filepath.Join(specs, u.Email+".yaml"), moved)
		if i%25 == 0 {
			write(t, filepath.Join(specs, fmt.Sprintf("new%d.yaml", i)), fmt.Sprintf("email: new%d@example.com\nname: New\npreferredName: N\n", i))
		}
	}
	command := func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "usersyncd", "--once", "--retry-min-wait", "50ms", "--search-lag", "500ms", "--log-level", "warn", specs)
		cmd.Env = append(os.Environ(), "USERSYNCD_API_URL="+loopback.URL, "USERSYNCD_STATE="+filepath.Join(dir, "state.db"),
			"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
		return cmd
	}

	random := rand.New(rand.NewPCG(50, 1))
	killed, ended := 0, 0
	for range kills {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond+time.Duration(random.Int64N(int64(350*time.Millisecond))))
		if err := command(ctx).Run(); err == nil {
			ended++
		} else if ctx.Err() != nil {
			killed++ // CommandContext kills with SIGKILL
		}
		cancel()
	}
	server.ClearFaults()
	if out, err := command(t.Context()).CombinedOutput(); err != nil {
		t.Fatalf("the last run: %v\n%s", err, out)
	}
	t.Logf("%d killed, %d ended before", killed, ended)
	if killed < kills/2 {
		t.Errorf("only %d of %d runs were killed on their way; the test says little", killed, kills)
	}

	ledger := server.Ledger()
	for i, u := range server.Users() {
		if i >= len(before) {
			if made := ledger.Creates[strings.ToLower(u.Email)]; u.PreferredName != "N" || made > killed+1 {
				t.Errorf("new user %s: %+v, asked for %d times", u.Email, u, made)
			}
			continue
		}
		if u.Department != "Moved" || u.Writes != 1 {
			t.Errorf("%s is in %q and was written %d times", u.Email, u.Department, u.Writes)
		}
		if u.Title != before[i].Title || u.Manager != before[i].Manager || fmt.Sprint(u.Contacts) != fmt.Sprint(before[i].Contacts) {
			t.Errorf("%s: something that is not managed changed: %+v", u.Email, u)
		}
	}
	if made := ledger.Count("POST /api/v2/users", 200); made != 20 {
		t.Errorf("%d users were made, not 20", made)
	}
}

// Killed when a role was granted, or taken away, and before that could be recorded; then the commit is taken back: the
// next run ends well, and the user has the roles of before.
func TestKilledAndTakenBack(t *testing.T) {
	t.Parallel()
	for name, roles := range map[string][2]string{"granted": {"[]", "[Supervisor]"}, "taken away": {"[Supervisor]", "[]"}} {
		t.Run(name, func(t *testing.T) {
			server := sim.New(sim.Options{Users: 3, GrantLag: -1, Quota: sim.Quota{Limit: 100_000}})
			u := server.Users()[0]
			var process atomic.Pointer[os.Process] // to be killed
			loopback := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				server.ServeHTTP(answer, r)
				if p := process.Load(); p != nil && strings.HasSuffix(r.URL.Path, "/bulkreplace") {
					if err := p.Kill(); err != nil {
						t.Error(err)
					}
					return
				}
				maps.Copy(w.Header(), answer.Header())
				w.WriteHeader(answer.Code)
				_, _ = w.Write(answer.Body.Bytes())
			}))
			defer loopback.Close()
			dir := t.TempDir()
			specs, file := filepath.Join(dir, "users"), filepath.Join(dir, "state.db")
			command := func(args ...string) *exec.Cmd {
				cmd := exec.CommandContext(t.Context(), "usersyncd", append(args, "--allow-roles", "*", "--log-level", "warn", specs)...)
				cmd.Env = append(os.Environ(), "USERSYNCD_API_URL="+loopback.URL, "USERSYNCD_STATE="+file,
					"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
				return cmd
			}
			run := func(args ...string) {
				t.Helper()
				if out, err := command(args...).CombinedOutput(); err != nil {
					t.Fatalf("%v: %v\n%s", args, err, out)
				}
			}
			declare := func(title, roles string) {
				write(t, filepath.Join(specs, "u.yaml"), fmt.Sprintf("email: %s\ntitle: %s\nroles: %s\n", u.Email, title, roles))
			}
			had := func() int {
				u, _ := server.User(u.Email)
				return len(u.Grants)
			}
			declare("One", roles[0])
			run("--once")
			before := had()
			minuteLater(t, file)

			declare("Two", roles[1])
			cmd := command("--once")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			process.Store(cmd.Process)
			if err := cmd.Wait(); err == nil || had() == before {
				t.Fatalf("it was not killed, or the call was not carried out: %v", err)
			}
			process.Store(nil)
			if minuteLater(t, file) == 0 {
				t.Error("nothing tells of the call")
			}
			declare("One", roles[0])
			run("--once")
			run("plan", "--detailed-exitcode")
			if u, _ := server.User(u.Email); len(u.Grants) != before || u.Title != "One" {
				t.Errorf("%d roles, not %d, and the title %s", len(u.Grants), before, u.Title)
			}
		})
	}
}

// minuteLater makes the state file one of a minute ago, and counts the calls of which it has no outcome.
func minuteLater(t *testing.T, file string) int {
	t.Helper()
	store, err := state.Open(file, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	snap, err := store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var commit state.Commit
	for _, u := range snap.Users {
		u.Times = state.Times{Read: u.Times.Read}
		if u.CreatedAt > 0 {
			u.CreatedAt -= 60
		}
		commit.Users = append(commit.Users, u)
	}
	for _, fields := range snap.WriteIntents {
		for _, w := range fields {
			w.At = w.At.Add(-time.Minute)
			commit.WriteIntents = append(commit.WriteIntents, w)
		}
	}
	if err := store.Commit(commit); err != nil {
		t.Fatal(err)
	}
	return len(commit.WriteIntents)
}

// specPath is the file that writeSpecs makes for a user.
func specPath(dir string, u sim.User) string {
	name, _, _ := strings.Cut(u.Email, "@")
	return filepath.Join(dir, strings.ReplaceAll(strings.ToLower(u.Department), " ", "-"), name+".yaml")
}

func declare(t testing.TB, path string, u sim.User) {
	t.Helper()
	write(t, path, specText(u))
}

// specText is the spec of a user. JSON is YAML.
func specText(u sim.User) string {
	text := ""
	for f, v := range specOf(u).Fields.All() {
		text += fmt.Sprintf("%s: %s\n", f, v)
	}
	return text
}

// write puts a file in place at once, as git and editors do: nobody reads half of it.
func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
