package examples_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3" //nolint:depguard // a workflow, no spec
)

// That the steps work is tested with the program, in cmd/usersyncd. Here is who gets what.

// A ciStep is what is checked of a workflow's step.
type ciStep struct {
	Name, Uses, Run, If string
	Env, With           map[string]string
}

type workflow struct {
	On struct {
		Dispatch struct {
			Inputs map[string]struct{ Type string }
		} `yaml:"workflow_dispatch"`
	}
	Permissions map[string]string
	Jobs        map[string]struct {
		If, Environment string
		Permissions     map[string]string
		Timeout         int `yaml:"timeout-minutes"`
		Concurrency     struct{ Group string }
		Steps           []ciStep
	}
}

func parse(t *testing.T, name string, v any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err == nil {
		err = yaml.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The state file, the key that encrypts it and the client that can write are of main alone, the file is never in a cache, and
// what somebody types is never part of a command.
func TestGitHubJobsGetNoMoreThanTheyNeed(t *testing.T) {
	var w workflow
	parse(t, "ci/github-actions.yml", &w)
	if w.On.Dispatch.Inputs["release"].Type != "string" || len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
		t.Errorf("inputs %+v, permissions %v", w.On.Dispatch.Inputs, w.Permissions)
	}
	environments := map[string]string{"validate": "", "plan": "genesys-plan", "plan-main": "genesys-main", "apply": "genesys"}
	if len(w.Jobs) != len(environments) {
		t.Errorf("%d jobs", len(w.Jobs))
	}
	for name, job := range w.Jobs {
		if job.Environment != environments[name] || job.Timeout == 0 {
			t.Errorf("%s: environment %q, timeout %d", name, job.Environment, job.Timeout)
		}
		onMain := name == "plan-main" || name == "apply"
		for _, s := range job.Steps {
			if strings.Contains(s.Uses, "cache") {
				t.Errorf("%s: %s", name, s.Uses)
			}
			if strings.Contains(s.Run, "${{") {
				t.Errorf("%s, %s: what somebody typed becomes part of a command", name, s.Name)
			}
			if uses := s.Run + s.Env["STATE_KEY"]; !onMain && (strings.Contains(uses, "state") || strings.Contains(uses, "STATE_KEY") || strings.Contains(s.Uses, "artifact")) {
				t.Errorf("%s, %s: the state file is of main alone", name, s.Name)
			}
			if strings.Contains(s.Run, "--once") != (name == "apply" && s.Name == "Apply") {
				t.Errorf("%s, %s: %s", name, s.Name, s.Run)
			}
		}
		for scope, access := range job.Permissions {
			if access == "write" && (name != "plan" || scope != "pull-requests") {
				t.Errorf("%s may write %s", name, scope)
			}
		}
	}
	if plan := w.Jobs["plan"]; !strings.Contains(plan.If, "github.event.pull_request.head.repo.full_name == github.repository") {
		t.Errorf("plan: %s", plan.If)
	}
	if main := w.Jobs["plan-main"]; !strings.Contains(main.If, "github.event_name != 'pull_request' && github.ref == 'refs/heads/main'") {
		t.Errorf("plan-main: %s", main.If)
	}
	apply := w.Jobs["apply"]
	if apply.Concurrency.Group == "" {
		t.Error("two passes may run at once")
	}
	// The state is encrypted and kept whatever the pass did.
	for _, name := range []string{"Encrypt the state file", "Keep the state file"} {
		if i := slices.IndexFunc(apply.Steps, func(s ciStep) bool { return s.Name == name }); i < 0 || apply.Steps[i].If != "always()" {
			t.Errorf("%s: step %d", name, i)
		}
	}
}

// The same of the pipeline for GitLab.
func TestGitLabJobsGetNoMoreThanTheyNeed(t *testing.T) {
	type job struct {
		Rules []struct {
			If, When string
		}
		Script, After []string
		Environment   string
		ResourceGroup string `yaml:"resource_group"`
		Cache         any
		Artifacts     struct {
			Access string
			Expire string `yaml:"expire_in"`
		}
	}
	var jobs struct {
		Validate job
		Plan     job `yaml:"usersyncd plan"`
		Main     job `yaml:"plan default branch"`
		Apply    job
	}
	parse(t, "ci/gitlab-ci.yml", &jobs)
	const onMain = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
	for name, j := range map[string]job{"validate": jobs.Validate, "usersyncd plan": jobs.Plan, "plan default branch": jobs.Main, "apply": jobs.Apply} {
		script := strings.Join(j.Script, "\n")
		main := len(j.Rules) == 1 && j.Rules[0].If == onMain
		if strings.Contains(script, "STATE") != main || strings.Contains(script, "--once") != (name == "apply") {
			t.Errorf("%s: rules %v\n%s", name, j.Rules, script)
		}
		if a := j.Artifacts; j.Cache != nil || a.Expire != "3 days" && name != "apply" || a.Access != "developer" && (name == "usersyncd plan" || name == "plan default branch") {
			t.Errorf("%s: cache %v, artifacts %v", name, j.Cache, a)
		}
	}
	if a := jobs.Apply; a.Rules[0].When != "manual" || a.Environment != "genesys" || a.ResourceGroup == "" {
		t.Errorf("apply: %+v", a)
	}
}
