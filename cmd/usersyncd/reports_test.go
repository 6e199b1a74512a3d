package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"usersyncd/cmd/usersyncd/internal/report/reporttest"
	"usersyncd/sync/genesys/sim"
)

// reported runs a command with a report in each format that it takes, and returns these by format, and the exit code.
func reported(t *testing.T, server *sim.Server, formats string, args ...string) (map[string][]byte, int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := process{stdout: &stdout, stderr: &stderr, transport: server.Transport(), lookupEnv: func(name string) (string, bool) {
		v, ok := map[string]string{
			"USERSYNCD_API_URL": "http://127.0.0.1", "GENESYSCLOUD_OAUTHCLIENT_ID": "demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET": "demo",
			"USERSYNCD_STATE": "state.db", "GITHUB_STEP_SUMMARY": "summary.md", "GITHUB_OUTPUT": "outputs.txt", "USERSYNCD_RETRY_MAX": "0",
		}[name]
		return v, ok
	}}
	reports := map[string][]byte{}
	for format := range strings.FieldsSeq(formats) {
		args = append(args, "-o", format+"="+format+".out")
	}
	for _, name := range []string{"summary.md", "outputs.txt"} {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
	code := execute(t.Context(), append(args, "-o", "github"), p)
	reports["github"] = stdout.Bytes()
	for format := range strings.FieldsSeq(formats) {
		data, err := os.ReadFile(format + ".out")
		if err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		reports[format] = data
	}
	summary, _ := os.ReadFile("summary.md")
	if !bytes.Equal(summary, reports["markdown"]) {
		t.Errorf("%v: the summary is\n%s", args, summary)
	}
	reports["outputs"], _ = os.ReadFile("outputs.txt")
	return reports, code
}

// check reads each report strictly.
func check(t *testing.T, reports map[string][]byte, validate bool) {
	t.Helper()
	fail := func(format string, err error) {
		if err != nil {
			t.Errorf("%s: %v\n%s", format, err, reports[format])
		}
	}
	for format, data := range reports {
		var err error
		switch format {
		case "json":
			if len(data) == 0 {
				continue // it could not begin
			}
			if validate {
				_, err = reporttest.Validate(data)
			} else {
				_, err = reporttest.ReadResult(data)
			}
		case "markdown":
			_, _, err = reporttest.Markdown(data)
		case "github":
			_, err = reporttest.Annotations(string(data))
		case "junit":
			_, err = reporttest.JUnit(data)
		case "gitlab":
			_, err = reporttest.GitLab(data)
		case "gitlab-plan":
			_, _, _, _, err = reporttest.GitLabPlan(data)
		case "outputs":
			if !regexp.MustCompile(`^(plan=p-[0-9a-f]+\ndigest=(sha256:[0-9a-f]{64})?\nchanged=\d+\nheld=\d+\nmanaged=\d+\n)?$`).Match(data) {
				err = fmt.Errorf("%q", data)
			}
		}
		fail(format, err)
		if format != "github" && len(reporttest.Commands(string(data))) > 0 {
			t.Errorf("%s has commands: %q\n%s", format, reporttest.Commands(string(data)), data)
		}
	}
}

const planFormats = "json markdown junit gitlab gitlab-plan"

// varies is what differs from run to run: the token that stops commands, and ids of answers.
var varies = regexp.MustCompile(`(::stop-commands::|\n::)[0-9a-f]{32}|(correlation id |"correlationId": ")[-0-9a-f]{36}`)

// Each format of validate, plan and --once is as in testdata/reports, and read by a strict parser.
func TestReports(t *testing.T) {
	golden, err := filepath.Abs("testdata/reports")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	specs := func(name, text string) { write(t, filepath.Join("users", name), text) }
	compare := func(t *testing.T, name string, reports map[string][]byte) {
		t.Helper()
		check(t, reports, name == "validate")
		for format, data := range reports {
			path := filepath.Join(golden, name+"."+format)
			got := varies.ReplaceAllString(string(data), "${1}${2}ID")
			if *update {
				write(t, path, got)
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; go test -update writes it", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s.%s (-want +got):\n%s", name, format, diff)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		server := sim.New(sim.Options{Users: 24, Seed: 7, Latency: 20 * time.Millisecond, IndexLag: -1, GrantLag: -1})
		people := server.Users()
		declare := func(i int, more string) {
			u := people[i]
			folder := []string{"sales", "support"}[i%2]
			specs(fmt.Sprintf("%s/user%02d.yaml", folder, i), fmt.Sprintf("email: %s\nname: %s\n%s", u.Email, u.Name, more))
		}
		for i := range 20 {
			declare(i, "title: Agent\n")
		}
		flags := []string{"--on-removal", "deactivate", "--max-removals", "0%,1", "--allow-roles", "*"}
		if reports, code := reported(t, server, planFormats, append([]string{"--once", "users"}, flags...)...); code != 0 {
			t.Fatalf("exit code %d\n%s", code, reports["github"])
		}

		for _, i := range []int{0, 1} { // no longer declared: held
			if err := os.Remove(fmt.Sprintf("users/%s/user%02d.yaml", []string{"sales", "support"}[i], i)); err != nil {
				t.Fatal(err)
			}
		}
		declare(2, "title: Agent\nstate: inactive\n")
		declare(3, "title: Agent\nroles: [Employee, Supervisor]\n")
		specs("sales/user04.yaml", fmt.Sprintf("email: renamed@example.com\npreviousEmail: %s\nname: %s\ntitle: Agent\n", people[4].Email, people[4].Name))
		for i := 5; i < 10; i++ {
			declare(i, "title: '`Lead` | <b> ##[error]'\n")
		}
		declare(10, "title: Agent\nskills: {Billing: 3, Nope: 1}\n")
		declare(11, "title: Coach\nskills: {Billing: 3, Sales: 2}\n")
		specs("sales/new.yaml", "email: new@example.com\nname: New\ntitle: Agent\n")

		reports, code := reported(t, server, planFormats, append([]string{"plan", "users"}, flags...)...)
		if code != exitFailed {
			t.Errorf("plan: exit code %d", code)
		}
		compare(t, "plan", reports)

		fault, err := sim.ParseFault("PATCH user=" + people[11].Email + " 422")
		if err != nil {
			t.Fatal(err)
		}
		server.AddFault(fault)
		reports, code = reported(t, server, planFormats, append([]string{"--once", "users"}, flags...)...)
		if code != exitFailed {
			t.Errorf("--once: exit code %d", code)
		}
		compare(t, "once", reports)

		specs("sales/a.yaml", "email: ana@\ntitel: Agent\n")
		specs("support/b.yaml", "email: [\n")
		specs("support/c.yaml", "email: c@example.com\ntitle: ${TITLE}\n")
		reports, code = reported(t, server, "json markdown junit gitlab", "validate", "users")
		if code != exitInvalid {
			t.Errorf("validate: exit code %d", code)
		}
		compare(t, "validate", reports)
		formats := []string{}
		for format := range reports {
			formats = append(formats, format)
		}
		if slices.Sort(formats); len(formats) != 6 {
			t.Errorf("validate: only %v", formats)
		}
	})
}

// Whatever stands in specs, in names of files and in the organization, each report has the form that its readers expect, and
// GitHub's runner obeys our commands alone.
func TestHostileReports(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	synctest.Test(t, func(t *testing.T) {
		server := sim.New(sim.Options{Users: len(hostile) + 2, Seed: 3, IndexLag: -1})
		specs, wrong := hostileSpecs(t, server, ".")
		users := server.Users()
		escaped := map[string]string{"json": `\u0023#[error]`, "gitlab": `\u0023#[error]`, "junit": "&#35;#[error]", "github": `\x23#[error]`, "markdown": `##\x5berror]`}
		for _, args := range [][]string{
			{"validate", wrong}, {"validate", specs}, {"plan", wrong}, {"plan", specs}, {"--once", wrong}, {"plan", "##[error]x"}, {"plan", "--only", "::error::x", specs},
			{"plan", "--max-changes", "0%,1", specs}, {"--once", specs},
		} {
			if args[0] == "--once" {
				server.AddFault(sim.Fault{Method: "PATCH", User: users[1].Email, Effect: sim.Status, Code: 400})
			}
			formats := planFormats
			if args[0] == "validate" {
				formats = "json markdown junit gitlab"
			}
			reports, code := reported(t, server, formats, args...)
			if code == exitDone && args[1] != specs {
				t.Errorf("%q: exit code 0", args)
			}
			check(t, reports, args[0] == "validate")
			for format, data := range reports {
				if bytes.Contains(data, []byte(escaped[format])) {
					delete(escaped, format)
				}
				if i := bytes.IndexFunc(data, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
					t.Errorf("%q: %s is not printable at %d: %q", args, format, i, data[max(0, i-60):min(len(data), i+60)])
				}
			}
		}
		if len(escaped) > 0 {
			t.Errorf("nothing had to be escaped as %q; the test says little", escaped)
		}
	})
}

// Paths in reports are relative to the work tree of git, else to what the runner calls the repository, else to the working
// directory.
func TestRepositoryDir(t *testing.T) {
	top := t.TempDir()
	t.Chdir(top)
	write(t, "org/eu/users/a.yaml", "")
	write(t, "git/.git/HEAD", "ref: refs/heads/main\n")
	write(t, "git/eu/users/a.yaml", "")
	if err := os.Symlink("git/eu", "current"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ dir, variable, value, want string }{
		{"org/eu/users", "", "", "org/eu/users"},
		{"./org/../org/eu/users/", "", "", "org/eu/users"},
		{".", "", "", "."},
		{"org/eu/users", "GITHUB_WORKSPACE", top + "/org", "eu/users"},
		{"org/eu/users", "CI_PROJECT_DIR", top + "/org/eu/users", "."},
		{"org/eu/users", "CI_PROJECT_DIR", top + "/git", "org/eu/users"},
		{"git/eu/users", "GITHUB_WORKSPACE", top, "eu/users"},
		{"current/users", "", "", "eu/users"},
		{"nowhere/users/", "", "", "nowhere/users"},
	} {
		_, c := newRoot(process{lookupEnv: func(name string) (string, bool) { return test.value, name == test.variable }})
		c.Dir = test.dir
		if got := repositoryDir(c); got != test.want {
			t.Errorf("%s with %s=%s: %q, want %q", test.dir, test.variable, test.value, got, test.want)
		}
	}
}
