package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3" //nolint:depguard // a pipeline, no spec
)

// A githubJob is a job of a workflow.
type githubJob struct {
	Needs, If   string
	Outputs     map[string]string
	Concurrency struct {
		Group  string
		Cancel bool `yaml:"cancel-in-progress"`
	}
	Steps []struct {
		Name, ID, Uses, Run, If string
		Env, With               map[string]string
	}
}

// github is a runner of GitHub Actions, as far as the example needs it.
type github struct {
	*pipeline
	jobs      map[string]githubJob
	temp      string
	values    map[string]string // of expressions
	artifacts map[string]string // files
}

func newGithub(t *testing.T) *github {
	t.Helper()
	text, err := os.ReadFile("../../examples/ci/github-actions.yml")
	if err != nil {
		t.Fatal(err)
	}
	var w struct{ Jobs map[string]githubJob }
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	g := &github{pipeline: newPipeline(t), jobs: w.Jobs, artifacts: map[string]string{}, values: map[string]string{
		"secrets.GENESYSCLOUD_OAUTHCLIENT_ID": "demo", "secrets.GENESYSCLOUD_OAUTHCLIENT_SECRET": "demo",
		"secrets.USERSYNCD_STATE_KEY": "a long random text", "github.token": "token", "github.event.number": "7", "inputs.release": "",
	}}
	g.env["GITHUB_REPOSITORY"], g.env["GITHUB_WORKSPACE"] = "acme/users", g.workspace
	// Comments are in the file comment, the state in state.zip, its list in artifacts.json; $PROGRAM is what the release has.
	g.program("gh", `cd "$FAKE"
echo "$*" >> gh.log
case "$*" in
"release download usersyncd-0.1.0 --repo acme/users --pattern usersyncd --dir "*) cp "$PROGRAM" "${@: -1}/usersyncd" ;;
*/zip) cat state.zip ;;
*artifacts*) jq -r "${@: -1}" artifacts.json ;;
*--jq*) [ ! -f comment ] || echo 4711 ;;
*body=@*) for a in "$@"; do case $a in body=@*) cp "${a#body=@}" comment ;; esac; done ;;
esac
`)
	g.env["FAKE"] = t.TempDir()
	g.keep(nil, 0)
	return g
}

// keep makes the state file, encrypted, the newest artifact of main, so many days old: the others are of a fork and an older run.
func (g *github) keep(data []byte, days int) {
	g.Helper()
	at := func(days int) string { return time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339) }
	artifact := func(id, days, repository int) string {
		return fmt.Sprintf(`{"id": %d, "expired": false, "created_at": %q, "workflow_run": {"head_branch": "main", "repository_id": 1, "head_repository_id": %d}}`, id, at(days), repository)
	}
	list := []string{artifact(3, 0, 2)}
	if data != nil {
		write(g.T, filepath.Join(g.env["FAKE"], "state.zip"), zipped(g.T, "usersyncd.db.gpg", data))
		list = append(list, artifact(1, days+1, 1), artifact(2, days, 1))
	}
	write(g.T, filepath.Join(g.env["FAKE"], "artifacts.json"), `{"artifacts": [`+strings.Join(list, ",")+`]}`)
}

var expression = regexp.MustCompile(`\$\{\{ *([^ }]*) *\}\}`)

func (g *github) expand(s string) string {
	return expression.ReplaceAllStringFunc(s, func(e string) string {
		name := expression.FindStringSubmatch(e)[1]
		value, ok := g.values[name]
		if !ok && !strings.HasPrefix(name, "steps.") { // an output that a step has not set is ""
			g.Fatalf("%s has no value here", e)
		}
		return value
	})
}

// run runs a job, and returns what it printed, and the code of the first step that failed.
func (g *github) run(name string) (output string, code int) {
	g.Helper()
	g.temp = g.TempDir()
	g.values["runner.temp"] = g.temp
	maps.DeleteFunc(g.values, func(name, _ string) bool { return strings.HasPrefix(name, "steps.") })
	for _, s := range g.jobs[name].Steps {
		if s.Name == "Install usersyncd" || code != 0 && s.If != "always()" {
			continue
		}
		path := g.expand(s.With["path"])
		switch action, _, _ := strings.Cut(s.Uses, "@"); action {
		case "actions/checkout":
		case "actions/upload-artifact":
			data, err := os.ReadFile(path)
			if err != nil && s.With["if-no-files-found"] != "ignore" {
				g.Fatal(err)
			}
			if err != nil {
				continue
			}
			g.artifacts[s.With["name"]] = string(data)
			if strings.HasSuffix(path, ".gpg") {
				g.keep(data, 0)
			}
		case "actions/download-artifact":
			write(g.T, filepath.Join(path, "plan.json"), g.artifacts[s.With["name"]])
		case "":
			env := map[string]string{"RUNNER_TEMP": g.temp, "GITHUB_OUTPUT": filepath.Join(g.temp, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(g.temp, "summary")}
			for name, value := range s.Env {
				env[name] = g.expand(value)
			}
			out, c := g.step(s.Run, env)
			output += out
			code = cmp.Or(code, c)
			g.outputs(s.ID, env["GITHUB_OUTPUT"])
		default:
			g.Fatalf("%s: nobody knows the action %s", s.Name, s.Uses)
		}
	}
	for output, value := range g.jobs[name].Outputs {
		g.values["needs."+name+".outputs."+output] = map[bool]string{true: g.expand(value)}[code == 0]
	}
	return output, code
}

// outputs takes what a step has written into the file of outputs.
func (g *github) outputs(id, file string) {
	data, _ := os.ReadFile(file)
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			g.values["steps."+id+".outputs."+name] = value
		}
	}
	_ = os.Remove(file)
}

func zipped(t *testing.T, name string, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write(data)
	}
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The workflow for GitHub Actions as its runner runs it: the plan of a pull request is one comment; main is planned with the
// state of the run before, and applied as it was planned.
func TestGitHubWorkflow(t *testing.T) {
	t.Parallel()
	g := newGithub(t)
	job := func(name string, want int, parts ...string) {
		t.Helper()
		out, code := g.run(name)
		if code != want {
			t.Fatalf("%s: exit code %d, not %d:\n%s", name, code, want, out)
		}
		for _, part := range parts {
			if !strings.Contains(out, part) {
				t.Fatalf("%s: %q is missing in:\n%s", name, part, out)
			}
		}
	}
	comment := func() string {
		data, _ := os.ReadFile(filepath.Join(g.env["FAKE"], "comment"))
		return string(data)
	}
	log := func() string {
		data, _ := os.ReadFile(filepath.Join(g.env["FAKE"], "gh.log"))
		return string(data)
	}

	applies := func(want string) {
		t.Helper()
		if got := g.values["needs.plan-main.outputs.apply"]; got != want || g.jobs["apply"].If != "needs.plan-main.outputs.apply == 'true'" {
			t.Fatalf("apply: %q, want %q", got, want)
		}
	}

	job("validate", 0, "12 users in 12 files")
	g.edit("ana.perez@example.com", "title: Chief")
	job("plan", 0)
	if !strings.HasPrefix(comment(), "<!-- usersyncd:plan ") || !strings.Contains(comment(), "Chief") || strings.Contains(log(), "PATCH") {
		t.Fatalf("%s\n%s", comment(), log())
	}
	g.edit("ana.perez@example.com", "title: Boss")
	job("plan", 0)
	if !strings.Contains(comment(), "Boss") || strings.Count(log(), "PATCH repos/acme/users/issues/comments/4711") != 1 {
		t.Fatalf("%s\n%s", comment(), log())
	}

	// What is merged is planned, approved, and applied.
	job("plan-main", 0, "Boss")
	if g.values["needs.plan-main.outputs.apply"] != "true" || strings.Contains(g.artifacts["usersyncd-plan"], "Boss") || strings.Contains(g.artifacts["usersyncd-plan"], "ana.perez") {
		t.Fatalf("%v\n%s", g.values, g.artifacts["usersyncd-plan"])
	}
	job("apply", 0, "12 users: 1 applied, 11 unchanged")
	if u := g.person("ana.perez@example.com"); u.Title != "Boss" {
		t.Fatal(u.Title)
	}

	// The next run knows from the state file who is no longer declared. What is changed after the approval is held.
	g.edit("mei.perez@example.com", "")
	job("plan-main", 0, "deactivate, no longer declared")
	g.edit("ana.perez@example.com", "title: Not approved")
	job("apply", exitHeld)
	if a, m := g.person("ana.perez@example.com"), g.person("mei.perez@example.com"); a.Title != "Boss" || m.State != "inactive" {
		t.Fatal(a.Title, m.State)
	}

	// Another file than the approved one is refused.
	job("plan-main", 0, "Not approved")
	g.artifacts["usersyncd-plan"] += " "
	job("apply", 1, "plan.json: FAILED")
	if a := g.person("ana.perez@example.com"); a.Title != "Boss" {
		t.Fatal(a.Title)
	}

	// With nothing to do nothing is applied, unless the state file would soon be deleted: it is kept again.
	g.edit("ana.perez@example.com", "title: Boss")
	job("plan-main", 0)
	applies("")
	state := []byte(g.artifacts["usersyncd-state"])
	g.keep(state, 29)
	job("plan-main", 0)
	applies("")
	g.keep(state, 31)
	job("plan-main", 0)
	applies("true")
	job("apply", 0, " 0 applied, 11 unchanged")
	if newest := g.artifacts["usersyncd-state"]; newest == "" || newest == string(state) {
		t.Fatal("the state file is not kept again")
	}

	// If all that differs is held, the run does not look as if all were well.
	g.env["USERSYNCD_MAX_REMOVALS"] = "0%,0"
	g.edit("luis.perez@example.com", "")
	job("plan-main", exitHeld, "Held: 1 user")
	applies("")
	g.edit("ana.perez@example.com", "title: Chief")
	job("plan-main", 0, "Held: 1 user")
	applies("true")

	// The plan of a pull request has no state file, and says that it cannot know who is no longer declared.
	job("plan", 0)
	if !strings.Contains(comment(), "removals are not shown, as there is no state file (1 active user of the organization without a spec)") {
		t.Fatal(comment())
	}

	// Specs with a problem fail the job, and the comment says why, whatever became of the job validate.
	if needs := g.jobs["plan"].Needs; needs != "" {
		t.Fatal(needs)
	}
	g.edit("ana.perez@example.com", "titel: Boss")
	job("validate", exitInvalid, "::error file=users/")
	job("plan", exitInvalid)
	if !strings.Contains(comment(), "titel: unknown field") {
		t.Fatal(comment())
	}
}

// An older state file never replaces a newer one: who keeps it has fetched it in the same job, of which one runs at a time.
func TestWorkflowKeepsTheNewestState(t *testing.T) {
	g, keeps := newGithub(t), 0
	for name, job := range g.jobs {
		fetched := false
		for _, s := range job.Steps {
			fetched = fetched || s.Name == "Fetch the state file of the previous run"
			if s.With["name"] != "usersyncd-state" {
				continue
			}
			if keeps++; !fetched || job.Concurrency.Group == "" || job.Concurrency.Cancel {
				t.Errorf("the job %s keeps a state file that may be older than the newest", name)
			}
		}
	}
	if keeps != 1 {
		t.Errorf("%d steps keep the state file", keeps)
	}
}

// Every download of the program is checked before it is installed.
func TestPipelinesCheckTheProgram(t *testing.T) {
	g := newGithub(t)
	program, err := os.ReadFile("main.go") // anything
	if err != nil {
		t.Fatal(err)
	}
	g.program("sudo", `exec "$@"`)
	g.program("install", `cp "$3" `+filepath.Join(g.bin, "installed"))
	n := 0
	for name, job := range g.jobs {
		for _, s := range job.Steps {
			if s.Name != "Install usersyncd" {
				continue
			}
			n++
			for _, sum := range []string{fmt.Sprintf("%x", sha256.Sum256(program)), strings.Repeat("0", 64)} {
				wrong := sum[:4] == "0000"
				_ = os.Remove(filepath.Join(g.bin, "installed"))
				main, _ := filepath.Abs("main.go")
				out, code := g.step(s.Run, map[string]string{"RUNNER_TEMP": t.TempDir(), "PROGRAM": main, "PROGRAM_VERSION": "0.1.0", "PROGRAM_SHA256": sum})
				_, err := os.Stat(filepath.Join(g.bin, "installed"))
				if (code != 0) != wrong || (err != nil) != wrong {
					t.Errorf("%s: exit code %d, %v\n%s", name, code, err, out)
				}
			}
		}
	}
	if n < 4 {
		t.Errorf("%d jobs install the program", n)
	}
}
