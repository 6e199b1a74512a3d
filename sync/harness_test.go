package sync_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/memtemp"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/window"
)

// TestMain lets the properties try few cases, for go test ./... to be quick; the command line may say more. The tests
// allocate much and keep little, so the garbage is collected less often.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	if err := flag.Lookup("rapid.checks").Value.Set("25"); err != nil {
		panic(err)
	}
	os.Exit(memtemp.M{M: m}.Run())
}

// long reports whether the tests with a choice are to take their full size: with LONG=1, as in .ci/run.
func long() bool { return os.Getenv("LONG") != "" }

// A world is an organization, a checkout and the program between them. Nothing in it has a socket, so
// that it runs in virtual time.
type world struct {
	testing.TB
	sim     *sim.Server
	dir     string
	state   string
	tap     *sim.Tap    // on the way to the organization, if not nil
	limits  aimd.Config // of the program's own
	limiter *aimd.Dispatcher
	genesys *genesys.Directory
	*usersync.Reconciler
}

func newWorld(t testing.TB, o sim.Options) *world {
	t.Helper()
	return newLimitedWorld(t, o, aimd.Config{Rand: rand.New(rand.NewPCG(1, 2))})
}

func newLimitedWorld(t testing.TB, o sim.Options, limits aimd.Config) *world {
	t.Helper()
	w := &world{TB: t, sim: sim.New(o), dir: t.TempDir(), state: filepath.Join(t.TempDir(), "state.db"), limits: limits}
	w.open()
	t.Cleanup(w.close)
	return w
}

// open puts the program together, as a start of the process does.
func (w *world) open() {
	w.Helper()
	w.limiter = aimd.NewDispatcher(aimd.NewPool(1, w.limits))
	transport := w.sim.Transport()
	if w.tap != nil {
		transport = w.tap
	}
	var err error
	w.genesys, err = genesys.New(api.Options{
		API: "https://api.example.com", ClientID: "demo", ClientSecret: "demo", Transport: transport,
		Limiter: w.limiter, Rand: rand.New(rand.NewPCG(3, 4)),
	})
	if err != nil {
		w.Fatal(err)
	}
	store, err := state.Open(w.state, state.Options{})
	if err != nil {
		w.Fatal(err)
	}
	w.Reconciler = &usersync.Reconciler{
		Specs: spec.NewLoader(w.dir), Store: store, Directory: w.genesys, API: w.genesys.API(),
		Policy: plan.Policy{Create: true, Adopt: true, IgnoreQuarantine: true, Guard: anything(),
			DetailInterval: 24 * time.Hour},
		Retry:     apply.Retry{Max: 5, MinWait: time.Second, MaxWait: 30 * time.Second},
		SearchLag: time.Minute, Workers: 10, Refresh: 15 * time.Minute, Log: slog.New(slog.DiscardHandler), Rand: rand.New(rand.NewPCG(5, 6)),
	}
}

// A moment is when a process is killed.
type moment int

const (
	unsent     moment = iota // the call was about to be sent
	unrecorded               // it was carried out, and answered
	unanswered               // it was carried out, and the answer was lost: nobody has looked yet
)

// kill makes a pass that ends as if the process were killed at a moment of the n-th call that writes and matches,
// starts the program again, and reports whether there was such a call. What the state file had by then is all that is
// left.
func (w *world) kill(at moment, n int, matches func(line string) bool) bool {
	w.Helper()
	w.close()
	policy, killed := w.Policy, atomic.Bool{}
	w.tap = w.sim.Tap()
	var met atomic.Int64
	w.tap.Hook = func(line string, answered bool) error {
		if killed.Load() {
			return errors.New("killed")
		}
		if strings.HasPrefix(line, "GET ") || strings.Contains(line, "/oauth/token") || strings.Contains(line, "/search") || answered != (at != unsent) || !matches(line) {
			return nil
		}
		if met.Add(1) != int64(n) {
			return nil
		}
		if err := os.Rename(w.state, w.state+".killed"); err != nil { // nothing is recorded from now on
			w.Error(err)
		}
		killed.Store(true)
		if at == unrecorded {
			return nil
		}
		return errors.New("killed")
	}
	w.open()
	w.Policy = policy
	_, _ = w.once()
	w.close()
	if killed.Load() {
		if err := os.Rename(w.state+".killed", w.state); err != nil {
			w.Fatal(err)
		}
	}
	w.tap = nil
	w.open()
	w.Policy = policy
	return killed.Load()
}

func anyCall(string) bool { return true }

// close ends the program. What it has read of the specs must still be as the files say: what is known to be applied is partly
// the same memory, and never changed in place.
func (w *world) close() {
	w.Helper()
	if kept, err := w.Specs.ScanAndLoad(context.Background()); err == nil {
		fresh, err := spec.NewLoader(w.dir).ScanAndLoad(context.Background())
		if err != nil || !reflect.DeepEqual(kept.Users, fresh.Users) || !reflect.DeepEqual(kept.Leavers, fresh.Leavers) {
			w.Error("what was read of the specs was changed", err)
		}
	}
	if err := w.Store.Close(); err != nil {
		w.Error(err)
	}
}

// write puts a spec file into the checkout.
func (w *world) write(name, format string, args ...any) {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o644); err != nil {
		w.Fatal(err)
	}
}

func (w *world) remove(name string) {
	w.Helper()
	if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
		w.Fatal(err)
	}
}

// declareAll writes a spec for every user of the organization, with one more line each.
func (w *world) declareAll(line string) {
	for _, u := range w.sim.Users() {
		w.write(u.Email+".yaml", "email: %s\n%s\n", u.Email, line)
	}
}

// once makes a pass as --once does.
func (w *world) once() (*usersync.Result, error) {
	before := w.Status().Totals
	res, err := w.Reconcile(context.Background(), usersync.Mode{Strict: true, ForceRefresh: true})
	if now := w.Status().Totals; res != nil && (now.Passes != before.Passes+1 ||
		now.Changes[plan.Applied]-before.Changes[plan.Applied] != uint64(res.Applied) || now.Changes[plan.Failed]-before.Changes[plan.Failed] != uint64(res.Failed)) {
		w.Errorf("a pass that applied %d and failed %d: %+v, and before it %+v", res.Applied, res.Failed, now, before)
	}
	return res, err
}

// pass makes a pass that must go well.
func (w *world) pass() *usersync.Result {
	w.Helper()
	res, err := w.once()
	if err != nil {
		w.Fatal(err)
	}
	return res
}

// settled checks that a further pass finds nothing to do, and writes nothing.
func (w *world) settled() {
	w.Helper()
	w.sim.ClearFaults()
	w.sim.ResetLedger()
	if res := w.pass(); res.Changed != 0 {
		w.Errorf("a further pass still finds:\n%s", show(res))
	}
	for name := range w.sim.Ledger().Calls {
		if !strings.HasPrefix(name, "GET ") && name != "POST /oauth/token" {
			w.Errorf("a further pass sent %s", name)
		}
	}
}

func show(res *usersync.Result) string {
	var b strings.Builder
	for _, c := range res.Changes {
		fmt.Fprintln(&b, c)
	}
	return b.String()
}

const patch = "PATCH /api/v2/users/{id}"

func (w *world) user(email string) sim.User {
	w.Helper()
	u, ok := w.sim.User(email)
	if !ok {
		w.Fatalf("%s is not in the organization", email)
	}
	return u
}

// fault makes calls fail, in the simulator's words.
func (w *world) fault(words string) {
	w.Helper()
	f, err := sim.ParseFault(words)
	if err != nil {
		w.Fatal(err)
	}
	w.sim.AddFault(f)
}

// lose deletes the first n users in Genesys, and waits until everything there knows.
func (w *world) lose(n int) {
	for _, u := range w.sim.Users()[:n] {
		w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
	}
	time.Sleep(time.Minute)
}

// anything may be given.
func anything() plan.Guard {
	return plan.Guard{Roles: []string{"*"}, Divisions: []string{"*"}, Queues: []string{"*"}, Groups: []string{"*"}}
}

// hours is a schedule of some windows for the fields that touch routing.
func hours(t testing.TB, windows ...string) plan.Schedule {
	t.Helper()
	s := plan.Schedule{Fields: plan.RoutingFields()}
	for _, text := range windows {
		w, err := window.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Windows = append(s.Windows, w)
	}
	return s
}

// forget begins with a new state file, as a runner that keeps nothing does.
func (w *world) forget() {
	w.Helper()
	policy := w.Policy
	w.close()
	w.state = filepath.Join(w.TempDir(), "state.db")
	w.open()
	w.Policy = policy
}
