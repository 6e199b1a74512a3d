package main

import (
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// The notes name what makes the daemon do something else than the plan says, and nothing that does not.
func TestNotesBesideADaemon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	store, err := state.OpenReadOnly(filepath.Join(dir, "none.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := config.New(func(string) (string, bool) { return "", false })
	c.Dir = link
	same := func() *besideDaemon {
		return &besideDaemon{store: store, StateCopy: rpc.StateCopy{
			File:   rpc.StateFile{Settings: c.Effects()},
			Status: control.Status{Version: version(), Dir: dir, Holds: []plan.Hold{{ID: "p-1"}}, Status: usersync.Status{}},
		}}
	}
	for want, change := range map[string]func(d *besideDaemon){
		"": func(*besideDaemon) {},
		"the daemon is of version 0, and this is " + version() + ": restart it to have the same":             func(d *besideDaemon) { d.Status.Version = "0" },
		"the daemon applies the specs in /srv/users, not these":                                              func(d *besideDaemon) { d.Status.Dir = "/srv/users" },
		"the daemon has other settings; plan with the same flags for: create is false there, and true here":  func(d *besideDaemon) { d.File.Settings["create"] = "false" },
		"the daemon has other settings; plan with --config '/a b' for: protect is a@x there, and empty here": func(d *besideDaemon) { d.File.Settings["protect"], d.File.Config = "a@x", "/a b" },
		"the daemon holds 2 users under p-2 (max-removals), and this plan does not: usersyncd status": func(d *besideDaemon) {
			d.Status.Holds[0] = plan.Hold{ID: "p-2", Guard: "max-removals", Users: []string{"a", "b"}}
		},
		"the state of the daemon is not used: " + os.ErrPermission.Error(): func(d *besideDaemon) { *d = besideDaemon{denied: os.ErrPermission} },
	} {
		d := same()
		change(d)
		if got := strings.Join(d.notes(c, []plan.Hold{{ID: "p-1"}}), "\n"); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	if notes := (&besideDaemon{}).notes(c, nil); len(notes) != 0 {
		t.Error(notes)
	}
}

// Who may not use the socket of a service gets a plan of their own state file, which says what it lacks; unless they have
// asked for that socket.
func TestPlanWithoutTheRightToAsk(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // only root can have a socket that is somebody else's
	}
	run, _ := unprivileged(t)
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "usersyncd.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(l.Addr().String(), 0o660)); err != nil { // #nosec G302 -- the directory is to be entered
		t.Fatal(err)
	}
	api := httptest.NewServer(sim.New(sim.Options{Users: 1, Seed: 5}))
	defer api.Close()
	env := "export USERSYNCD_API_URL=" + api.URL + " GENESYSCLOUD_OAUTHCLIENT_ID=demo GENESYSCLOUD_OAUTHCLIENT_SECRET=demo RUNTIME_DIRECTORY=" + dir + "; mkdir -p users; echo 'email: new@example.com\nname: New' >users/a.yaml; "
	out, code := run(env + "usersyncd plan users")
	if code != 0 || !strings.Contains(out, "Note: the state of the daemon is not used: ") || !strings.Contains(out, "only the socket's owner and group may use it; try with sudo") || !strings.Contains(out, "1 to create") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := run(env + "usersyncd plan --socket " + dir + "/usersyncd.sock users"); code != exitFatal || !strings.Contains(out, "try with sudo") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
