package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"usersyncd/sync/genesys/sim"
)

// An organization with every field: exported, planned, exported again. Nothing is written
// there, nothing differs, and the second export changes no byte. (BenchmarkWholeOrganization has 50,000.)
func TestExportThenPlan(t *testing.T) {
	t.Parallel()
	const users = 1000 // of more than one page, and enough for a cache of the specs
	server := sim.New(sim.Options{Users: users, Inactive: 100, Deleted: 20, Full: true, Quota: sim.Quota{Limit: 1_000_000}})
	loopback := httptest.NewServer(server)
	defer loopback.Close()
	dir := t.TempDir()
	specs := filepath.Join(dir, "users")
	run := func(want string, args ...string) {
		t.Helper()
		cmd := exec.Command("usersyncd", append(args, "--log-level", "warn", "--max-rate", "100000", "--max-in-flight", "50", specs)...)
		cmd.Env = append(os.Environ(), "USERSYNCD_API_URL="+loopback.URL, "USERSYNCD_STATE="+filepath.Join(dir, "state.db"),
			"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	run(fmt.Sprint(users, " new"), "export")
	before := contents(t, specs)
	if _, err := os.Stat(filepath.Join(dir, "state.db.specs")); err != nil {
		t.Error(err)
	}
	run(fmt.Sprintf("nothing to do, %d unchanged\nTakes no write", users), "plan", "--detailed-exitcode")
	run(fmt.Sprintf("0 changed, %d as they were", users), "export")
	for name, text := range contents(t, specs) {
		if before[name] != text {
			t.Errorf("%s was %q and is %q", name, before[name], text)
		}
	}
	for name := range server.Ledger().Calls {
		if !strings.HasPrefix(name, "GET ") && name != "POST /oauth/token" {
			t.Errorf("%s was sent", name)
		}
	}
}

// contents reads every file below a folder, with the time it was last written.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		all[path] = info.ModTime().String() + "\n" + string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
