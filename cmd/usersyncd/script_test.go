package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"usersyncd/state"
	"usersyncd/sync/genesys/sim"
)

// TestScripts runs the command line as people do. Each script in testdata/script has a simulated
// organization of its own with 12 users; the environment says where it is, and the first of these
// commands speak to it:
//
//	specs                  declares every user as it is, in $WORK/users
//	fault TEXT             makes calls fail, as simulate --fault does
//	healthy                ends that
//	edit EMAIL TITLE       changes a title by hand
//	deactivate EMAIL       deactivates a user by hand
//	calls NAME [STATUS] N  there were N such calls since the last reset
//	reset                  counts calls from zero
//	person EMAIL FIELD V   the organization has V there
//
//	exits CODE CMD...      runs a command that must exit with CODE
//	follow CODE REGEX      the last command has printed a command, the first group of REGEX, which must exit with CODE
//	json FILE PATH VALUE   the JSON has that value at changes.0.cause, say
//	keys FILE WANT         all paths in the JSON are those listed in WANT
//	schema FILE            the file is a JSON Schema that compiles
//	waitfor FILE           until the file is there and not empty, or a socket
//	holdstate              this process holds the state file until the script ends; $PID is its id
//	full N                 an organization of N users with every field answers from now on
//	forbid PERMISSIONS     the OAuth client of the same organization lacks them from now on
//	receiver STATUS TEXT   a webhook answers so at $HOOK, and keeps what it gets in the file received
//	neworg                 another organization answers from now on, at the same address
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			current := new(atomic.Pointer[sim.Server])
			current.Store(sim.New(sim.Options{Users: 12, Seed: 7, Latency: time.Millisecond, IndexLag: -1}))
			loopback := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				current.Load().ServeHTTP(w, r)
			}))
			env.Defer(loopback.Close)
			env.Values["sim"] = current
			for name, value := range map[string]string{
				"GORACE":                          os.Getenv("GORACE"),
				"HOME":                            env.WorkDir,
				"URL":                             loopback.URL,
				"USERSYNCD_API_URL":               loopback.URL,
				"USERSYNCD_STATE":                 filepath.Join(env.WorkDir, "state", "usersyncd.db"),
				"USERSYNCD_RETRY_MIN_WAIT":        "10ms",
				"GENESYSCLOUD_OAUTHCLIENT_ID":     "demo",
				"GENESYSCLOUD_OAUTHCLIENT_SECRET": "demo",
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"specs":   needs(0, scriptSpecs),
			"fault":   needs(1, scriptFault),
			"healthy": needs(0, func(ts *testscript.TestScript, _ []string) { simOf(ts).ClearFaults() }),
			"edit":    needs(2, scriptEdit),
			"deactivate": needs(1, func(ts *testscript.TestScript, args []string) {
				simOf(ts).Edit(args[0], func(u *sim.User) { u.State = "inactive" })
			}),
			"calls":   needs(2, scriptCalls),
			"reset":   needs(0, func(ts *testscript.TestScript, _ []string) { simOf(ts).ResetLedger() }),
			"person":  needs(3, scriptPerson),
			"exits":   needs(2, scriptExits),
			"follow":  needs(2, scriptFollow),
			"json":    needs(3, scriptJSON),
			"keys":    needs(2, scriptKeys),
			"schema":  needs(1, scriptSchema),
			"waitfor": needs(1, scriptWaitFor),

			"holdstate": needs(0, scriptHoldState),
			"neworg":    needs(0, scriptNewOrg),
			"receiver":  needs(2, scriptReceiver),
			"full":      needs(1, scriptFull),
			"forbid":    needs(1, scriptForbid),
		},
	})
}

// needs wraps a command that has at least n arguments and no negation.
func needs(n int, cmd func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < n {
			ts.Fatalf("not used like this; see TestScripts")
		}
		cmd(ts, args)
	}
}

func simOf(ts *testscript.TestScript) *sim.Server {
	return ts.Value("sim").(*atomic.Pointer[sim.Server]).Load()
}

func scriptSpecs(ts *testscript.TestScript, _ []string) {
	ts.Check(writeSpecs(context.Background(), ts.MkAbs("users"), simOf(ts).Users()))
}

func scriptFault(ts *testscript.TestScript, args []string) {
	f, err := sim.ParseFault(args[0])
	ts.Check(err)
	simOf(ts).AddFault(f)
}

func scriptEdit(ts *testscript.TestScript, args []string) {
	if !simOf(ts).Edit(args[0], func(u *sim.User) { u.Title = args[1] }) {
		ts.Fatalf("there is no %s", args[0])
	}
}

func scriptCalls(ts *testscript.TestScript, args []string) {
	var numbers []int
	for _, a := range args[1:] {
		n, err := strconv.Atoi(a)
		ts.Check(err)
		numbers = append(numbers, n)
	}
	want, statuses := numbers[len(numbers)-1], numbers[:len(numbers)-1]
	l := simOf(ts).Ledger()
	if got := l.Count(args[0], statuses...); got != want {
		ts.Fatalf("%d calls %s, not %d; in all: %v", got, args[0], want, l.Calls)
	}
	if len(l.Unreal) > 0 {
		ts.Fatalf("requests that the API does not have: %v", l.Unreal)
	}
}

func scriptPerson(ts *testscript.TestScript, args []string) {
	u, ok := simOf(ts).User(args[0])
	if !ok {
		ts.Fatalf("there is no %s", args[0])
	}
	have := map[string]string{"name": u.Name, "title": u.Title, "department": u.Department, "state": u.State, "writes": fmt.Sprint(u.Writes)}
	if got, ok := have[args[1]]; !ok || got != args[2] {
		ts.Fatalf("%s of %s is %q, not %q", args[1], args[0], got, args[2])
	}
}

func scriptExits(ts *testscript.TestScript, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

// scriptFollow does what a message says, as a person does who pastes it into a shell.
func scriptFollow(ts *testscript.TestScript, args []string) {
	printed := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(printed)
	if len(found) < 2 {
		ts.Fatalf("nothing to follow matches %s in\n%s", args[1], printed)
	}
	ts.Logf("> %s", found[1])
	scriptExits(ts, []string{args[0], "sh", "-c", found[1]})
}

// readJSON reads a file, or stdout, that must hold one JSON value and nothing else.
func readJSON(ts *testscript.TestScript, name string) any {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &v))
	return v
}

func scriptJSON(ts *testscript.TestScript, args []string) {
	v := readJSON(ts, args[0])
	for name := range strings.FieldsFuncSeq(args[1], func(r rune) bool { return r == '.' }) { // of '' none: the whole
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			ts.Check(err)
			if i >= len(at) {
				ts.Fatalf("%s: there are %d", args[1], len(at))
			}
			v = at[i]
		default:
			v = nil
		}
	}
	if list, ok := v.([]any); ok {
		v = fmt.Sprint(len(list), " items")
	}
	if got := fmt.Sprint(v); got != args[2] {
		ts.Fatalf("%s is %q, not %q", args[1], got, args[2])
	}
}

func scriptKeys(ts *testscript.TestScript, args []string) {
	seen := map[string]bool{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch at := v.(type) {
		case map[string]any:
			for name, v := range at {
				walk(strings.TrimPrefix(path+"."+name, "."), v)
			}
		case []any:
			seen[path+"[]"] = true
			for _, v := range at {
				walk(path+"[]", v)
			}
		default:
			seen[path] = true
		}
	}
	walk("", readJSON(ts, args[0]))
	want := strings.Fields(ts.ReadFile(args[1]))
	for path := range seen {
		if !slices.Contains(want, path) {
			ts.Fatalf("%s is not in the contract", path)
		}
	}
	for _, path := range want {
		if !seen[path] {
			ts.Fatalf("%s is missing", path)
		}
	}
}

func scriptSchema(ts *testscript.TestScript, args []string) {
	c := jsonschema.NewCompiler()
	ts.Check(c.AddResource("user.schema.json", readJSON(ts, args[0])))
	_, err := c.Compile("user.schema.json")
	ts.Check(err)
}

func scriptHoldState(ts *testscript.TestScript, _ []string) {
	store, err := state.Open(ts.Getenv("USERSYNCD_STATE"), state.Options{})
	ts.Check(err)
	ts.Defer(func() { ts.Check(store.Close()) })
	ts.Setenv("PID", strconv.Itoa(os.Getpid()))
}

func scriptNewOrg(ts *testscript.TestScript, _ []string) {
	other := sim.New(sim.Options{Users: 12, Seed: 7, IndexLag: -1, OrgID: "0c5b1f4e-6f0e-4a53-8a35-5a6e5c6d9f10"})
	ts.Value("sim").(*atomic.Pointer[sim.Server]).Store(other)
}

func scriptForbid(ts *testscript.TestScript, args []string) {
	lacking := sim.New(sim.Options{Users: 12, Seed: 7, IndexLag: -1, Forbid: strings.Join(args, " ")})
	ts.Value("sim").(*atomic.Pointer[sim.Server]).Store(lacking)
}

func scriptReceiver(ts *testscript.TestScript, args []string) {
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	path := ts.MkAbs("received")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/json; charset=utf-8" {
			err = os.WriteFile(path, body, 0o600)
		}
		if err != nil {
			status = http.StatusTeapot
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		fmt.Fprint(w, args[1])
	}))
	ts.Defer(server.Close)
	ts.Setenv("HOOK", server.URL)
}

func scriptWaitFor(ts *testscript.TestScript, args []string) {
	path := ts.MkAbs(args[0])
	if !eventually(func() bool {
		info, err := os.Stat(path)
		return err == nil && (info.Size() > 0 || info.Mode().Type() == os.ModeSocket)
	}) {
		ts.Fatalf("%s did not appear", args[0])
	}
}

// eventually polls for what another process will do soon, on the slowest machine in half a minute.
func eventually(happened func() bool) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-tick.C {
		if happened() {
			return true
		}
	}
	return false
}

func scriptFull(ts *testscript.TestScript, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Value("sim").(*atomic.Pointer[sim.Server]).Store(sim.New(sim.Options{Users: n, Full: true, Seed: 7, IndexLag: -1, GrantLag: -1,
		Quota: sim.Quota{Limit: 100_000}}))
}
