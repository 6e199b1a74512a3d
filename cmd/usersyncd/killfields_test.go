package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"usersyncd/sync/genesys/sim"
)

// everyField declares every field; %[1]d tells users apart.
const everyField = `title: Moved %[1]d
department: Moved
preferredName: P%[1]d
acdAutoAnswer: true
certifications: [PCI]
profileSkills: [Chess]
employer: {employeeId: "E%[1]d"}
phones: [{type: work, number: "+346000000%02[1]d", media: phone}]
locations: [{name: Madrid HQ, notes: 3rd}]
division: EMEA
skills: {Billing: 4, Refunds: 2.5}
languages: {Spanish: 5}
roles: [Employee, {role: Supervisor, divisions: [EMEA]}]
queues: [Billing ES]
groups: [Madrid]
utilization: {message: {capacity: 9, interruptedBy: [call]}}
voicemail: {alertTimeoutSeconds: 44}
externalIds: {workday: "W-%[1]d"}
`

// Killed at random moments of a pass with every field in use, and started again each time, it ends as declared, and no
// user was written or made more often than without kills. KILLS says how often, if it is set.
func TestKilledWithEveryField(t *testing.T) {
	t.Parallel()
	kills := 10
	if text := os.Getenv("KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	program := buildProgram(t)
	undisturbed, _ := killedWithEveryField(t, program, 0)
	killed, n := killedWithEveryField(t, program, kills)
	t.Logf("%d killed", n)
	if n < kills/2 {
		t.Errorf("only %d of %d runs were killed on their way; the test says little", n, kills)
	}
	for i, u := range killed.Users() {
		want := undisturbed.Users()[i]
		if u.Writes != want.Writes {
			t.Errorf("%s was written %d times, and without kills %d", u.Email, u.Writes, want.Writes)
		}
	}
	for _, call := range []string{"POST /api/v2/users", "PATCH /api/v2/users/{id}"} {
		if got, want := killed.Ledger().Count(call, 200), undisturbed.Ledger().Count(call, 200); got != want {
			t.Errorf("%s was done %d times, and without kills %d", call, got, want)
		}
	}
}

// killedWithEveryField makes passes that are killed, and one that is not, and returns the organization and how many were
// killed on their way.
func killedWithEveryField(t *testing.T, program string, kills int) (server *sim.Server, killed int) {
	t.Helper()
	server = sim.New(sim.Options{Users: 20, Full: true, Seed: 5, Latency: 3 * time.Millisecond, GrantLag: -1, QueueDelay: -1, Quota: sim.Quota{Limit: 100_000}})
	loopback := httptest.NewServer(server)
	t.Cleanup(loopback.Close)
	dir := t.TempDir()
	specs, file := filepath.Join(dir, "users"), filepath.Join(dir, "state.db")
	for i, u := range server.Users() {
		write(t, filepath.Join(specs, u.Email+".yaml"), "email: "+u.Email+"\n"+fmt.Sprintf(everyField, i))
	}
	for i := range 3 {
		write(t, filepath.Join(specs, fmt.Sprintf("new%d.yaml", i)), fmt.Sprintf("email: new%d@example.com\nname: New\n", i)+fmt.Sprintf(everyField, 90+i))
	}
	run := func(ctx context.Context, args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, program, append(args, "--allow-roles", "*", "--min-admins", "0", "--search-lag", "500ms", "--log-level", "warn", specs)...)
		cmd.Env = append(os.Environ(), "USERSYNCD_API_URL="+loopback.URL, "USERSYNCD_STATE="+file,
			"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
		return cmd.CombinedOutput()
	}
	random := rand.New(rand.NewPCG(150, 1))
	for range kills {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond+time.Duration(random.Int64N(int64(800*time.Millisecond))))
		if _, err := run(ctx, "--once"); err != nil && ctx.Err() != nil {
			killed++
		}
		cancel()
		if _, err := os.Stat(file); err == nil {
			minuteLater(t, file) // it would wait until the API shows what was interrupted
		}
	}
	for _, args := range [][]string{{"--once"}, {"plan", "--detailed-exitcode"}} {
		if out, err := run(t.Context(), args...); err != nil {
			t.Fatalf("after %d kills, %v: %v\n%s", killed, args, err, out)
		}
	}
	return server, killed
}
