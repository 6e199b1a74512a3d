// Command terraform drives the vendor's own Terraform provider on the simulator: users with skills, languages, roles and
// queues are created, changed, cleared, deactivated, deleted and restored, and after each step the simulator must have what
// the configuration says, and the provider must find nothing left to do.
//
//	go run ./terraform
//	go run ./terraform -provider DIR   # with a provider that is there already
package main

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"usersyncd/sync/genesys/sim"
)

//go:embed steps/*.tf
var steps embed.FS

// lag is how far reads of the simulator are behind, at most; as those of the real API are.
const lag = 4 * time.Second

func main() {
	command := flag.String("terraform", "terraform", "the Terraform or OpenTofu `COMMAND`")
	provider := flag.String("provider", "", "`DIR` of the provider's executable; otherwise terraform init downloads it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *command, *provider); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, command, provider string) (err error) {
	org := sim.New(sim.Options{Users: 20, Full: true, Deleted: 1, Seed: 1, VendorRoles: true, NoEmptyEmployer: true, TakenStatus: http.StatusBadRequest,
		GrantLag: lag, IndexLag: lag, ReadLag: time.Second, CatalogLag: time.Second, QueueDelay: time.Second, Quota: sim.Quota{Limit: 10_000}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: org, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	dir, err := os.MkdirTemp("", "terraform")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	t := terraform{command: command, dir: dir, port: l.Addr().(*net.TCPAddr).Port}
	if provider != "" {
		if err := t.use(provider); err != nil {
			return err
		}
	}
	if err := t.put("org"); err != nil {
		return err
	}
	if provider == "" {
		if out, err := t.do(ctx, "init"); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	var wrong []error
	id := ""
	for _, s := range life {
		begin := time.Now()
		org.ResetLedger()
		if err := t.step(ctx, org, s); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", s.name, err))
		}
		u, _ := org.User(email)
		if id = cmp.Or(id, u.ID); u.ID != id {
			wrong = append(wrong, fmt.Errorf("%s: the user is another one", s.name))
		}
		calls := 0
		for _, statuses := range org.Ledger().Calls {
			for _, n := range statuses {
				calls += n
			}
		}
		fmt.Printf("%-10s %5.1fs %4d requests  %s\n", s.name, time.Since(begin).Seconds(), calls, tell(org))
	}
	return errors.Join(wrong...)
}

// A terraform is the command in its own directory, which is where its state is.
type terraform struct {
	command, dir string
	port         int
	env          []string
}

// use lets the command take a provider from a directory, without init.
func (t *terraform) use(provider string) error {
	provider, err := filepath.Abs(provider)
	if err != nil {
		return err
	}
	rc := filepath.Join(t.dir, "terraformrc")
	t.env = append(t.env, "TF_CLI_CONFIG_FILE="+rc)
	return os.WriteFile(rc, fmt.Appendf(nil, "provider_installation {\n  dev_overrides {\n    \"mypurecloud/genesyscloud\" = %q\n  }\n  direct {}\n}\n", provider), 0o600)
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
func (t *terraform) do(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, t.command, append(args, "-no-color", "-input=false")...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo",
		"GENESYSCLOUD_REGION=us-east-1", "GENESYSCLOUD_TOKEN_POOL_SIZE=1", fmt.Sprint("TF_VAR_port=", t.port))
	cmd.Env = append(cmd.Env, t.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// step applies a step, and looks at what it left.
func (t *terraform) step(ctx context.Context, org *sim.Server, s step) error {
	if s.name == "destroy" {
		if out, err := t.do(ctx, "destroy", "-auto-approve"); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	} else {
		if err := t.put(s.name); err != nil {
			return err
		}
		if out, err := t.do(ctx, "apply", "-auto-approve"); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	var wrong []error
	if got := tell(org); got != s.want {
		wrong = append(wrong, fmt.Errorf("the simulator has\n  %s, want\n  %s", got, s.want))
	}
	if s.name != "destroy" {
		time.Sleep(lag)
		out, err := t.do(ctx, "plan", "-detailed-exitcode")
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
