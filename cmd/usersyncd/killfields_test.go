package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"usersyncd/sync/genesys/sim"
)

// killsEach is how often a pass is killed before it is let go to its end.
const killsEach = 5

// everyField declares every field of a user, in one of two ways.
var everyField = [2]string{`
department: Here
acdAutoAnswer: true
certifications: [PCI]
profileSkills: [Chess]
locations: [{name: Madrid HQ, notes: 3rd}]
division: EMEA
skills: {Billing: 4, Refunds: 2.5}
languages: {Spanish: 5}
roles: [Employee, {role: Supervisor, divisions: [EMEA]}]
queues: [Billing ES]
groups: [Madrid]
utilization: {message: {capacity: 9, interruptedBy: [call]}, labels: {VIP: {capacity: 2}}}
voicemail: {alertTimeoutSeconds: 44}
`, `
department: There
acdAutoAnswer: false
certifications: []
profileSkills: [SQL]
locations: []
division: Home
skills: {Billing: 1, Sales: 3}
languages: {English: 3}
roles: [Agent]
queues: [Sales EN]
groups: [Dublin]
utilization: {labels: {}}
voicemail: {alertTimeoutSeconds: 31}
`}

// Killed at random moments of passes with every field in use, and started again each time, they end as declared, and no
// user was written or made more often than without kills. KILLS says how often, if it is set.
func TestKilledWithEveryField(t *testing.T) {
	t.Parallel()
	kills := killsEach
	if text := os.Getenv("KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	rounds := max(1, kills/killsEach)
	undisturbed, _ := passesWithEveryField(t, rounds, 0)
	killed, n := passesWithEveryField(t, rounds, killsEach)
	if t.Logf("killed %d times", n); n < rounds*killsEach/2 {
		t.Error("the test says little")
	}
	for i, u := range killed.Users() {
		if want := undisturbed.Users()[i].Writes; u.Writes != want {
			t.Errorf("%s was written %d times, and without kills %d", u.Email, u.Writes, want)
		}
	}
	for _, call := range []string{"POST /api/v2/users", "PATCH /api/v2/users/{id}"} {
		if got, want := killed.Ledger().Count(call, 200), undisturbed.Ledger().Count(call, 200); got != want {
			t.Errorf("%s was done %d times, and without kills %d", call, got, want)
		}
	}
}

// passesWithEveryField makes passes, each of which changes every field of everybody, and is killed some times before it is
// let go to its end. It returns the organization, and counts the kills.
func passesWithEveryField(t *testing.T, rounds, kills int) (server *sim.Server, killed int) {
	t.Helper()
	server = sim.New(sim.Options{Users: 20, Full: true, Seed: 5, GrantLag: -1, QueueDelay: -1, Quota: sim.Quota{Limit: 100_000}})
	var process atomic.Pointer[os.Process] // to be killed
	var left atomic.Int64                  // writes until then,
	var lost atomic.Bool                   // of which the last is not carried out any more
	random := rand.New(rand.NewPCG(150, 1))
	loopback := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kill := r.Method != http.MethodGet && strings.HasPrefix(r.URL.Path, "/api/") && process.Load() != nil && left.Add(-1) == 0
		if !kill || !lost.Load() {
			answer := httptest.NewRecorder()
			server.ServeHTTP(answer, r)
			if !kill {
				maps.Copy(w.Header(), answer.Header())
				w.WriteHeader(answer.Code)
				_, _ = w.Write(answer.Body.Bytes())
			}
		}
		if kill {
			if err := process.Load().Kill(); err != nil {
				t.Error(err)
			}
		}
	}))
	t.Cleanup(loopback.Close)
	dir := t.TempDir()
	specs, file := filepath.Join(dir, "users"), filepath.Join(dir, "state.db")
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "usersyncd", append(args, "--allow-roles", "*", "--min-admins", "0", "--max-losses", "none", "--search-lag", "500ms", "--log-level", "warn", specs)...)
		cmd.Env = append(os.Environ(), "USERSYNCD_API_URL="+loopback.URL, "USERSYNCD_STATE="+file,
			"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
		return cmd
	}
	old := server.Users()
	for round := range rounds {
		for i, u := range old {
			write(t, filepath.Join(specs, u.Email+".yaml"), fmt.Sprintf("email: %s\ntitle: Moved %d\npreferredName: P%d\nemployer: {employeeId: E%d}\nphones: [{type: work, number: \"+3460000%03d\", media: phone}]\nexternalIds: {workday: W-%d-%d}",
				u.Email, round, round, i, 10*round+i, i, round)+everyField[round%2])
		}
		write(t, filepath.Join(specs, fmt.Sprintf("new%d.yaml", round)), fmt.Sprintf("email: new%d@example.com\nname: New\ntitle: Moved %d\nexternalIds: {workday: N-%d}", round, round, round)+everyField[round%2])
		for range kills {
			left.Store(1 + random.Int64N(12))
			lost.Store(random.IntN(2) == 0)
			cmd := command("--once")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			process.Store(cmd.Process)
			if err := cmd.Wait(); err != nil && left.Load() <= 0 {
				killed++
			}
			process.Store(nil)
			minuteLater(t, file) // it would wait until the API shows what was interrupted
		}
		for _, args := range [][]string{{"--once"}, {"plan", "--detailed-exitcode"}} {
			if out, err := command(args...).CombinedOutput(); err != nil {
				t.Fatalf("round %d, after %d kills, %v: %v\n%s", round, killed, args, err, out)
			}
			minuteLater(t, file)
		}
	}
	return server, killed
}
