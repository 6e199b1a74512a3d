package examples_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3" //nolint:depguard // a file of Kubernetes, no spec

	"usersyncd/spec/checkout/gittest"
)

// container is what is checked of one.
type container struct {
	Name         string
	Args         []string
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
		SubPath   string `yaml:"subPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
	LivenessProbe  probe `yaml:"livenessProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
}

type probe struct {
	HTTPGet struct {
		Path string
		Port int
	} `yaml:"httpGet"`
}

// The daemon reads what git-sync publishes, through the link, and cannot write there.
func TestGitSync(t *testing.T) {
	text, err := os.ReadFile("git-sync/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	var containers []container
	for documents := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var d struct {
			Kind string
			Spec struct {
				Replicas int
				Strategy struct{ Type string }
				Template struct {
					Spec struct{ Containers []container }
				}
			}
		}
		err := documents.Decode(&d)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, d.Kind)
		containers = append(containers, d.Spec.Template.Spec.Containers...)
		if d.Kind == "Deployment" && (d.Spec.Replicas != 1 || d.Spec.Strategy.Type != "Recreate") {
			t.Error("two daemons could run at a time")
		}
	}
	if want := []string{"Deployment", "PersistentVolumeClaim"}; !slices.Equal(kinds, want) || len(containers) != 2 {
		t.Fatalf("%q with %d containers, want %q", kinds, len(containers), want)
	}
	gitSync, daemon := containers[0], containers[1]
	root, link := flag(gitSync.Args, "--root"), flag(gitSync.Args, "--link")
	if specs := daemon.Args[0]; root == "" || link == "" || specs != root+"/"+link && !strings.HasPrefix(specs, root+"/"+link+"/") {
		t.Errorf("the daemon reads %s, which is not below %s/%s", specs, root, link)
	}
	shared := 0
	for _, m := range daemon.VolumeMounts {
		if m.MountPath == root {
			shared++
			if m.Name != gitSync.VolumeMounts[0].Name || gitSync.VolumeMounts[0].MountPath != root || !m.ReadOnly || m.SubPath != "" {
				t.Errorf("%+v is not the volume of git-sync, whole and read-only", m)
			}
		}
	}
	if shared != 1 {
		t.Errorf("%d mounts at %s", shared, root)
	}
	if daemon.LivenessProbe.HTTPGet.Path != "/livez" || daemon.ReadinessProbe.HTTPGet.Path != "/readyz" {
		t.Errorf("probes %+v, %+v", daemon.LivenessProbe, daemon.ReadinessProbe)
	}
	if port := flag(daemon.Args, "--listen"); port != ":8787" || daemon.LivenessProbe.HTTPGet.Port != 8787 || daemon.ReadinessProbe.HTTPGet.Port != 8787 {
		t.Errorf("it listens on %s, and is asked on %d and %d", port, daemon.LivenessProbe.HTTPGet.Port, daemon.ReadinessProbe.HTTPGet.Port)
	}
}

// flag is the value of an argument of the form --name=value.
func flag(args []string, name string) string {
	for _, a := range args {
		if value, ok := strings.CutPrefix(a, name+"="); ok {
			return value
		}
	}
	return ""
}

// A puller runs the commands of the unit, with a checkout of the test's own.
type puller struct {
	*testing.T
	upstream, checkout string
}

func newPuller(t *testing.T) *puller {
	p := &puller{t, t.TempDir(), filepath.Join(t.TempDir(), "users")}
	p.git("init", "--quiet", "--initial-branch=main")
	p.commit("first")
	p.git("clone", "--quiet", ".", p.checkout)
	return p
}

// git runs git in the upstream repository.
func (p *puller) git(args ...string) {
	p.Helper()
	gittest.Run(p.T, p.upstream, args...)
}

func (p *puller) commit(text string) {
	p.Helper()
	p.write(p.upstream, text)
	p.git("add", "--all")
	p.git("commit", "--quiet", "--message", text)
}

func (p *puller) write(dir, text string) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(text), 0o644); err != nil {
		p.Fatal(err)
	}
}

// pull does what systemd does with the unit: each ExecStart=, until one fails.
func (p *puller) pull() error {
	p.Helper()
	unit, err := os.ReadFile("git-pull/usersyncd-pull.service")
	if err != nil {
		p.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(unit)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart=/usr/bin/")
		if !ok {
			continue
		}
		n++
		words := strings.Fields(strings.ReplaceAll(command, "/srv/users", p.checkout))
		cmd := exec.CommandContext(p.Context(), words[0], words[1:]...)
		cmd.Env = gittest.Env()
		if err := cmd.Run(); err != nil {
			return err
		}
	}
	if n == 0 {
		p.Fatal("the unit has no command")
	}
	return nil
}

func (p *puller) is(want string) {
	p.Helper()
	if got, err := os.ReadFile(filepath.Join(p.checkout, "a.yaml")); err != nil || string(got) != want {
		p.Errorf("the file has %q (%v), not %q", got, err, want)
	}
}

// What is pulled is the upstream's branch as it is, whatever state the checkout was left in; a branch that
// was rewritten is left to people.
func TestGitPull(t *testing.T) {
	p := newPuller(t)
	pulls := func(want string) {
		t.Helper()
		if err := p.pull(); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		p.is(want)
	}
	pulls("first")
	p.commit("second")
	pulls("second")
	p.write(p.checkout, "left half-way by a git that was killed")
	pulls("second")
	p.commit("third")
	p.write(p.checkout, "left half-way by a git that was killed")
	pulls("third")

	p.write(p.upstream, "rewritten")
	p.git("commit", "--quiet", "--all", "--amend", "--message", "rewritten")
	if err := p.pull(); err == nil {
		t.Error("a rewritten branch was taken")
	}
	p.is("third")
}
