package browsertest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"usersyncd/sync/genesys/sim"
)

// A daemon is a process of the program over a simulated organization, with its page.
type daemon struct {
	*testing.T
	program, specs, address string
	env                     []string
}

// write declares a user.
func (d *daemon) write(name, format string, args ...any) {
	d.Helper()
	if err := os.WriteFile(filepath.Join(d.specs, name+".yaml"), fmt.Appendf(nil, format, args...), 0o600); err != nil {
		d.Fatal(err)
	}
}

// start starts the process; stop ends it as a service manager does.
func (d *daemon) start() (stop func()) {
	d.Helper()
	cmd := exec.Command(d.program, "--listen", d.address, "--log-format", "text", d.specs)
	var said bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stderr = d.env, d.TempDir(), &said
	if err := cmd.Start(); err != nil {
		d.Fatal(err)
	}
	ended := false
	stop = func() {
		d.Helper()
		if ended {
			return
		}
		ended = true
		if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
			d.Errorf("the daemon: %v", err)
		}
		if d.Failed() {
			d.Logf("the daemon's log:\n%s", said.String())
		}
	}
	d.Cleanup(stop)
	return stop
}

// The page of a real daemon: from the first pass over an edit, a removal that is held and a restart.
func TestTheDaemonsPage(t *testing.T) {
	t.Parallel()
	const users = 60
	org := sim.New(sim.Options{Users: users, Seed: 3, IndexLag: -1})
	api := httptest.NewServer(org)
	t.Cleanup(api.Close)
	d := &daemon{T: t, program: filepath.Join(t.TempDir(), "usersyncd"), specs: t.TempDir(), address: free(t)}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", d.program, "./cmd/usersyncd")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d.env = append(os.Environ(), "HOME="+t.TempDir(), "USERSYNCD_API_URL="+api.URL, "USERSYNCD_STATE="+filepath.Join(t.TempDir(), "state.db"),
		"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
	for i, u := range org.Users() {
		d.write(fmt.Sprintf("u%02d", i), "email: %s\nname: %q\ntitle: '<img src=x onerror=alert(%d)>'\n", u.Email, u.Name, i)
	}
	stop := d.start()
	reached(t, d.address)
	b := open(t, originOf(d.address))

	b.until("everybody is as declared", `document.querySelector("#headline").textContent === "All 60 users are in sync"`)
	b.until("the history is there, as text", `document.querySelectorAll("#history > li").length === 50 && document.querySelector("#history").textContent.includes("<img src=x onerror=alert(")`)
	b.until("what was sent is on the chart", `chart.data[1].some((n) => n > 0)`)
	b.until("the head is applied", `document.querySelector("#facts").textContent.includes(", up to date")`)

	// An edit: the page follows by itself.
	first := org.Users()[0]
	d.write("u00", "email: %s\nname: %q\ntitle: Second wave\n", first.Email, first.Name)
	b.until("the edit is in the history", `document.querySelector("#history > li").textContent.includes("Second wave")`)

	// A third of the files is gone: held, and the page says what releases it.
	for i := range 20 {
		if err := os.Remove(filepath.Join(d.specs, fmt.Sprintf("u%02d.yaml", i+10))); err != nil {
			t.Fatal(err)
		}
	}
	b.until("the removals are held", `document.querySelector("#headline").textContent.startsWith("20 users are held") && document.querySelector("#holds").textContent.includes("usersyncd release p-")`)
	b.fits()

	// A restart: the page says so, and comes back with what the daemon remembers.
	b.mu.Lock()
	b.away = true
	b.mu.Unlock()
	stop()
	b.until("the connection is lost", `document.querySelector("#link").dataset.state === "lost"`)
	d.start()
	b.until("the page is back", `document.querySelector("#link").dataset.state === "live" && document.querySelector("#headline").textContent.startsWith("20 users are held")`)
	b.until("so is the history", `document.querySelector("#history").textContent.includes("Second wave")`)
}
