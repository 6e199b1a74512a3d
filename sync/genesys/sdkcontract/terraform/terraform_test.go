package terraform

import (
	"cmp"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usersyncd/sync/genesys/sim"
)

//go:embed steps/*.tf
var steps embed.FS

var (
	command  = flag.String("terraform", "terraform", "the Terraform or OpenTofu `COMMAND`")
	provider = flag.String("provider", "", "`DIR` of the provider's executable; otherwise init downloads it")
)

// lag is how far reads of the simulator are behind, at most; as those of the real API are.
const lag = 4 * time.Second

// After each step the simulator has what the configuration says, of the same user, and the next plan is empty.
func TestLife(t *testing.T) {
	org := sim.New(sim.Options{Users: 20, Full: true, Deleted: 1, Seed: 1, VendorRoles: true, NoEmptyEmployer: true, TakenStatus: http.StatusBadRequest,
		GrantLag: lag, IndexLag: lag, ReadLag: time.Second, CatalogLag: time.Second, QueueDelay: time.Second, Quota: sim.Quota{Limit: 10_000}})
	server := httptest.NewServer(org)
	t.Cleanup(server.Close)
	tf := terraform{T: t, dir: t.TempDir()}
	tf.configure(server.URL)
	id := ""
	for _, s := range life {
		begin := time.Now()
		org.ResetLedger()
		if err := tf.step(org, s); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		u, _ := org.User(email)
		if id = cmp.Or(id, u.ID); u.ID != id {
			t.Errorf("%s: the user is another one", s.name)
		}
		calls := 0
		for _, statuses := range org.Ledger().Calls {
			for _, n := range statuses {
				calls += n
			}
		}
		t.Logf("%-10s %5.1fs %4d requests  %s", s.name, time.Since(begin).Seconds(), calls, tell(org))
	}
}

// A terraform is the command in its own directory, which is where its state is.
type terraform struct {
	*testing.T
	dir string
	env []string
}

// configure writes what all steps have, and makes the provider ready.
func (t *terraform) configure(api string) {
	t.env = []string{"TF_VAR_port=" + api[strings.LastIndex(api, ":")+1:]}
	if err := t.put("org"); err != nil {
		t.Fatal(err)
	}
	if *provider == "" {
		if out, err := t.do("init"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir, err := filepath.Abs(*provider)
	if err != nil {
		t.Fatal(err)
	}
	rc := filepath.Join(t.dir, "terraformrc")
	t.env = append(t.env, "TF_CLI_CONFIG_FILE="+rc)
	const overrides = "provider_installation {\n  dev_overrides {\n    \"mypurecloud/genesyscloud\" = %q\n  }\n  direct {}\n}\n"
	if err := os.WriteFile(rc, fmt.Appendf(nil, overrides, dir), 0o600); err != nil {
		t.Fatal(err)
	}
}

// put makes one of the files the configuration, besides what is there under another name.
func (t *terraform) put(name string) error {
	data, err := fs.ReadFile(steps, "steps/"+name+".tf")
	if err != nil {
		return err
	}
	to := "step"
	if name == "org" {
		to = name
	}
	return os.WriteFile(filepath.Join(t.dir, to+".tf"), data, 0o600)
}

// do runs the command, and returns what it printed.
func (t *terraform) do(args ...string) (string, error) {
	cmd := exec.CommandContext(t.Context(), *command, append(args, "-no-color", "-input=false")...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo",
		"GENESYSCLOUD_REGION=us-east-1", "GENESYSCLOUD_TOKEN_POOL_SIZE=1")
	cmd.Env = append(cmd.Env, t.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// step applies a step, and looks at what it left.
func (t *terraform) step(org *sim.Server, s step) error {
	if s.name == "destroy" {
		if out, err := t.do("destroy", "-auto-approve"); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	} else {
		if err := t.put(s.name); err != nil {
			return err
		}
		if out, err := t.do("apply", "-auto-approve"); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	var wrong []error
	if got := tell(org); got != s.want {
		wrong = append(wrong, fmt.Errorf("the simulator has\n  %s, want\n  %s", got, s.want))
	}
	if s.name != "destroy" {
		time.Sleep(lag)
		out, err := t.do("plan", "-detailed-exitcode")
		var exit *exec.ExitError
		changes := errors.As(err, &exit) && exit.ExitCode() == 2
		if err != nil && !changes || changes != (s.drift != "") || !strings.Contains(out, s.drift) {
			wrong = append(wrong, fmt.Errorf("the next plan: %v\n%s", err, out))
		}
	}
	if unreal := org.Ledger().Unreal; len(unreal) > 0 {
		wrong = append(wrong, fmt.Errorf("the simulator does not have %v", unreal))
	}
	return errors.Join(wrong...)
}
