package examples_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3" //nolint:depguard // a workflow, no spec
)

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
	Jobs map[string]struct {
		If          string
		Environment string
		Concurrency struct{ Group string }
		Steps       []ciStep
	}
}

// The state file is kept by the job that applies main alone, encrypted, and never in a cache; what is released is an
// input of a run by hand, and never part of a command.
func TestCIKeepsTheStateFile(t *testing.T) {
	text, err := os.ReadFile("ci/github-actions.yml")
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	if w.On.Dispatch.Inputs["release"].Type != "string" {
		t.Errorf("inputs %+v", w.On.Dispatch.Inputs)
	}
	for name, job := range w.Jobs {
		for _, s := range job.Steps {
			if strings.Contains(s.Uses, "cache") {
				t.Errorf("%s: %s", name, s.Uses)
			}
			if strings.Contains(s.Run, "${{") {
				t.Errorf("%s, %s: what somebody typed becomes part of a command", name, s.Name)
			}
			if keeps := strings.Contains(s.Run+s.Uses+s.Name, "state") || strings.Contains(s.Uses, "artifact"); keeps && name != "apply" {
				t.Errorf("%s, %s: the state file is of the job apply alone", name, s.Name)
			}
		}
	}
	apply := w.Jobs["apply"]
	if !strings.Contains(apply.If, "github.ref == 'refs/heads/main'") || !strings.Contains(apply.If, "github.event_name != 'pull_request'") || apply.Environment != "genesys" || apply.Concurrency.Group == "" {
		t.Errorf("apply: %+v", apply)
	}
	at := func(is func(s ciStep) bool) int { return slices.IndexFunc(apply.Steps, is) }
	fetch := at(func(s ciStep) bool { return strings.Contains(s.Run, "--decrypt") })
	pass := at(func(s ciStep) bool {
		return strings.HasPrefix(s.Run, `usersyncd --once --state "$RUNNER_TEMP/state/usersyncd.db" --release "$RELEASE"`)
	})
	encrypt := at(func(s ciStep) bool { return strings.Contains(s.Run, "--symmetric") })
	keep := at(func(s ciStep) bool { return strings.HasPrefix(s.Uses, "actions/upload-artifact@") })
	if fetch < 0 || pass <= fetch || encrypt <= pass || keep <= encrypt {
		t.Fatalf("steps %d, %d, %d, %d of %d", fetch, pass, encrypt, keep, len(apply.Steps))
	}
	if apply.Steps[pass].Env["RELEASE"] != "${{ inputs.release }}" {
		t.Errorf("env %v", apply.Steps[pass].Env)
	}
	for _, i := range []int{encrypt, keep} {
		if apply.Steps[i].If != "always()" {
			t.Errorf("%s: only if %q", apply.Steps[i].Name, apply.Steps[i].If)
		}
	}
	for _, i := range []int{fetch, encrypt} {
		if apply.Steps[i].Env["STATE_KEY"] != "${{ secrets.USERSYNCD_STATE_KEY }}" {
			t.Errorf("%s: env %v", apply.Steps[i].Name, apply.Steps[i].Env)
		}
	}
	if path := apply.Steps[keep].With["path"]; path != "${{ runner.temp }}/usersyncd.db.gpg" {
		t.Errorf("kept is %s", path)
	}
}
