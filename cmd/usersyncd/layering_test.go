package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed says which of our packages each package may import: one direction, down the page.
// Tests may import more. A new package needs a line here. usersyncd/spec/text is for everybody.
var allowed = map[string][]string{
	"usersyncd/cmd/usersyncd": {
		"usersyncd/cmd/usersyncd/internal/config", "usersyncd/cmd/usersyncd/internal/daemon", "usersyncd/cmd/usersyncd/internal/doctor", "usersyncd/cmd/usersyncd/internal/limiterstore", "usersyncd/cmd/usersyncd/internal/logging", "usersyncd/cmd/usersyncd/internal/memory", "usersyncd/cmd/usersyncd/internal/progress", "usersyncd/cmd/usersyncd/internal/report", "usersyncd/cmd/usersyncd/internal/stream",
		"usersyncd/sync/control", "usersyncd/sync/control/rpc", "usersyncd/sync/control/web", "usersyncd/sync/control/health", "usersyncd/sync/control/notify", "usersyncd/sync/genesys", "usersyncd/sync/genesys/api", "usersyncd/sync/genesys/sim", "usersyncd/sync/aimd",
		"usersyncd/sync/watch", "usersyncd/sync", "usersyncd/sync/apply", "usersyncd/sync/plan", "usersyncd/sync/plan/saved", "usersyncd/sync/plan/window", "usersyncd/state", "usersyncd/spec", "usersyncd/spec/checkout", "usersyncd/spec/rewrite", "usersyncd/spec/specfile", "usersyncd/examples",
	},
	"usersyncd/cmd/usersyncd/internal/config": {
		"usersyncd/sync/control/notify", "usersyncd/sync/genesys/api", "usersyncd/sync/aimd", "usersyncd/sync/plan", "usersyncd/sync/plan/window", "usersyncd/spec",
		"usersyncd/spec/selection", "usersyncd/spec/strictyaml",
	},
	"usersyncd/cmd/usersyncd/internal/doctor": {
		"usersyncd/cmd/usersyncd/internal/config", "usersyncd/cmd/usersyncd/internal/limiterstore",
		"usersyncd/sync/genesys", "usersyncd/sync/genesys/api", "usersyncd/sync/aimd", "usersyncd/sync/watch", "usersyncd/sync/apply", "usersyncd/sync/plan", "usersyncd/state", "usersyncd/spec", "usersyncd/spec/checkout",
	},
	"usersyncd/cmd/usersyncd/internal/daemon": {
		"usersyncd/cmd/usersyncd/internal/config", "usersyncd/cmd/usersyncd/internal/progress",
		"usersyncd/sync/control", "usersyncd/sync/control/rpc", "usersyncd/sync/control/web", "usersyncd/sync/control/health", "usersyncd/sync/control/notify",
		"usersyncd/sync/aimd", "usersyncd/sync/watch", "usersyncd/sync", "usersyncd/sync/apply", "usersyncd/sync/plan", "usersyncd/sync/plan/window", "usersyncd/state", "usersyncd/spec",
	},
	"usersyncd/cmd/usersyncd/internal/logging":           {},
	"usersyncd/cmd/usersyncd/internal/memory":            {},
	"usersyncd/cmd/usersyncd/internal/progress":          {"usersyncd/cmd/usersyncd/internal/logging", "usersyncd/sync", "usersyncd/sync/aimd"},
	"usersyncd/cmd/usersyncd/internal/report":            {"usersyncd/cmd/usersyncd/internal/stream", "usersyncd/state", "usersyncd/sync", "usersyncd/sync/plan/access", "usersyncd/sync/apply", "usersyncd/sync/plan", "usersyncd/sync/plan/digest", "usersyncd/sync/plan/window", "usersyncd/spec", "usersyncd/spec/checkout"},
	"usersyncd/cmd/usersyncd/internal/report/reporttest": {}, // for tests alone
	"usersyncd/cmd/usersyncd/internal/stream":            {},
	"usersyncd/cmd/usersyncd/internal/limiterstore":      {"usersyncd/sync/aimd", "usersyncd/state"},

	"usersyncd/sync/control":        {"usersyncd/sync", "usersyncd/sync/apply", "usersyncd/sync/plan", "usersyncd/sync/plan/contest", "usersyncd/sync/plan/window", "usersyncd/state", "usersyncd/spec"},
	"usersyncd/sync/control/rpc":    {"usersyncd/sync/control", "usersyncd/sync", "usersyncd/sync/apply", "usersyncd/sync/plan", "usersyncd/state", "usersyncd/spec"},
	"usersyncd/sync/control/web":    {"usersyncd/sync", "usersyncd/sync/control", "usersyncd/sync/plan", "usersyncd/state", "usersyncd/spec"},
	"usersyncd/sync/control/health": {"usersyncd/sync/control", "usersyncd/sync", "usersyncd/sync/aimd", "usersyncd/sync/plan"},
	"usersyncd/sync/control/notify": {"usersyncd/sync/control", "usersyncd/spec"},
	"usersyncd/sync/genesys": {
		"usersyncd/sync/genesys/api", "usersyncd/sync/genesys/names", "usersyncd/sync/genesys/contact", "usersyncd/sync/genesys/unmanaged", "usersyncd/sync/genesys/utilization",
		"usersyncd/sync", "usersyncd/sync/apply", "usersyncd/sync/plan", "usersyncd/sync/plan/access", "usersyncd/state", "usersyncd/spec",
	},
	"usersyncd/sync/genesys/api":         {"usersyncd/sync/apply", "usersyncd/spec"},
	"usersyncd/sync/genesys/names":       {"usersyncd/state", "usersyncd/spec"},
	"usersyncd/sync/genesys/contact":     {"usersyncd/spec"},
	"usersyncd/sync/genesys/unmanaged":   {},
	"usersyncd/sync/genesys/utilization": {"usersyncd/spec"},
	"usersyncd/sync":                     {"usersyncd/sync/apply", "usersyncd/sync/plan", "usersyncd/sync/plan/contest", "usersyncd/sync/plan/digest", "usersyncd/sync/plan/identity", "usersyncd/sync/plan/reference", "usersyncd/sync/plan/saved", "usersyncd/state", "usersyncd/spec"},
	"usersyncd/sync/apply":               {"usersyncd/sync/plan", "usersyncd/sync/plan/identity", "usersyncd/sync/plan/window", "usersyncd/state", "usersyncd/spec"},
	"usersyncd/sync/plan": {
		"usersyncd/sync/plan/access", "usersyncd/sync/plan/contest", "usersyncd/sync/plan/digest", "usersyncd/sync/plan/identity", "usersyncd/sync/plan/reference", "usersyncd/sync/plan/saved", "usersyncd/sync/plan/tally", "usersyncd/sync/plan/window",
		"usersyncd/state", "usersyncd/spec", "usersyncd/spec/selection",
	},
	"usersyncd/sync/plan/access":         {"usersyncd/spec"},
	"usersyncd/sync/plan/contest":        {"usersyncd/state", "usersyncd/spec"},
	"usersyncd/sync/plan/reference":      {"usersyncd/sync/plan/identity", "usersyncd/state", "usersyncd/spec"},
	"usersyncd/sync/plan/tally":          {"usersyncd/state"},
	"usersyncd/sync/plan/digest":         {"usersyncd/spec"},
	"usersyncd/sync/plan/identity":       {"usersyncd/state", "usersyncd/spec"},
	"usersyncd/sync/plan/saved":          {"usersyncd/sync/plan/digest", "usersyncd/spec"},
	"usersyncd/sync/plan/window":         {},
	"usersyncd/state":                    {"usersyncd/state/boltfile", "usersyncd/state/lockfile", "usersyncd/spec"},
	"usersyncd/state/boltfile":           {},
	"usersyncd/state/lockfile":           {},
	"usersyncd/spec/rewrite":             {"usersyncd/spec", "usersyncd/spec/schema", "usersyncd/spec/strictyaml"},
	"usersyncd/spec/selection":           {"usersyncd/spec", "usersyncd/spec/strictyaml"},
	"usersyncd/spec":                     {"usersyncd/spec/checkout", "usersyncd/spec/schema", "usersyncd/spec/specfile", "usersyncd/spec/strictyaml"},
	"usersyncd/spec/specfile":            {"usersyncd/spec/checkout", "usersyncd/spec/strictyaml"},
	"usersyncd/spec/schema":              {"usersyncd/spec/strictyaml"},
	"usersyncd/spec/strictyaml":          {},
	"usersyncd/spec/checkout":            {},
	"usersyncd/spec/checkout/gittest":    {}, // for tests alone
	"usersyncd/spec/memtemp":             {}, // for tests alone
	"usersyncd/spec/growth":              {}, // for tests alone
	"usersyncd/spec/text":                {},
	"usersyncd/sync/aimd":                {},
	"usersyncd/sync/aimd/internal/lab":   {"usersyncd/sync/aimd"},
	"usersyncd/sync/aimd/internal/bench": {"usersyncd/sync/aimd/internal/lab"},
	"usersyncd/sync/watch":               {},
	"usersyncd/sync/genesys/sim":         {},
	"usersyncd/examples":                 {},
}

// offline packages never reach the network's HTTP, not even through somebody else's package.
var offline = []string{
	"usersyncd/spec", "usersyncd/spec/checkout", "usersyncd/spec/rewrite", "usersyncd/spec/schema", "usersyncd/spec/selection", "usersyncd/spec/specfile", "usersyncd/spec/strictyaml", "usersyncd/spec/text", "usersyncd/state", "usersyncd/state/boltfile", "usersyncd/state/lockfile", "usersyncd/sync", "usersyncd/sync/apply",
	"usersyncd/sync/plan", "usersyncd/sync/plan/access", "usersyncd/sync/plan/contest", "usersyncd/sync/plan/digest", "usersyncd/sync/plan/identity", "usersyncd/sync/plan/reference", "usersyncd/sync/plan/saved", "usersyncd/sync/plan/tally", "usersyncd/sync/plan/window",
	"usersyncd/sync/aimd", "usersyncd/sync/aimd/internal/lab", "usersyncd/sync/watch",
}

type listed struct {
	ImportPath    string
	GoFiles       []string // without tests
	Imports, Deps []string
}

func TestImportsGoOneWay(t *testing.T) {
	packages := listPackages(t)
	for name, p := range packages {
		below, known := allowed[name]
		if !known {
			t.Errorf("%s has no place in the table of allowed imports", name)
			continue
		}
		for _, imported := range p.Imports {
			if ours(imported) && imported != "usersyncd/spec/text" && !slices.Contains(below, imported) {
				t.Errorf("%s imports %s, which it may not", name, imported)
			}
		}
	}
	for _, name := range offline {
		p, ok := packages[name]
		if !ok {
			t.Errorf("%s is missing", name)
			continue
		}
		if slices.Contains(p.Deps, "net/http") {
			t.Errorf("%s reaches net/http", name)
		}
	}
}

// A package of more files is two packages; the command and the simulator have a file for each command and each kind of thing.
func TestPackagesAreSmall(t *testing.T) {
	const most = 15
	for name, p := range listPackages(t) {
		if n := len(p.GoFiles); n > most && name != "usersyncd/cmd/usersyncd" && name != "usersyncd/sync/genesys/sim" {
			t.Errorf("%s has %d files, more than %d", name, n, most)
		}
	}
}

func ours(path string) bool { return path == "usersyncd" || strings.HasPrefix(path, "usersyncd/") }

// listPackages asks the go command for every package of the module, tests left out.
func listPackages(t *testing.T) map[string]listed {
	t.Helper()
	return list(t, "usersyncd/...")
}

// list asks the go command for packages.
func list(t *testing.T, names ...string) map[string]listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,GoFiles,Imports,Deps"}, names...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, stderr.String())
	}
	packages := map[string]listed{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
}
