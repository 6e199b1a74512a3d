package main

import (
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gopkg.in/yaml.v3" //nolint:depguard // a pipeline, no spec
)

// gitlab is a runner of GitLab, and the part of its API that the example uses.
type gitlab struct {
	*pipeline
	jobs map[string]struct {
		Before []string `yaml:"before_script"`
		Script []string
		After  []string `yaml:"after_script"`
		Needs  []string
		Rules  []struct {
			When         string
			AllowFailure bool `yaml:"allow_failure"`
		}
	}
	before []string
	mu     sync.Mutex
	notes  []map[string]any
	state  []byte // the package
	log    []string
}

func newGitlab(t *testing.T) *gitlab {
	t.Helper()
	text, err := os.ReadFile("../../examples/ci/gitlab-ci.yml")
	if err != nil {
		t.Fatal(err)
	}
	g := &gitlab{pipeline: newPipeline(t), notes: []map[string]any{{"id": 1, "author": map[string]any{"id": 5}, "body": "<!-- usersyncd:plan of somebody else"}}}
	var defaults struct {
		Default struct {
			Before []string `yaml:"before_script"`
		}
	}
	all := map[string]any{}
	if err := errors.Join(yaml.Unmarshal(text, &all), yaml.Unmarshal(text, &defaults)); err != nil {
		t.Fatal(err)
	}
	g.before = defaults.Default.Before
	for _, name := range []string{"stages", "variables", "workflow", "default"} {
		delete(all, name) // the others are jobs
	}
	rest, err := yaml.Marshal(all)
	if err == nil {
		err = yaml.Unmarshal(rest, &g.jobs)
	}
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(g)
	t.Cleanup(api.Close)
	program := []byte("a program")
	maps.Copy(g.env, map[string]string{
		"GENESYSCLOUD_OAUTHCLIENT_ID": "demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET": "demo", "STATE": filepath.Join(g.workspace, ".state", "usersyncd.db"), "PLAN": "plan.json",
		"CI_PROJECT_DIR": g.workspace, "CI_API_V4_URL": api.URL, "CI_PROJECT_ID": "9", "CI_MERGE_REQUEST_IID": "7", "CI_JOB_TOKEN": "job", "USERSYNCD_NOTE_TOKEN": "note",
		"USERSYNCD_STATE_KEY": "a long random text", "STATE_PACKAGE": api.URL + "/projects/9/packages/generic/usersyncd-state/1/usersyncd.db.gpg",
		"PROGRAM_VERSION": "0.1.0", "PROGRAM_SHA256": fmt.Sprintf("%x", sha256.Sum256(program)),
	})
	g.program("apt-get", "")
	g.program("install", `cp "$3" `+filepath.Join(g.bin, "installed"))
	return g
}

func (g *gitlab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	g.log = append(g.log, r.Method+" "+r.URL.Path)
	token := map[string]string{"note": r.Header.Get("PRIVATE-TOKEN"), "job": r.Header.Get("JOB-TOKEN")}
	switch path := r.URL.Path; {
	case path == "/projects/9/packages/generic/usersyncd/0.1.0/usersyncd" && token["job"] == "job":
		_, _ = io.WriteString(w, "a program")
	case path == "/user" && token["note"] == "note":
		_, _ = io.WriteString(w, `{"id": 3}`)
	case strings.HasPrefix(path, "/projects/9/merge_requests/7/notes") && token["note"] == "note":
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		text := r.PostFormValue("body")
		switch r.Method {
		case http.MethodGet:
			_ = json.NewEncoder(w).Encode(g.notes)
		case http.MethodPost:
			g.notes = append(g.notes, map[string]any{"id": 4711, "author": map[string]any{"id": 3}, "body": text})
		case http.MethodPut:
			g.notes[len(g.notes)-1]["body"] = text
		}
	case strings.HasSuffix(path, "/usersyncd.db.gpg") && token["job"] == "job":
		switch {
		case r.Method == http.MethodPut:
			g.state = body
		case g.state == nil:
			http.Error(w, "not found", http.StatusNotFound)
		default:
			_, _ = w.Write(g.state)
		}
	default:
		http.Error(w, "forbidden", http.StatusForbidden)
	}
}

// run runs a job in a workspace in which only the artifacts of earlier jobs are left, and returns what it printed.
func (g *gitlab) run(name string, want int, parts ...string) {
	g.Helper()
	if err := os.RemoveAll(filepath.Join(g.workspace, ".state")); err != nil {
		g.Fatal(err)
	}
	job, ok := g.jobs[name]
	if !ok {
		g.Fatalf("there is no job %s", name)
	}
	out, code := g.step(strings.Join(append(g.before, job.Script...), "\n"), nil)
	after, c := g.step(strings.Join(job.After, "\n"), nil)
	if code != want || c != 0 {
		g.Fatalf("%s: exit codes %d and %d, not %d:\n%s%s", name, code, c, want, out, after)
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			g.Fatalf("%s: %q is missing in:\n%s", name, part, out)
		}
	}
	if data, err := os.ReadFile(filepath.Join(g.workspace, "plan.env")); err == nil { // artifacts:reports:dotenv
		key, value, _ := strings.Cut(strings.TrimSpace(string(data)), "=")
		g.env[key] = value
	}
}

// The pipeline for GitLab as its runner runs it, see TestGitHubWorkflow.
func TestGitLabPipeline(t *testing.T) {
	t.Parallel()
	g := newGitlab(t)
	g.run("validate", 0, "12 users in 12 files")
	for name, parse := range map[string]func([]byte) error{
		"report.xml":                  func(data []byte) error { return xml.Unmarshal(data, new(struct{ XMLName xml.Name })) },
		"gl-code-quality-report.json": func(data []byte) error { return json.Unmarshal(data, new([]any)) },
	} {
		data, err := os.ReadFile(filepath.Join(g.workspace, name))
		if err == nil {
			err = parse(data)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	// One note, which is replaced; nobody else's is.
	for _, title := range []string{"Chief", "Boss"} {
		g.edit("ana.perez@example.com", "title: "+title)
		g.run("usersyncd plan", 0, title)
		if note := g.notes[len(g.notes)-1]; len(g.notes) != 2 || !strings.Contains(fmt.Sprint(note["body"]), title) || note["id"] != 4711 {
			t.Fatalf("%v\n%v", g.notes, g.log)
		}
	}
	var numbers map[string]int
	if data, err := os.ReadFile(filepath.Join(g.workspace, "tfplan.json")); err != nil || json.Unmarshal(data, &numbers) != nil || numbers["update"] != 1 {
		t.Errorf("%v, %s", err, data)
	}

	// What is merged is planned, approved, and applied; the state is kept, encrypted.
	g.run("plan default branch", 0, "Boss")
	g.run("apply", 0, "12 users: 1 applied, 11 unchanged")
	if u := g.person("ana.perez@example.com"); u.Title != "Boss" || len(g.state) == 0 || strings.Contains(string(g.state), "ana.perez") {
		t.Fatal(u.Title, len(g.state))
	}

	// The next run knows who is no longer declared. What is changed after the approval is held.
	g.edit("mei.perez@example.com", "")
	g.run("plan default branch", 0, "deactivate, no longer declared")
	g.edit("ana.perez@example.com", "title: Not approved")
	g.run("apply", exitHeld)
	if a, m := g.person("ana.perez@example.com"), g.person("mei.perez@example.com"); a.Title != "Boss" || m.State != "inactive" {
		t.Fatal(a.Title, m.State)
	}

	// Another file than the approved one is refused.
	g.run("plan default branch", 0, "Not approved")
	write(t, filepath.Join(g.workspace, "plan.json"), "{}")
	g.run("apply", 1, "plan.json: FAILED")
	if a := g.person("ana.perez@example.com"); a.Title != "Boss" {
		t.Fatal(a.Title)
	}

	// If all that differs is held, the pipeline does not look as if all were well; it is not blocked by a plan of nothing.
	write(t, filepath.Join(g.workspace, "plan.json"), "")
	g.edit("ana.perez@example.com", "title: Boss")
	g.run("plan default branch", 0)
	if apply := g.jobs["apply"]; len(apply.Rules) != 1 || apply.Rules[0].When != "manual" || !apply.Rules[0].AllowFailure {
		t.Errorf("%+v", apply.Rules)
	}
	g.env["USERSYNCD_MAX_REMOVALS"] = "0%,0"
	g.edit("luis.perez@example.com", "")
	g.run("plan default branch", exitHeld, "Held: 1 user")
	g.edit("ana.perez@example.com", "title: Chief")
	g.run("plan default branch", 0, "Held: 1 user")

	// Specs with a problem are in the note, whatever became of the job validate.
	if needs := g.jobs["usersyncd plan"].Needs; needs == nil || len(needs) > 0 {
		t.Error(needs)
	}
	g.edit("ana.perez@example.com", "titel: Boss")
	g.run("usersyncd plan", exitInvalid)
	if note := fmt.Sprint(g.notes[len(g.notes)-1]["body"]); !strings.Contains(note, "titel: unknown field") {
		t.Error(note)
	}
}
