package main

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/sync/aimd"
)

// config is every setting, with its default in the one place where its flag is declared. A flag beats
// its environment variable, that beats the configuration file, that beats the default.
type config struct {
	file string

	once             bool
	branch           string
	region           string
	apiURL, loginURL string
	clientID         string
	clientSecretFile string
	envFile          string

	state, socket string

	listen                            string
	listenHosts                       words
	readyMaxHeld, readyMaxQuarantined int

	refreshInterval time.Duration
	resyncInterval  time.Duration
	noRefresh       bool
	create, adopt   bool

	maxRate                    float64
	maxInFlight                int
	tokens                     int
	reserve                    percent
	retryMax                   int
	retry429, retry5xx         bool
	retryMinWait, retryMaxWait time.Duration
	searchLag                  time.Duration

	guards
	release words
	changeWindows
	selection
	notifications

	output, logFormat, logLevel string

	sources   map[string]string // where the value of a flag that was not given came from
	transport http.RoundTripper // instead of the network; nil outside tests
}

// commonFlags are understood by every command that reads settings.
func (c *config) commonFlags(f *pflag.FlagSet) {
	f.StringVar(&c.file, "config", "", "settings as YAML; `FILE`'s keys are the names of these flags")
	f.StringVar(&c.output, "output", "text", "what stdout gets: text or json")
	f.StringVar(&c.logFormat, "log-format", "auto", "log lines: auto, text or json on stderr, or journal: systemd's, with fields")
	f.StringVar(&c.logLevel, "log-level", "info", "least level logged: debug, info, warn or error")
}

// orgFlags say which organization is spoken to, and as whom.
func (c *config) orgFlags(f *pflag.FlagSet) {
	f.StringVar(&c.region, "region", "", "AWS `REGION` of the organization, such as eu-west-1")
	f.StringVar(&c.apiURL, "api-url", "", "base `URL` of the API instead of the region's: a gateway, or the simulator")
	f.StringVar(&c.loginURL, "login-url", "", "base `URL` of the login service; default: derived from the API's")
	f.StringVar(&c.clientID, "client-id", "", "`ID` of the OAuth client (grant type client credentials)")
	f.StringVar(&c.clientSecretFile, "client-secret-file", "", "`FILE` with the OAuth client's secret, readable by its owner alone")
	f.StringVar(&c.envFile, "env-file", "", "`FILE` with GENESYSCLOUD_ variables, readable by its owner alone; default: .env in the working directory, outside of git")
}

// passFlags say what a pass may do, and how.
func (c *config) passFlags(f *pflag.FlagSet) {
	c.stateFlags(f)
	f.StringVar(&c.branch, "branch", "", "`NAME` of the only branch whose specs are applied; none: any branch")
	f.BoolVar(&c.noRefresh, "no-refresh", false, "do not read the organization first, unless nothing is known of it")
	c.planFlags(f)
	c.selection.flags(f)
	f.Var(&c.release, "release", "release these held `IDS` in this run (plan and --once only)")
	c.readFlags(f)
	c.rateFlags(f)
}

// planFlags say what may be done to a user.
func (c *config) planFlags(f *pflag.FlagSet) {
	f.BoolVar(&c.create, "create", true, "create declared users that do not exist, and restore deleted ones; while email is unmanaged the default is false")
	f.BoolVar(&c.adopt, "adopt", true, "manage declared users that exist already")
	c.guards.flags(f)
	c.changeWindows.flags(f)
}

func (c *config) stateFlags(f *pflag.FlagSet) {
	f.StringVar(&c.state, "state", "", "state `FILE` (default $STATE_DIRECTORY/usersyncd.db, else $XDG_STATE_HOME/usersyncd/usersyncd.db)")
}

// readFlags say what of the organization is looked at.
func (c *config) readFlags(f *pflag.FlagSet) {
	f.Var(&c.unmanaged, "unmanaged-fields", "`FIELDS` that somebody else owns, given to new users only; scim: those of an identity provider")
	f.DurationVar(&c.detailInterval, "detail-interval", 24*time.Hour, "within what time roles, queues, utilization, voicemail and external ids of everybody are read again; 0: never")
}

// rateFlags say how fast it goes, and what is tried again.
func (c *config) rateFlags(f *pflag.FlagSet) {
	f.Float64Var(&c.maxRate, "max-rate", 0, "most calls a second; 0: what the API allows")
	f.IntVar(&c.maxInFlight, "max-in-flight", 10, "most calls under way at once, for each token")
	f.IntVar(&c.tokens, "tokens", 1, "most access tokens in use at once, 1 to 10; see the README before you raise it")
	f.Var(&c.reserve, "reserve", "share of the quota left to other programs, 0% to 90%; more is left to those that are seen to use it")
	f.BoolVar(&c.retry429, "retry-429", true, "wait as long as a 429 asks for, and go on; false: the pass ends with the first one")
	f.BoolVar(&c.retry5xx, "retry-5xx", true, "try again after an answer 5xx; false: the user fails, unless the call is found to have worked")
	f.IntVar(&c.retryMax, "retry-max", 5, "how often a call without a usable answer is tried again in one pass")
	f.DurationVar(&c.retryMinWait, "retry-min-wait", time.Second, "wait before the first of these tries; doubles")
	f.DurationVar(&c.searchLag, "search-lag", time.Minute, "how long the API's search may not show a new user; a creation without an answer is not repeated before")
	f.DurationVar(&c.retryMaxWait, "retry-max-wait", 30*time.Second, "longest wait between these tries")
}

// daemonFlags are the root command's own.
func (c *config) daemonFlags(f *pflag.FlagSet) {
	f.BoolVar(&c.once, "once", false, "make one full pass, then exit")
	c.socketFlags(f)
	c.listenFlags(f)
	f.DurationVar(&c.refreshInterval, "refresh-interval", 15*time.Minute, "how often the daemon reads the whole organization")
	f.DurationVar(&c.resyncInterval, "resync-interval", time.Minute, "how often the daemon reads the whole tree, events or not")
	c.notifyFlags(f)
}

func onRemoval() []string { return []string{"unmanage", "deactivate", "delete"} }
func onDrift() []string   { return []string{"enforce", "report"} }

// check refuses values that make no sense, whatever they came from.
func (c *config) check(cmd *cobra.Command) error {
	rules := []struct {
		flag string
		ok   bool
		want string
	}{
		{"output", slices.Contains([]string{"text", "json"}, c.output), "text or json"},
		{"log-format", slices.Contains(logFormats(), c.logFormat), "auto, text, json or journal"},
		{"log-level", slices.Contains([]string{"debug", "info", "warn", "error"}, c.logLevel), "debug, info, warn or error"},
		{"on-removal", slices.Contains(onRemoval(), c.onRemoval), "unmanage, deactivate or delete"},
		{"on-drift", slices.Contains(onDrift(), c.onDrift), "enforce or report"},
		{"min-admins", c.minAdmins >= 0, "0 or more"},
		{"detail-interval", c.detailInterval >= 0, "a duration, such as 24h, or 0"},
		{"max-rate", c.maxRate >= 0 && !math.IsInf(c.maxRate, 1), "a number of calls a second"},
		{"max-in-flight", c.maxInFlight >= 1, "at least 1"},
		{"tokens", c.tokens >= 1 && c.tokens <= aimd.MaxTokens, fmt.Sprintf("a number from 1 to %d", aimd.MaxTokens)},
		{"retry-max", c.retryMax >= 0, "0 or more"},
		{"retry-min-wait", c.retryMinWait > 0, "a positive duration, such as 1s"},
		{"retry-max-wait", c.retryMaxWait >= c.retryMinWait, "at least --retry-min-wait"},
		{"notify-format", slices.Contains(notifyFormats(), c.notifyFormat), "auto, generic, slack or teams"},
		{"notify-repeat", c.notifyRepeat >= 0, "a duration, such as 24h, or 0"},
		{"search-lag", c.searchLag > 0, "a positive duration, such as 1m"},
		{"refresh-interval", c.refreshInterval > 0, "a positive duration, such as 15m"},
		{"resync-interval", c.resyncInterval > 0, "a positive duration, such as 1m"},
	}
	for _, r := range rules {
		if f := cmd.Flags().Lookup(r.flag); f != nil && !r.ok {
			return usage("%s: %q is not %s", cmp.Or(c.sources[r.flag], "--"+r.flag), f.Value, r.want)
		}
	}
	return nil
}

// statePath is where the state file is unless a flag says so.
func (c *config) statePath(env environment) (string, error) {
	if c.state != "" {
		return c.state, nil
	}
	if dir, _ := env.get("STATE_DIRECTORY"); dir != "" {
		first, _, _ := strings.Cut(dir, ":") // systemd lists several with colons
		return filepath.Join(first, "usersyncd.db"), nil
	}
	dir, _ := env.get("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) { // which the XDG specification ignores; and it could be in a checkout
		home, _ := env.get("HOME")
		if !filepath.IsAbs(home) {
			return "", usage("--state: no $STATE_DIRECTORY, and no absolute $XDG_STATE_HOME or $HOME to find a place; say where the state file is to be")
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "usersyncd", "usersyncd.db"), nil
}

// existing refuses a directory of specs that is not there. The daemon waits for it instead.
func existing(dir string) error {
	if info, err := os.Stat(dir); err != nil {
		return usage("%w: give the directory that holds the specs", err)
	} else if !info.IsDir() {
		return usage("%s is a file: give the directory that holds the specs", dir)
	}
	return nil
}

// specDir is the one argument, or $USERSYNCD_DIR, or dir in the configuration file.
func (c *config) specDir(cmd *cobra.Command, args []string, env environment) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	if dir, _ := env.get("USERSYNCD_DIR"); dir != "" {
		return dir, nil
	}
	settings, err := readSettings(c.file, cmd.Root())
	if err != nil {
		return "", err
	}
	if s, ok := settings["dir"]; ok {
		return s.Value, nil
	}
	before := ""
	if strings.Contains(cmd.Use, "EMAIL") {
		before = " EMAIL"
	}
	return "", usage("which directory holds the specs? Give it as the argument: %s%s DIR", cmd.CommandPath(), before)
}
