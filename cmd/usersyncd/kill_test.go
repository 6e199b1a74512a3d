package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usersyncd/sync/genesys/sim"
)

// buildProgram compiles the program, for tests that kill it.
func buildProgram(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "usersyncd")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// Killed at 50 random moments of a pass over a troubled API, and started again each time, it ends as
// declared: nobody is changed twice, nobody is made twice, nothing else is touched.
func TestKilled(t *testing.T) {
	t.Parallel()
	const kills = 50
	program := buildProgram(t)
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
		cmd := exec.CommandContext(ctx, program, "--once", "--retry-min-wait", "50ms", "--search-lag", "500ms", "--log-level", "warn", specs)
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

func declare(t testing.TB, path string, u sim.User) {
	t.Helper()
	text, err := specOf(u)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text))
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
