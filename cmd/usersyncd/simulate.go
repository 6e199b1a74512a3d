package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/spec"
	"usersyncd/sync/genesys/sim"
)

// simulation is what simulate's flags say.
type simulation struct {
	sim.Options
	listen string
	specs  string
	faults []string
}

func newSimulate(p process) *cobra.Command {
	o := simulation{}
	cmd := &cobra.Command{
		Use:   "simulate [flags]",
		Short: "Serve a simulated Genesys Cloud on this machine",
		Long: `simulate serves an organization of made-up users, with the real API's quirks, on
a loopback address, and prints the settings that make usersyncd use it. Under
/_sim/ it tells what it was asked for, and lets a script edit users by hand,
change the quota and make calls fail.`,
		Example: `  usersyncd simulate --users 500 --specs ./users
  usersyncd simulate --fault 'PATCH 10% lost' --fault '* 5% 503 retry-after=1'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), p) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8790", "loopback `ADDRESS` to serve on; port 0 takes a free one")
	f.StringVar(&o.specs, "specs", "", "write a spec for every user into this new `DIR`")
	f.IntVar(&o.Users, "users", 500, "how many users to make up")
	f.IntVar(&o.Inactive, "inactive", 0, "how many of them are inactive")
	f.IntVar(&o.Deleted, "deleted", 0, "how many further users were deleted")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the made-up people, of delays and of faults")
	f.IntVar(&o.Quota.Limit, "limit", 300, "requests per window and token")
	f.DurationVar(&o.Quota.Window, "window", time.Minute, "length of the quota's window")
	f.StringVar((*string)(&o.Quota.Model), "quota", string(sim.Fixed), "how the quota counts: fixed, aligned, sliding or bucket")
	f.BoolVar(&o.Quota.NoHeaders, "no-quota-headers", false, "leave the quota's headers out")
	f.DurationVar(&o.Latency, "latency", 30*time.Millisecond, "time of an answer")
	f.DurationVar(&o.Jitter, "jitter", 0, "random delay of each answer, up to this; answers overtake each other")
	f.DurationVar(&o.IndexLag, "index-lag", 3*time.Second, "how far the search is behind")
	f.DurationVar(&o.TokenLife, "token-life", 24*time.Hour, "how long an access token is good")
	f.StringArrayVar(&o.faults, "fault", nil, "make calls fail: `FAULT` is [METHOD] [PATH] [user=EMAIL] [N%] [xN] [after=N] [every=N] EFFECT; EFFECT is a status, drop, lost, truncated, html, slow=2s, conflict409, conflict400, spurious, edited, expired or revoked")
	return cmd
}

func (o *simulation) run(ctx context.Context, p process) error {
	switch o.Quota.Model {
	case sim.Fixed, sim.Aligned, sim.Sliding, sim.Bucket:
	default:
		return usage("--quota: %q is not fixed, aligned, sliding or bucket", o.Quota.Model)
	}
	if o.Users < 0 || o.Inactive < 0 || o.Inactive > o.Users || o.Deleted < 0 || o.Quota.Limit < 1 || o.Quota.Window <= 0 {
		return usage("--users, --inactive, --deleted, --limit and --window: these numbers make no organization")
	}
	server := sim.New(o.Options)
	for _, text := range o.faults {
		f, err := sim.ParseFault(text)
		if err != nil {
			return usage("--fault: %w", err)
		}
		server.AddFault(f)
	}
	base, stop, err := serve(ctx, server, o.listen)
	if err != nil {
		return err
	}
	if o.specs != "" {
		if err := writeSpecs(o.specs, server.Users()); err != nil {
			return errors.Join(err, stop())
		}
	}
	fmt.Fprintf(p.stdout, `# %d users, %d requests every %s. Stop with Ctrl-C.
export USERSYNCD_API_URL=%s
export USERSYNCD_STATE=%s
export GENESYSCLOUD_OAUTHCLIENT_ID=demo GENESYSCLOUD_OAUTHCLIENT_SECRET=demo
`, o.Users, o.Quota.Limit, o.Quota.Window, base, stateFor(base))
	<-ctx.Done()
	return stop()
}

// stateFor keeps what is learned of a simulated organization apart from what is known of a real one.
func stateFor(base string) string {
	return filepath.Join(os.TempDir(), "usersyncd-simulated-"+base[strings.LastIndex(base, ":")+1:], "usersyncd.db")
}

// serve makes a server reachable on a loopback address, and on no other.
func serve(ctx context.Context, h http.Handler, address string) (base string, stop func() error, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("serve the simulator: %w", err)
	}
	if host, ok := l.Addr().(*net.TCPAddr); !ok || !host.IP.IsLoopback() {
		return "", nil, errors.Join(usage("--listen: %s is no loopback address, such as 127.0.0.1:8790", address), l.Close())
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	gone := make(chan error, 1)
	go func() { gone <- server.Serve(l) }()
	return "http://" + l.Addr().String(), func() error {
		err := server.Close()
		if served := <-gone; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}

// writeSpecs declares users as they are, one file each, in folders by department. The directory must be new.
func writeSpecs(dir string, users []sim.User) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return usage("--specs: %s is not empty", dir)
	}
	for _, u := range users {
		if u.State == "deleted" {
			continue
		}
		path := specPath(dir, u)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write specs: %w", err)
		}
		if err := writeSpec(path, u); err != nil {
			return err
		}
	}
	return nil
}

func writeSpec(path string, u sim.User) error {
	text, err := specOf(u)
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write specs: %w", err)
	}
	return nil
}

// specPath is where a user's spec is put: in a folder by department, but a later move leaves it there.
func specPath(dir string, u sim.User) string {
	name, _, _ := strings.Cut(u.Email, "@")
	return filepath.Join(dir, strings.ReplaceAll(strings.ToLower(u.Department), " ", "-"), name+".yaml")
}

func specOf(u sim.User) ([]byte, error) {
	return spec.Marshal(&spec.User{Key: u.Email, Fields: spec.Fields{
		spec.Email: spec.Text(u.Email), spec.Name: spec.Text(u.Name),
		spec.Title: spec.Text(u.Title), spec.Department: spec.Text(u.Department),
	}})
}
