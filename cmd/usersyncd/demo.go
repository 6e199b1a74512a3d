package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/examples"
	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
)

// The demo's organization: large enough to see pacing, with a window short enough to wait for.
const (
	demoUsers   = 500
	demoLimit   = 300
	demoWindow  = 8 * time.Second
	demoLatency = 30 * time.Millisecond
)

func newDemo(p process) *cobra.Command {
	page := false
	cmd := &cobra.Command{
		Use:   "demo [flags]",
		Short: "Watch it work on a simulated organization; needs no setup",
		Long: `demo starts a simulated Genesys Cloud with 500 users and a short quota window,
applies a change to all of them, reverts a manual edit, waits while the quota is
used up, and prints how many calls that took. It takes less than half a minute,
and leaves nothing behind. With --page it runs the service instead, whose status
page is then there to look at, until Ctrl-C.`,
		Example: `  usersyncd demo
  usersyncd demo --page`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			dir, err := os.MkdirTemp("", "usersyncd-demo-")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			d := &demo{process: p, dir: dir, level: "warn", specs: filepath.Join(dir, "users")}
			if page {
				d.level = "error" // the page shows what fails, and what is held
				return d.runPage(cmd.Context())
			}
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&page, "page", false, "run the service with its status page, where something happens now and then, until Ctrl-C")
	return cmd
}

// A demo is an organization, a checkout, and the program between them.
type demo struct {
	process
	dir, specs string
	level      string // of the log
	sim        *sim.Server
	people     []string // the addresses of the example's people
	config     *config.Config
	*app
}

// connected makes the checkout, serves the organization, and connects the program to it for as long as do runs.
func (d *demo) connected(ctx context.Context, do func(c *config.Config, base string) error) (err error) {
	if err = d.checkout(ctx); err != nil {
		return err
	}
	base, stop, err := serve(ctx, d.sim, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	c, err := d.settings(base)
	if err != nil {
		return err
	}
	if d.app, err = newApp(c, false, &progress.Screen{W: d.stderr}, nil); err != nil {
		return err
	}
	defer func() { err = d.close(err) }()
	return do(c, base)
}

func (d *demo) run(ctx context.Context) error {
	return d.connected(ctx, func(_ *config.Config, base string) error { return d.passes(ctx, base) })
}

func (d *demo) passes(ctx context.Context, base string) error {
	began := time.Now()
	d.say("A simulated Genesys Cloud is on %s:", base)
	d.say("%d users, and a quota of %d calls every %s (a real one is for a minute).", demoUsers, demoLimit, demoWindow)
	d.say("The specs change every user. Applying:\n")
	first := time.Now()
	if _, err := d.pass(ctx); err != nil {
		return err
	}
	took, calls := time.Since(first), d.calls()
	bound := lowerBound(calls.Total, demoLimit, demoWindow, demoLatency, d.Workers)

	d.say("\nSomebody changes a title in Genesys by hand. The next pass reverts it:\n")
	who := d.people[len(d.people)/2]
	d.sim.Edit(who, func(u *sim.User) { u.Title = "Chief of everything" })
	res, err := d.pass(ctx)
	if err != nil {
		return err
	}
	for _, c := range res.Changes {
		fmt.Fprintln(d.stdout, c)
	}

	d.say("\nNow 100 users get a new department, while another program has used up the")
	d.say("quota. Watch it wait:\n")
	if err := d.rename(ctx, 100, "Customer happiness"); err != nil {
		return err
	}
	d.sim.Consume(demoLimit)
	if _, err = d.pass(ctx); err != nil {
		return err
	}

	l, end := d.sim.Ledger(), d.calls()
	d.say("\nTotal: %d calls (%d reads, %d writes), %d answered 429, no user lost, in %s.",
		end.Total, end.Reads, end.Writes, l.Throttled, text.ShortDuration(time.Since(began)))
	d.say("The first pass: %d writes for %d users (a change of state is a call of its own)", calls.Writes, demoUsers)
	d.say("and %d reads, in %s. With this quota they take at least %s.", calls.Reads, text.ShortDuration(took), text.ShortDuration(bound))
	d.say("\nNext: \"Try it\" and \"First steps\" in the README.")
	return nil
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.stdout, format+"\n", args...) }

// checkout writes the example organization, and specs for as many made-up people as are missing to
// demoUsers; all of them exist in the organization, and all of them differ from it.
func (d *demo) checkout(ctx context.Context) error {
	if err := os.CopyFS(d.specs, examples.Org()); err != nil {
		return err
	}
	tree, err := spec.NewLoader(d.specs).ScanAndLoad(ctx)
	if err != nil {
		return err
	}
	d.sim = sim.New(sim.Options{
		Users: demoUsers - len(tree.Users), Seed: 1, Latency: demoLatency,
		Quota: sim.Quota{Limit: demoLimit, Window: demoWindow},
	})
	if err := writeSpecs(ctx, d.more(), d.sim.Users()); err != nil {
		return err
	}
	for _, u := range tree.Users {
		name, err := spec.Decode[string](u.Fields.Get(spec.Name))
		if err != nil {
			return err
		}
		d.sim.Add(sim.User{Email: u.Key, Name: name, Texts: sim.Texts{Department: "Not sorted yet"}})
		d.people = append(d.people, u.Key)
	}
	defaults := "acdAutoAnswer: true\ncertifications: [Data protection]\n"
	return os.WriteFile(filepath.Join(d.more(), "_defaults.yaml"), []byte(defaults), 0o600)
}

// more is the folder of the generated users.
func (d *demo) more() string { return filepath.Join(d.specs, "more") }

// rename gives n of the generated users, who are the first, a new department.
func (d *demo) rename(ctx context.Context, n int, department string) error {
	users := d.sim.Users()[:n]
	for i := range users {
		users[i].Department = department
	}
	return writeSpecs(ctx, d.more(), users)
}

// settings are the defaults, but for the roles that may be given, and how often the service reads. Nothing of the environment
// counts except for colors: the webhook in it, say, is not for a demo.
func (d *demo) settings(base string) (*config.Config, error) {
	root, c := newRoot(process{stderr: d.stderr, transport: d.transport, lookupEnv: func(name string) (string, bool) {
		switch name {
		case "GENESYSCLOUD_OAUTHCLIENT_ID", "GENESYSCLOUD_OAUTHCLIENT_SECRET":
			return "demo", true
		case "NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "CLICOLOR", "TERM":
			return d.lookupEnv(name)
		}
		return "", false
	}})
	if err := root.ParseFlags([]string{
		"--api-url", base, "--state", filepath.Join(d.dir, "state", "usersyncd.db"), "--socket", filepath.Join(d.dir, "sock"), "--log-level", d.level,
		"--allow-roles=Employee,Agent", "--refresh-interval=5s", // as the configuration of a real organization would, and would not
	}); err != nil {
		return nil, err
	}
	err := c.Load(root)
	c.Dir, d.config = d.specs, c
	return c, err
}

func (d *demo) pass(ctx context.Context) (*usersync.Result, error) {
	before := d.calls()
	stop := d.screen.Show(d.Status, d.limiter, d.log)
	res, err := d.Reconcile(ctx, usersync.Mode{Strict: true, ForceRefresh: true})
	stop()
	if err != nil {
		return nil, refused(res, err)
	}
	res.Calls.Add(d.calls(), before)
	summary := *res
	summary.Changes = nil
	d.text(d.config).Result(d.stdout, &summary)
	return res, nil
}

// lowerBound is the least time that n calls can take: all windows but the last are waited for, and
// what is left goes out as fast as the connections allow.
func lowerBound(n, limit int, window, latency time.Duration, workers int) time.Duration {
	whole := (n - 1) / limit
	return time.Duration(whole)*window + time.Duration(n-whole*limit)*latency/time.Duration(workers)
}
