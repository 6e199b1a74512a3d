package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	"usersyncd/spec/rewrite"
	"usersyncd/spec/text"
	"usersyncd/sync/control"
	"usersyncd/sync/genesys/sim"
)

type simulation struct {
	sim.Options
	listen      string
	specs       string
	faults      []string
	quotaPer    string
	tokenLimits []string
}

func newSimulate(p process) *cobra.Command {
	o := simulation{}
	cmd := &cobra.Command{
		Use:   "simulate [flags]",
		Short: "Serve a simulated Genesys Cloud on this machine",
		Long: `simulate serves an organization of generated users on a loopback address, with
the quirks of the real API, and prints the settings that make usersyncd use it.
Under /_sim/ it lists the requests that it received, and lets a script edit
users, change the quota and make calls fail.`,
		Example: `  usersyncd simulate --users 500 --specs ./users
  usersyncd simulate --fault 'PATCH 10% lost' --fault '* 5% 503 retry-after=1'
  usersyncd simulate --quota-per client --hidden-limit 200 --no-retry-after`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), p) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8790", "loopback `ADDRESS` to serve on; port 0: any free port")
	f.StringVar(&o.specs, "specs", "", "write a spec for every user to this `DIR`, unless it has specs already")
	f.IntVar(&o.Users, "users", 500, "number of users to generate")
	f.BoolVar(&o.Full, "full", false, "give the users every field: skills, roles, queues and so on")
	f.IntVar(&o.Inactive, "inactive", 0, "number of these users that are inactive")
	f.IntVar(&o.Deleted, "deleted", 0, "number of further users that were deleted")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of users, delays and faults")
	f.IntVar(&o.Quota.Limit, "limit", 300, "requests per window, for each token or for the client")
	f.DurationVar(&o.Quota.Window, "window", time.Minute, "length of the quota window")
	config.ChoiceVar(f, (*string)(&o.Quota.Model), "quota", string(sim.Fixed), []string{"fixed", "aligned", "sliding", "bucket"}, "how the quota is counted")
	config.ChoiceVar(f, &o.quotaPer, "quota-per", "token", []string{"token", "client"}, "what the quota applies to")
	f.StringArrayVar(&o.tokenLimits, "token-limit", nil, "another limit for one token: `N=LIMIT`, such as 2=60 for the second token issued")
	f.IntVar(&o.Quota.Hidden, "hidden-limit", 0, "a lower limit that no header reports; 0: none")
	f.BoolVar(&o.Quota.NoHeaders, "no-quota-headers", false, "omit the quota headers")
	f.BoolVar(&o.Quota.NoRetry, "no-retry-after", false, "omit Retry-After from 429 responses")
	f.BoolVar(&o.Quota.Floor, "round-down", false, "round the seconds in the quota headers and in Retry-After down, not up")
	f.DurationVar(&o.Latency, "latency", 30*time.Millisecond, "response time")
	f.DurationVar(&o.Jitter, "jitter", 0, "longest random delay of a response; responses overtake each other")
	f.DurationVar(&o.IndexLag, "index-lag", 3*time.Second, "how far the search index is behind")
	f.DurationVar(&o.TokenLife, "token-life", 24*time.Hour, "lifetime of an access token")
	f.StringVar(&o.Forbid, "forbid", "", "`PERMISSIONS` that the OAuth client lacks, separated by spaces")
	f.StringArrayVar(&o.faults, "fault", nil, "make calls fail: `FAULT` is [METHOD] [PATH] [user=EMAIL] [N%] [xN] [after=N] [every=N] EFFECT [code=CODE] [retry-after=VALUE]; EFFECT is a status, drop, lost, truncated, html, slow=2s, done=502, conflict409, conflict400, spurious, edited, expired, revoked, or listing=null (or another malformed list)")
	return cmd
}

func (o *simulation) run(ctx context.Context, p process) error {
	if o.Users < 0 || o.Inactive < 0 || o.Inactive > o.Users || o.Deleted < 0 || o.Quota.Limit < 1 || o.Quota.Window <= 0 {
		return usage("--users, --inactive, --deleted, --limit or --window is out of range")
	}
	if err := o.quota(); err != nil {
		return err
	}
	server := sim.New(o.Options)
	for _, fault := range o.faults {
		f, err := sim.ParseFault(fault)
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
		if err := o.makeSpecs(ctx, p, server); err != nil {
			return errors.Join(err, stop())
		}
	}
	state, err := os.MkdirTemp("", "usersyncd-simulated-") // the organization is new, and what an earlier one had is wrong of it
	if err != nil {
		return errors.Join(err, stop())
	}
	fmt.Fprintf(p.stdout, `# %d users, %d requests every %s. Stop with Ctrl-C.
export USERSYNCD_API_URL=%s
export USERSYNCD_STATE=%s
export GENESYSCLOUD_OAUTHCLIENT_ID=demo GENESYSCLOUD_OAUTHCLIENT_SECRET=demo
`, o.Users, o.Quota.Limit, o.Quota.Window, base, filepath.Join(state, "usersyncd.db"))
	<-ctx.Done()
	return errors.Join(stop(), os.RemoveAll(state))
}

// makeSpecs writes the specs into a directory that is empty or new. Those of an earlier run stay as they are.
func (o *simulation) makeSpecs(ctx context.Context, p process, server *sim.Server) error {
	entries, err := os.ReadDir(o.specs)
	if err != nil || len(entries) == 0 {
		return writeSpecs(ctx, o.specs, server.Users()) // it has the error, too
	}
	tree, err := spec.NewLoader(o.specs).ScanAndLoad(ctx)
	if err != nil || len(tree.Users) == 0 {
		return usage("--specs: %s is not empty, and has no specs: give a new directory", o.specs)
	}
	fmt.Fprintf(p.stderr, "%s has the specs of %s: they stay as they are. The simulated organization is new; remove the directory to start over.\n",
		o.specs, text.Plural(len(tree.Users), "user"))
	return nil
}

// quota completes the quota from the flags.
func (o *simulation) quota() error {
	q := &o.Quota
	q.PerClient = o.quotaPer == "client"
	switch {
	case q.Hidden < 0 || q.Hidden >= q.Limit:
		return usage("--hidden-limit: %d is not below --limit %d; 0 is none", q.Hidden, q.Limit)
	case q.Hidden > 0 && q.Model == sim.Bucket:
		return usage("--hidden-limit: a bucket has no window to count in; use another --quota")
	case q.PerClient && len(o.tokenLimits) > 0:
		return usage("--token-limit: with --quota-per client no token has a limit of its own; leave one of them out")
	}
	q.Tokens = map[int]int{}
	for _, given := range o.tokenLimits {
		var n, limit int
		if _, err := fmt.Sscanf(given+" ", "%d=%d ", &n, &limit); err != nil || n < 1 || limit < 1 {
			return usage("--token-limit: %q is not N=LIMIT with two positive numbers, such as 2=60", given)
		}
		q.Tokens[n] = limit
	}
	return nil
}

// serve makes a server reachable on a loopback address, and on no other.
func serve(ctx context.Context, h http.Handler, address string) (base string, stop func() error, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "", nil, fmt.Errorf("serve the simulator: %w; give --listen 127.0.0.1:0 for a free port, or end the program that has this one", err)
	case err != nil:
		return "", nil, fmt.Errorf("serve the simulator: %w", err)
	}
	if host, ok := l.Addr().(*net.TCPAddr); !ok || !host.IP.IsLoopback() {
		return "", nil, errors.Join(usage("--listen: %s is no loopback address, such as 127.0.0.1:8790", address), l.Close())
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx)) // until stop is called
	gone := make(chan error, 1)
	go func() { gone <- control.Serve(serving, server, l, 0) }()
	return "http://" + l.Addr().String(), func() error { cancel(); return <-gone }, nil
}

// writeSpecs writes a spec for each user, in folders by department. Existing specs are changed.
func writeSpecs(ctx context.Context, dir string, users []sim.User) error {
	fields := []spec.Field{spec.Title, spec.Department}
	var specs []*spec.User
	for _, u := range users {
		if u.State != "deleted" {
			specs = append(specs, specOf(u))
		}
	}
	_, err := rewrite.Write(ctx, spec.NewLoader(dir), specs, rewrite.Options{By: spec.Department, Fields: fields})
	return err
}

func specOf(u sim.User) *spec.User {
	return &spec.User{Key: u.Email, Fields: spec.FieldsOf(map[spec.Field]spec.Value{
		spec.Email: spec.Text(u.Email), spec.Name: spec.Text(u.Name), spec.Title: spec.Text(u.Title), spec.Department: spec.Text(u.Department),
	})}
}
