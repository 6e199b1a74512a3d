package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/genesys/sim"
)

// fixed are the settings that a daemon is built around: they need a restart, which is cheap and loses nothing.
func fixed() []string {
	return []string{
		"config", "once", "region", "api-url", "login-url", "client-id", "client-secret-file", "env-file", "state", "output", "color", "log-format",
		"socket", "notify-url-file", "notify-format", "notify-name", "notify-repeat", "notify-details", "listen", "listen-hosts", "ready-max-held", "ready-max-quarantined", "tokens", "max-in-flight", "retry-max", "retry-429", "ignore-pause", "retry-5xx", "retry-min-wait", "retry-max-wait",
		"plan-max-age", // not for a daemon
	}
}

// refusedByDaemon are the settings of one pass: a part of the users, what is released, and how long it may take. A daemon looks after everybody.
func refusedByDaemon() []string { return []string{"only", "select", "release", "timeout", "plan"} }

// Every setting can either be changed while the daemon runs, or is one that needs a restart, or one that a
// daemon refuses; and a setting that is said to be changed is part of what reload changes.
func TestEverySettingIsReloadableOrNeedsARestart(t *testing.T) {
	// inEffect is what settings amount to: those of the app, and those that the daemon itself takes over.
	inEffect := func(args ...string) any {
		root, c := newRoot(process{})
		if err := root.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		a := &app{Reconciler: &usersync.Reconciler{Specs: spec.NewLoader("")}, limiter: aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{})), level: new(slog.LevelVar)}
		if err := a.configure(c); err != nil {
			t.Fatal(err)
		}
		ticket, _, err := a.limiter.Acquire(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set("inin-ratelimit-allowed", "300")
		h.Set("inin-ratelimit-count", "1")
		h.Set("inin-ratelimit-reset", "60")
		a.limiter.Release(ticket, 200, h) // of what is left of the quota, the reserve is not ours
		l := a.limiter.Stats()
		return []any{a.Policy, a.Refresh, a.SearchLag, a.Settings, a.Specs.Branch, a.level.Level(), l.Rate, l.Left, c.ResyncInterval, c.NoRefresh}
	}
	before := inEffect()
	rootOf(process{}).Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Name == "version" {
			return
		}
		places := 0
		for _, list := range [][]string{config.Reloadable(), fixed(), refusedByDaemon()} {
			if slices.Contains(list, f.Name) {
				places++
			}
		}
		if places != 1 {
			t.Errorf("--%s is in %d of the lists reloadable, fixed and refusedByDaemon", f.Name, places)
		}
		if slices.Contains(refusedByDaemon(), f.Name) {
			return
		}
		value := values(f)[0]
		for name, valid := range map[string]string{"unmanaged-fields": "title", "change-window-fields": "skills", "change-window": "Mon-Fri 20:00-06:00 UTC"} {
			if f.Name == name {
				value = valid
			}
		}
		changes := !reflect.DeepEqual(before, inEffect("--"+f.Name+"="+value))
		if want := slices.Contains(config.Reloadable(), f.Name); changes != want {
			t.Errorf("--%s changes what is in effect: %v; it is in the list: %v", f.Name, changes, want)
		}
	})
	known := rootOf(process{}).Flags()
	for _, name := range slices.Concat(config.Reloadable(), fixed(), refusedByDaemon()) {
		if known.Lookup(name) == nil {
			t.Errorf("there is no --%s any more", name)
		}
	}
}

// A reload changes what can be changed, between two passes, and names the rest, again and again.
func TestReload(t *testing.T) {
	inBubble(t, sim.Options{Users: 6}, "create: false\nresync-interval: 24h\n", func(b *bubble) {
		write(t, filepath.Join(b.specs, "new.yaml"), "email: new@example.com\nname: Ada New\n")
	}, func(b *bubble) {
		time.Sleep(20 * time.Minute)
		if _, there := b.sim.User("new@example.com"); there {
			b.Fatal("it was created at once: the test says nothing")
		}
		log := b.reload("create: false\nresync-interval: 24h\n")
		for _, msg := range []string{"configuration changed", "these settings changed, and need a restart to take effect"} {
			if said(log, msg) != nil {
				b.Errorf("nothing has changed, but the log says %v", log)
			}
		}

		log = b.reload("create: true\nresync-interval: 5m\ntokens: 3\noutput: json\nlog-level: debug\n")
		want := "[create: false -> true log-level: info -> debug resync-interval: 24h0m0s -> 5m0s]"
		if line := said(log, "configuration changed"); line == nil || fmt.Sprint(line["settings"]) != want {
			b.Errorf("%v, want the settings %s", line, want)
		}
		if got := b.d.Limits().Interval; got != 5*time.Minute {
			b.Errorf("readiness is judged by an interval of %s", got)
		}
		restart := "these settings changed, and need a restart to take effect"
		if line := said(log, restart); line == nil || fmt.Sprint(line["settings"]) != "[output tokens]" {
			b.Errorf("%v, want output and tokens", line)
		}
		time.Sleep(10 * time.Second)
		if _, there := b.sim.User("new@example.com"); !there {
			b.Error("the user is not created, although that is allowed now")
		}
		if said(append(log, b.log.take(b.T)...), "request") == nil {
			b.Errorf("no line of the level debug: %v", log)
		}
		write(b.T, filepath.Join(b.specs, "new.yaml"), "email: new@example.com\nname: Ada New\ntitle: Pilot\n")
		time.Sleep(6 * time.Minute) // a new interval, without any event
		if u, _ := b.sim.User("new@example.com"); u.Title != "Pilot" {
			b.Error("the tree was not looked at after the new --resync-interval")
		}

		log = b.reload("tokens: 3\nresync-interval: 5m\n")
		if line := said(log, restart); line == nil || fmt.Sprint(line["settings"]) != "[tokens]" {
			b.Errorf("%v, want tokens, which still differs from what is in use", line)
		}
	})
}

// A broken configuration changes nothing, whatever is wrong with it, and is told with its place and what to do.
func TestReloadOfABrokenConfiguration(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no value":      {"create: true\nmax-rate: fast\n", `config.yaml:2:1: max-rate: invalid value "fast": must be a number of calls per second, or 0`},
		"no such thing": {"create: true\nmax-rat: 5\n", `config.yaml:2:1: max-rat: there is no such setting; did you mean max-rate?`},
		"no sense":      {"create: true\nrefresh-interval: 0s\n", `config.yaml:2:1: refresh-interval: invalid value "0s": must be a positive duration, such as 30s or 15m`},
		"no such field": {"create: true\nunmanaged-fields: tittle\n", `config.yaml:2:1: unmanaged-fields: unknown field "tittle"; did you mean "title"?`},
		"no YAML":       {"create: true\n  max-rate: 5\n", `config.yaml:2:`},
		"a part":        {"create: true\nonly: " + mei + "\n", "--only and --select are for plan, --once and export"},
	} {
		t.Run(name, func(t *testing.T) {
			m := mind(t)
			inBubble(t, sim.Options{Users: 6}, "create: false\n", func(b *bubble) {
				write(t, filepath.Join(b.specs, "new.yaml"), "email: new@example.com\nname: Ada New\n")
			}, func(b *bubble) {
				time.Sleep(time.Minute)
				status := func() string { return m.status(b) }
				for range 2 {
					line := said(b.reload(test.text), "new configuration is invalid; the previous one stays in use. Fix it, then reload again")
					if line == nil || line["level"] != "ERROR" || !strings.Contains(fmt.Sprint(line["error"]), test.want) {
						b.Errorf("%v, want an error with %q", line, test.want)
					}
					if s := status(); !strings.Contains(s, "6 of 7 users are in sync") || !strings.Contains(s, "The new configuration is invalid, and the previous one is in use") ||
						!strings.Contains(s, test.want) || strings.Contains(s, "\n") {
						b.Errorf("the status is %q", s)
					}
				}
				time.Sleep(time.Hour)
				if _, there := b.sim.User("new@example.com"); there {
					b.Error("a broken configuration has allowed something")
				}
				if said(b.reload("create: true\n"), "configuration is valid again") == nil {
					b.Error("nobody is told that it is fixed")
				}
				time.Sleep(time.Minute)
				if s := status(); !strings.HasPrefix(s, "All 7 users are in sync; revision ") {
					b.Errorf("the status is %q", s)
				}
			})
		})
	}
}

// systemd hears of both: that the configuration is read, and that it is broken, until it is not any more.
func TestNotifyReload(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	m := &manager{}
	config := filepath.Join(t.TempDir(), "config.yaml")
	write(t, config, "max-rate: 50\n")
	r.env = append(r.env, "NOTIFY_SOCKET="+m.listen(t), "USERSYNCD_CONFIG="+config)
	r.start()
	heard := func(from int, pattern string) int {
		r.Helper()
		r.waitFor(pattern, func() bool { return m.when(from, pattern) >= 0 })
		return m.when(from, pattern)
	}
	synced := heard(0, `^STATUS=All 6 users are in sync; revision [0-9a-f]{12}$`)
	write(t, config, "max-rate: 50\nmax-rat: 5\n")
	r.signal(syscall.SIGHUP)
	reloading := heard(synced, `^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*$`)
	ready := heard(reloading, `^READY=1$`)
	broken := heard(reloading, `^STATUS=The new configuration is invalid, and the previous one is in use; fix it, then reload \(SIGHUP\): .*config\.yaml:2:1: max-rat: there is no such setting.*; All 6 users are in sync; revision [0-9a-f]{12}$`)

	write(t, config, "max-rate: 40\n")
	r.signal(syscall.SIGHUP)
	heard(heard(ready+1, `^RELOADING=1`), `^READY=1$`)
	heard(broken+1, `^STATUS=All 6 users are in sync; revision [0-9a-f]{12}$`)
	if r.lines("configuration changed") != 1 {
		t.Error("it is not said what has changed")
	}
	r.signal(syscall.SIGTERM)
	if code := r.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
