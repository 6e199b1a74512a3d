package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3" //nolint:depguard // files of nfpm and GitHub, no specs
)

// decode reads a YAML file of somebody else's format.
func decode(t *testing.T, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// What is packaged exists, under /usr or as a configuration file that an upgrade leaves alone.
func TestPackage(t *testing.T) {
	var p struct {
		License  string
		Contents []struct{ Src, Dst, Type, Packager string }
		Scripts  map[string]string
	}
	decode(t, "../../.package/nfpm.yaml", &p)
	if _, err := os.Stat("../../LICENSE"); err != nil && p.License != "" {
		t.Errorf("the packages name the licence %q, and there is none", p.License)
	}
	var installed []string
	for _, c := range p.Contents {
		if installed = append(installed, c.Dst); c.Src != "" && !strings.HasPrefix(c.Src, "${STAGE}/") {
			if _, err := os.Stat(filepath.Join("../..", c.Src)); err != nil {
				t.Error(err)
			}
		}
		if etc := strings.HasPrefix(c.Dst, "/etc/"); !etc && !strings.HasPrefix(c.Dst, "/usr/") || etc && c.Type != "config|noreplace" && c.Type != "dir" {
			t.Errorf("%+v", c)
		}
	}
	for _, want := range []string{"/usr/bin/usersyncd", "/usr/lib/systemd/system/usersyncd.service", "/usr/share/man/man1/", "/etc/usersyncd/config.yaml", "/etc/usersyncd/credentials", "/usr/share/doc/usersyncd/copyright"} {
		if !slices.Contains(installed, want) {
			t.Errorf("%s is not packaged", want)
		}
	}
	for _, script := range []string{"postinstall", "preremove", "postremove"} {
		if info, err := os.Stat(filepath.Join("../..", p.Scripts[script])); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %q: %v", script, p.Scripts[script], err)
		}
	}
}

// The packaged configuration has comments only, of settings that exist. It is the same in each version: dpkg would ask those
// who have edited it about another one, and an unattended upgrade would fail. So what is new belongs into the manual page.
func TestPackagedConfiguration(t *testing.T) {
	data, err := os.ReadFile("../../.package/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const released = "cb35fb5252f117ae78fb71df1528014e7c93dbc6f9c3d2a4584afbf43a928289"
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != released {
		t.Errorf("the SHA-256 is %x; it must stay as it was in all versions, %s", sum, released)
	}
	var set any
	if err := yaml.Unmarshal(data, &set); err != nil || set != nil {
		t.Errorf("it sets %v (%v)", set, err)
	}
	var settings map[string]string
	if err := yaml.Unmarshal(regexp.MustCompile(`(?m)^#(\S)`).ReplaceAll(data, []byte("$1")), &settings); err != nil || len(settings) < 2 {
		t.Fatalf("as settings: %v, %v", settings, err)
	}
	root := rootOf(process{})
	for name, value := range settings {
		if f := root.Flags().Lookup(name); name != "dir" && (f == nil || f.Value.Set(value) != nil) {
			t.Errorf("there is no setting %s: %s", name, value)
		}
	}
}

// A tag is tested, built and kept. It is published by a job of its own, which first refuses while there is no licence, and
// which alone may write.
func TestReleaseWorkflow(t *testing.T) {
	type step struct {
		Uses, Run string
		With      map[string]any
	}
	type job struct {
		Needs       string
		Permissions map[string]string
		Steps       []step
	}
	var w struct {
		On struct {
			Push struct{ Tags, Branches []string }
		}
		Permissions map[string]string
		Jobs        map[string]job
	}
	decode(t, "../../.github/workflows/release.yml", &w)
	if !slices.Equal(w.On.Push.Tags, []string{"v*"}) || w.On.Push.Branches != nil || len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
		t.Errorf("on %+v, permissions %v", w.On, w.Permissions)
	}
	build, publish := w.Jobs["build"], w.Jobs["publish"]
	if len(w.Jobs) != 2 || build.Permissions != nil || publish.Needs != "build" {
		t.Fatalf("jobs %+v", w.Jobs)
	}
	var order []string
	for _, s := range build.Steps {
		if strings.HasPrefix(s.Run, ".ci/") || strings.HasPrefix(s.Uses, "actions/upload-artifact@") && s.With["path"] == "dist/" {
			order = append(order, s.Run)
		}
	}
	if want := []string{".ci/run", `.ci/release "$GITHUB_REF_NAME"`, ""}; !slices.Equal(order, want) {
		t.Errorf("the build does %q, want %q", order, want)
	}
	at := slices.IndexFunc(publish.Steps, func(s step) bool { return s.Run != "" })
	if at != 1 || !strings.HasPrefix(publish.Steps[0].Uses, "actions/checkout@") {
		t.Fatalf("something is before the question for a licence: %+v", publish.Steps)
	}
	refuse := publish.Steps[at].Run
	for _, c := range []struct {
		licence string
		refused bool
	}{{"", true}, {"Terms.\n", false}} {
		dir := t.TempDir()
		if c.licence != "" {
			write(t, filepath.Join(dir, "LICENSE"), c.licence)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", refuse)
		cmd.Dir = dir
		out, err := cmd.Output()
		if (err != nil) != c.refused || c.refused != bytes.HasPrefix(out, []byte("::error::")) {
			t.Errorf("with the licence %q: %v: %s", c.licence, err, out)
		}
	}
}
