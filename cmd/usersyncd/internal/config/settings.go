package config

import (
	"time"

	"github.com/spf13/pflag"

	"usersyncd/sync/aimd"
	"usersyncd/sync/control/notify"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

// Group is a set of settings that commands take together. A command may take several: Org|Rate.
type Group uint

// The groups of settings.
const (
	Output  Group = 1 << iota // what stdout gets
	Logging                   // the log, colors, and the configuration file
	Org                       // the organization, and how to log in
	State                     // the state file
	Socket                    // where daemon and commands meet
	Pass                      // what one pass does
	Time                      // how long a command may take
	Saved                     // plans in files
	Select                    // which users
	Plan                      // when and whether users may be changed
	Guards                    // what may be changed without a person's release
	Read                      // what is read of the organization
	Rate                      // how fast, and what is retried
	Webhook                   // where notifications are sent
	Daemon                    // the daemon's own

	Common = Output | Logging                                                          // of every command that reads settings
	Full   = Org | State | Pass | Time | Select | Plan | Guards | Read | Rate | Common // of a command that makes a pass
	Query  = State | Socket | Common                                                   // of a command that asks the daemon
)

// title is what the help calls a group.
func (g Group) title() string {
	return map[Group]string{
		Output: "Output", Logging: "Configuration file and log", Org: "Organization and login", State: "State file", Socket: "Socket of the service",
		Pass: "One pass", Time: "One pass", Saved: "One pass", Select: "Which users", Plan: "When and whether users are changed", Guards: "Guards", Read: "What is read", Rate: "Rate and retries",
		Webhook: "Notifications", Daemon: "Service",
	}[g]
}

// setting is a row of the table of settings.
type setting struct {
	name   string
	group  Group
	value  declaration // and the default
	rule               // which values are allowed
	basic  bool        // it is in the help of each command that has it, and not only in that of settings
	reload bool        // a running daemon takes over a new value
	former string      // a name that it had before, which is still understood
	help   string      // with the `NAME` of the value
}

// settings is the table. Its rows point into c.
func (c *Config) settings() []setting {
	return []setting{
		{name: "output", basic: true, group: Output, value: outputs(&c.Outputs),
			help: "write the result as `FORMAT[=FILE]`, without FILE to stdout: text or json; plan, validate, apply and --once also as markdown, github, junit, gitlab and gitlab-plan; give it again for each further file"},
		{name: "config", basic: true, group: Logging, value: value(&c.File, ""), help: "read settings from this YAML `FILE`; its keys are names of flags"},
		{name: "color", group: Logging, value: choice(&c.Color, "auto", "auto", "always", "never"), help: "`WHEN` text has colors (auto: on a terminal, as NO_COLOR, CLICOLOR_FORCE, FORCE_COLOR, CLICOLOR and TERM say)"},
		{name: "log-format", group: Logging, value: choice(&c.LogFormat, "auto", "auto", "text", "json", "journal"), help: "log `FORMAT` (auto: journal if it reads stderr, else text)"},
		{name: "log-level", basic: true, group: Logging, value: choice(&c.LogLevel, "info", "debug", "info", "warn", "error"), reload: true, help: "log `LEVEL`"},

		{name: "region", basic: true, group: Org, value: suggested(&c.Region, api.Regions()), help: "AWS `REGION` of the organization, such as eu-west-1"},
		{name: "api-url", group: Org, value: value(&c.APIURL, ""), help: "base `URL` of the API instead of the region's, for a gateway or the simulator"},
		{name: "login-url", group: Org, value: value(&c.LoginURL, ""), help: "base `URL` of the login service (default: derived from the API URL)"},
		{name: "client-id", group: Org, value: value(&c.ClientID, ""), help: "`ID` of the OAuth client (grant type Client Credentials)"},
		{name: "client-secret-file", group: Org, value: value(&c.ClientSecretFile, ""), help: "`FILE` with the OAuth client secret, readable only by its owner"},
		{name: "env-file", group: Org, value: value(&c.EnvFile, ""), help: "`FILE` with GENESYSCLOUD_ variables, readable only by its owner (default: .env in the working directory, outside of git)"},

		{name: "state", basic: true, group: State, value: value(&c.State, ""), help: "state `FILE` (default $STATE_DIRECTORY/usersyncd.db, else $XDG_STATE_HOME/usersyncd/usersyncd.db)"},
		{name: "socket", group: Socket, value: value(&c.Socket, ""), help: "`PATH` of the daemon's socket, or none (default $RUNTIME_DIRECTORY/usersyncd.sock, else the state file's path with .sock)"},

		{name: "branch", group: Pass, value: value(&c.Branch, ""), reload: true, help: "`NAME` of the only branch whose specs are applied (default: any branch)"},
		{name: "no-refresh", group: Pass, value: value(&c.NoRefresh, false), reload: true, help: "do not read the organization first, unless nothing is known about it"},
		{name: "release", basic: true, group: Pass, value: value(&c.Release, nil), help: "release the held changes with these `IDS` in this run (plan, apply and --once only)"},
		{name: "timeout", basic: true, group: Time, value: value(&c.Timeout, 0), rule: notNegative(&c.Timeout), help: "end --once, apply, plan or export in good order after this time; 0: never"},
		{name: "plan", basic: true, group: Daemon, value: value(&c.SavedPlan, ""), help: "with --once, do what this `PLAN` has and nothing else: a file of plan --out or, all or nothing, an id or a digest (sha256:...)"},
		{name: "plan-max-age", group: Saved, value: value(&c.PlanMaxAge, 24*time.Hour), rule: positive(&c.PlanMaxAge), help: "how old a file of plan --out may be"},
		{name: "only", basic: true, group: Select, value: value(&c.Only, nil), help: "process only the users with these email `ADDRESSES`"},
		{name: "select", basic: true, group: Select, value: value(&c.Select, ""), help: "process only the users declared with `FIELD=VALUE,...`"},

		{name: "create", group: Plan, value: value(&c.Create, true), reload: true,
			help: "create declared users that do not exist, and restore deleted ones; the default is false while email is unmanaged"},
		{name: "adopt", group: Plan, value: value(&c.Adopt, true), reload: true, help: "manage declared users that already exist"},
		{name: "change-window", group: Plan, value: windows(&c.ChangeWindow), reload: true,
			help: "`HOURS` in which routing may be changed, such as 'Mon-Fri 20:00-06:00 Europe/Madrid'; separate several with semicolons (default: always)"},
		{name: "change-window-fields", group: Plan, value: value(&c.ChangeWindowFields, fieldNames(plan.RoutingFields())), reload: true,
			help: "`FIELDS` that wait for a change window; deactivations and removals never wait"},

		{name: "on-removal", basic: true, group: Guards, value: choice(&c.OnRemoval, "unmanage", "unmanage", "deactivate", "delete"), reload: true,
			help: "`ACTION` for managed users whose spec was removed"},
		{name: "on-drift", group: Guards, value: choice(&c.OnDrift, "enforce", "enforce", "report"), reload: true,
			help: "`ACTION` for changes made in Genesys"},
		{name: "max-removals", group: Guards, value: value(&c.MaxRemovals, &plan.Limit{Percent: 5, Floor: 10}), reload: true,
			help: "maximum number of users removed in 24 hours: a percentage and a number, of which the larger counts; others are held until released"},
		{name: "max-deactivations", group: Guards, value: value(&c.MaxDeactivations, &plan.Limit{Percent: 10, Floor: 20}), reload: true,
			help: "maximum number of users deactivated in 24 hours"},
		{name: "max-creations", group: Guards, value: value(&c.MaxCreations, &plan.Limit{Percent: 10, Floor: 100}), reload: true,
			help: "maximum number of users created or restored in 24 hours; the percentage is of all users in the organization; a first import is not limited"},
		{name: "max-renames", group: Guards, value: value(&c.MaxRenames, &plan.Limit{Percent: 2, Floor: 5}), reload: true,
			help: "maximum number of users whose email address changes in 24 hours"},
		{name: "max-losses", former: "max-skill-losses", group: Guards, value: value(&c.MaxLosses, &plan.Limit{Percent: 50, Floor: 20}), reload: true,
			help: "maximum number of users who lose the same skill, language, queue, group, role or location in 24 hours; the percentage is of those who have it"},
		{name: "max-changes", group: Guards, value: value(&c.MaxChanges, nil), reload: true,
			help: "maximum number of users in one plan with changes to fields other than email and state"},
		{name: "hold-reactivations", group: Guards, value: value(&c.HoldReactivations, true), reload: true,
			help: "hold users who were deactivated or deleted by somebody else until they are released or their own spec is edited"},
		{name: "protect", group: Guards, value: value(&c.Protect, nil), reload: true, help: "`USERS`, by email address or id, who are never changed"},
		{name: "admin-roles", group: Guards, value: value(&c.AdminRoles, []string{"Master Admin", "admin"}), reload: true, help: "`ROLES` of administrators"},
		{name: "min-admins", group: Guards, value: value(&c.MinAdmins, 2), rule: atLeast(&c.MinAdmins, 0), reload: true,
			help: "minimum number of active users who keep one of the --admin-roles; 0: not checked"},
		{name: "allow-roles", group: Guards, value: value(&c.AllowRoles, nil), reload: true, help: "`ROLES` that specs may give to users who do not have them, written as in specs (case counts); '*': any"},
		{name: "allow-divisions", group: Guards, value: value(&c.AllowDivisions, []string{"*"}), reload: true, help: "`DIVISIONS` that specs may put users and roles into"},
		{name: "allow-queues", group: Guards, value: value(&c.AllowQueues, []string{"*"}), reload: true, help: "`QUEUES` that specs may add users to"},
		{name: "allow-groups", group: Guards, value: value(&c.AllowGroups, []string{"*"}), reload: true, help: "`GROUPS` that specs may add users to; groups can grant roles"},

		{name: "unmanaged-fields", group: Read, value: value(&c.UnmanagedFields, nil), reload: true,
			help: "`FIELDS` that another system manages, set only when a user is created; scim: those of a SCIM identity provider"},
		{name: "detail-interval", group: Read, value: value(&c.DetailInterval, 24*time.Hour), rule: notNegative(&c.DetailInterval), reload: true,
			help: "how often roles, queues, utilization, voicemail and external ids of all users are read again; 0: never"},

		{name: "max-rate", group: Rate, value: value(&c.MaxRate, 0), rule: finite(&c.MaxRate), reload: true, help: "maximum API calls per second; 0: what the API allows"},
		{name: "max-in-flight", group: Rate, value: value(&c.MaxInFlight, 10), rule: atLeast(&c.MaxInFlight, 1), help: "maximum API calls in flight for each access token"},
		{name: "tokens", group: Rate, value: value(&c.Tokens, 1), rule: between(&c.Tokens, 1, aimd.MaxTokens), help: "maximum number of access tokens in use at once, 1 to 10; the vendor advises against more than one"},
		{name: "reserve", group: Rate, value: share(&c.Reserve), reload: true,
			help: "share of the API quota to leave to other programs, 0% to 90%; more is left if they are seen using it"},
		{name: "retry-429", group: Rate, value: value(&c.Retry429, true), help: "wait as long as a 429 response asks for, and go on; false: end the pass with the first one"},
		{name: "ignore-pause", group: Rate, value: value(&c.IgnorePause, false), help: "send the first call although the API has asked an earlier run for a pause that is not over"},
		{name: "retry-5xx", group: Rate, value: value(&c.Retry5xx, true), help: "retry after a 5xx response; false: the user fails, unless the call is found to have succeeded"},
		{name: "retry-max", group: Rate, value: value(&c.RetryMax, 5), rule: atLeast(&c.RetryMax, 0), help: "maximum retries of a call without a usable response in one pass"},
		{name: "retry-min-wait", group: Rate, value: value(&c.RetryMinWait, time.Second), rule: positive(&c.RetryMinWait), help: "wait before the first retry; doubles with each retry"},
		{name: "retry-max-wait", group: Rate, value: value(&c.RetryMaxWait, 30*time.Second),
			rule: rule{"at least --retry-min-wait", func() bool { return c.RetryMaxWait >= c.RetryMinWait }}, help: "maximum wait between retries"},
		{name: "search-lag", group: Rate, value: value(&c.SearchLag, time.Minute), rule: positive(&c.SearchLag), reload: true,
			help: "how long the API's search may not find a new user; a create call without a response is not repeated before then"},

		{name: "notify-url-file", group: Webhook, value: value(&c.NotifyURLFile, ""), help: "`FILE` with the URL of a webhook for notifications, readable only by its owner"},
		{name: "notify-format", group: Webhook, value: choice(&c.NotifyFormat, "auto", "auto", string(notify.Generic), string(notify.Slack), string(notify.Teams)), help: "notification `FORMAT` (auto: depends on the host of the webhook)"},
		{name: "notify-name", group: Webhook, value: value(&c.NotifyName, ""), help: "`NAME` of this installation in notifications"},

		{name: "notify-repeat", group: Daemon, value: value(&c.NotifyRepeat, 24*time.Hour), rule: notNegative(&c.NotifyRepeat), help: "how often a notification is repeated while its cause lasts; 0: never"},
		{name: "notify-details", group: Daemon, value: value(&c.NotifyDetails, true), help: "name users, files and errors in notifications; false: only counts and commands"},
		{name: "once", basic: true, group: Daemon, value: value(&c.Once, false), help: "make one full pass, then exit"},
		{name: "listen", basic: true, group: Daemon, value: value(&c.Listen, ""), rule: address(&c.Listen), help: "serve the status page, metrics and health checks on `HOST:PORT`, such as 127.0.0.1:8787 (default: not served)"},
		{name: "listen-hosts", group: Daemon, value: value(&c.ListenHosts, nil), help: "further host `NAMES` under which browsers may open the status page"},
		{name: "ready-max-held", group: Daemon, value: value(&c.ReadyMaxHeld, 100), help: "/readyz fails while more users are held; -1: no limit"},
		{name: "ready-max-quarantined", group: Daemon, value: value(&c.ReadyMaxQuarantined, 100), help: "/readyz fails while more users are quarantined; -1: no limit"},
		{name: "refresh-interval", group: Daemon, value: value(&c.RefreshInterval, 15*time.Minute), rule: positive(&c.RefreshInterval), reload: true,
			help: "how often the daemon reads the whole organization"},
		{name: "resync-interval", group: Daemon, value: value(&c.ResyncInterval, time.Minute), rule: positive(&c.ResyncInterval), reload: true,
			help: "how often the daemon reads all specs, even without a file event"},
	}
}

// A Setting is a row of the table, for texts that list it.
type Setting struct {
	Group  string // its title
	Flag   *pflag.Flag
	Reload bool // a running daemon takes over a new value
}

// Settings are all settings, group by group.
func (c *Config) Settings() []Setting {
	all := make([]Setting, len(c.table))
	for i, s := range c.table {
		all[i] = Setting{s.group.title(), c.all.Lookup(s.name), s.reload}
	}
	return all
}

// Reloadable are the names of the settings that a running daemon takes over.
func Reloadable() []string {
	var names []string
	for _, s := range new(Config).settings() {
		if s.reload {
			names = append(names, s.name)
		}
	}
	return names
}
