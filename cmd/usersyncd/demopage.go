package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/daemon"
	"usersyncd/sync/control/health"
	"usersyncd/sync/control/web"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/watch"
)

// demoPace is the time between two events of the demo with the page: enough to see what each does.
const demoPace = 10 * time.Second

// runPage runs the service over the organization, with its status page, until ctx ends.
func (d *demo) runPage(ctx context.Context) error {
	return d.connected(ctx, func(c *config.Config, base string) error {
		service, err := d.service(c, watch.New(c.Dir, watch.Options{Resync: c.ResyncInterval, Log: d.log}))
		if err != nil {
			return err
		}
		page, err := web.Listen(ctx, web.Options{Address: "127.0.0.1:0", Source: service, Mount: health.Handlers(service, service.Limits), Log: d.log})
		if err != nil {
			return err
		}
		socket, err := c.SocketPath()
		if err != nil {
			return err
		}
		d.say("The status page is on http://%s/ until Ctrl-C.\n", page.Addr())
		d.say("A simulated Genesys Cloud is on %s:", base)
		d.say("%d users, and a quota of %d calls every %s (a real one is for a minute).", demoUsers, demoLimit, demoWindow)
		d.say("Commands work, too, such as: usersyncd status --socket %s\n", socket)
		d.say("The specs change every user. Then, every %s:", demoPace)
		return d.live(ctx, service, page.Run)
	})
}

// service is the daemon, which reads the whole organization so often that what is edited there is soon found.
func (d *demo) service(c *config.Config, watcher daemon.Watcher) (*daemon.Daemon, error) {
	o := daemonOptions(d.app, c, d.process)
	o.Watcher, o.Reload = watcher, func() (*config.Config, error) { return c, nil }
	return daemon.New(o)
}

// live runs the service, what else is given, and the events, until ctx ends.
func (d *demo) live(ctx context.Context, service *daemon.Daemon, more ...func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return service.Run(ctx, nil) })
	group.Go(func() error { return d.events(ctx, service) })
	for _, run := range more {
		group.Go(func() error { return run(ctx) })
	}
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// events makes one event after the other, once everybody is as declared.
func (d *demo) events(ctx context.Context, service *daemon.Daemon) error {
	for service.Status().InSync < demoUsers {
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	for round := 1; ; round++ {
		for _, e := range d.round(ctx, round) {
			if err := pause(ctx, demoPace); err != nil {
				return err
			}
			d.say("%s  %s", time.Now().Format("15:04:05"), e.what)
			if err := e.do(); err != nil {
				return err
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// An event is something that happens to the organization, or to the specs.
type event struct {
	what string
	do   func() error
}

// round is a series of events that ends as it began, except for titles and departments.
func (d *demo) round(ctx context.Context, n int) []event {
	lost, aside := "", filepath.Join(d.dir, "lost")
	one := d.sim.Users()[100+n%100] // no other event changes them
	title := func(title string) error {
		one.Title = title
		return writeSpecs(ctx, d.more(), []sim.User{one})
	}
	return []event{
		{"somebody changes five titles in Genesys by hand: they are put back", func() error {
			for _, who := range d.people[:5] {
				d.sim.Edit(who, func(u *sim.User) { u.Title = "Chief of everything" })
			}
			return nil
		}},
		{"a commit gives 60 users another department", func() error { return d.rename(ctx, 60, fmt.Sprintf("Customer happiness %d", n)) }},
		{"a commit loses a whole folder: the guard max-removals holds it, and nobody is removed", func() (err error) {
			if lost, err = d.largestFolder(); err != nil {
				return err
			}
			return os.Rename(lost, aside)
		}},
		{"the folder is put back: nothing is held any more", func() error { return os.Rename(aside, lost) }},
		{"another program uses up the quota, and 100 users have a new department: it waits", func() error {
			d.sim.Consume(demoLimit)
			return d.rename(ctx, 100, fmt.Sprintf("Customer delight %d", n))
		}},
		{"Genesys refuses the new title of " + one.Email + ": only this user fails", func() error {
			d.sim.AddFault(sim.Fault{Method: "PATCH", User: one.Email, Effect: sim.Status, Code: 400})
			return title(fmt.Sprintf("Title %d that is refused", n))
		}},
		{"a commit corrects it", func() error {
			d.sim.ClearFaults()
			return title(fmt.Sprintf("Title %d", n))
		}},
	}
}

// largestFolder is that of the generated users' folders that has the most specs.
func (d *demo) largestFolder() (largest string, err error) {
	folders, err := filepath.Glob(filepath.Join(d.more(), "*", ""))
	most := 0
	for _, folder := range folders {
		if files, _ := os.ReadDir(folder); len(files) > most { // what is no folder has none
			largest, most = folder, len(files)
		}
	}
	return largest, err
}
