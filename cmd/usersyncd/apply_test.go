package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

// Nobody can be asked again with --yes: if the plan has changed between the two readings, nothing is applied. The next run
// does it.
func TestApplyYesDoesWhatItHasShown(t *testing.T) {
	dir := t.TempDir()
	specs := filepath.Join(dir, "users")
	synctest.Test(t, func(t *testing.T) {
		server := sim.New(sim.Options{Users: 5, Latency: 10 * time.Millisecond})
		people := server.Users()
		for _, u := range people {
			write(t, filepath.Join(specs, u.Email+".yaml"), "email: "+u.Email+"\ntitle: After\ndepartment: "+u.Department+"\n")
		}
		readings := 0
		tap := server.Tap()
		tap.Hook = func(line string, answered bool) error {
			if name, _, _ := strings.Cut(line, "?"); name == "GET /api/v2/users" && !answered && strings.Contains(line, "pageNumber=1") {
				if readings++; readings == 3 { // of the second pass; a reading is of active and of inactive users
					server.Edit(people[3].Email, func(u *sim.User) { u.Department = "Elsewhere" })
				}
			}
			return nil
		}
		apply := func() (stdout, stderr string, code int) {
			var out, errs bytes.Buffer
			p := process{stdout: &out, stderr: &errs, transport: tap, lookupEnv: func(name string) (string, bool) {
				v, ok := map[string]string{
					"USERSYNCD_API_URL": "http://127.0.0.1", "GENESYSCLOUD_OAUTHCLIENT_ID": "demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET": "demo",
					"USERSYNCD_STATE": filepath.Join(dir, "state.db"),
				}[name]
				return v, ok
			}}
			code = execute(t.Context(), []string{"apply", "--yes", specs}, p)
			return out.String(), errs.String(), code
		}
		stdout, stderr, code := apply()
		if code != exitHeld || !strings.Contains(stderr, " now, not p-") || !strings.HasSuffix(stderr, ": nothing was applied\n") || server.Ledger().Count("PATCH /api/v2/users/{id}") > 0 {
			t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
		}
		if stdout, stderr, code = apply(); code != exitDone || server.Ledger().Count("PATCH /api/v2/users/{id}") != 5 {
			t.Errorf("the second time: exit code %d\n%s\n%s", code, stdout, stderr)
		}
	})
}
