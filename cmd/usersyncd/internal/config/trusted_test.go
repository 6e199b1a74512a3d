package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestCheckOwner(t *testing.T) {
	me := ids{1000, 100}
	for _, test := range []struct {
		mode    fs.FileMode
		owner   ids
		caller  ids
		private bool
		want    string // "": relied on
	}{
		{0o600, me, me, true, ""},
		{0o400, me, me, true, ""},
		{0o644, me, me, false, ""},
		{0o664, me, me, false, ""},
		{0o644, ids{0, 0}, me, false, ""},
		{0o440, ids{0, 100}, me, false, ""}, // as Kubernetes and systemd pass secrets on
		{0o660, ids{0, 100}, me, false, ""},
		{0o644, ids{0, 0}, ids{0, 0}, false, ""},

		{0o440, ids{0, 100}, me, true, ""},
		{0o440, ids{0, 7}, me, true, ""}, // another group of ours: fsGroup of Kubernetes
		{0o440, ids{0, 0}, me, true, ""},
		{0o640, me, me, true, ""},

		{0o440, ids{0, 101}, me, true, `others can read f: run "chown 1000 f && chmod 600 f"`},
		{0o640, ids{1000, 101}, me, true, `others can read f: run "chmod 600 f"`},
		{0o444, ids{0, 100}, me, true, `others can read f: run "chown 1000 f && chmod 600 f"`},
		{0o460, ids{0, 7}, me, true, `others can read f: run "chown 1000 f && chmod 600 f"`},
		{0o604, me, me, true, `others can read f: run "chmod 600 f"`},
		{0o620, me, me, true, `others can read f: run "chmod 600 f"`},
		{0o646, me, me, false, `everybody can write f: run "chmod o-w f"`},
		{0o602, ids{0, 0}, me, false, `everybody can write f: run "chmod o-w f"`},
		{0o664, ids{1000, 101}, me, false, `group id 101 can write f: run "chmod g-w f"`},
		{0o664, ids{0, 0}, me, false, `group id 0 can write f: run "chmod g-w f"`},
		{0o664, ids{0, 100}, ids{0, 0}, false, `group id 100 can write f: run "chmod g-w f"`},
		{0o600, ids{1001, 100}, me, true, `f belongs to user id 1001, and usersyncd runs as 1000: run "chown 1000 f"`},
		{0o444, ids{1001, 100}, me, false, `f belongs to user id 1001, and usersyncd runs as 1000: run "chown 1000 f"`},
		{0o644, ids{1001, 100}, ids{0, 0}, false, `f belongs to user id 1001, and usersyncd runs as 0: run "chown 0 f"`},
	} {
		got := ""
		if err := checkOwner("f", test.mode, test.owner, test.caller, []int{7, 8}, test.private); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

// What comes from the environment may end with a line break, as what comes from a file.
func TestSecretsAreTrimmed(t *testing.T) {
	env := map[string]string{"GENESYSCLOUD_OAUTHCLIENT_ID": " id\n", "GENESYSCLOUD_OAUTHCLIENT_SECRET": "s\r\n", "GENESYSCLOUD_REGION": "eu-west-1\n", "USERSYNCD_NOTIFY_URL": "https://hooks.example/x\n"}
	c := New(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	found, err := c.Credentials()
	hook, wrong := c.Webhook()
	if err := errors.Join(err, wrong); err != nil || found.ID != "id" || found.Secret != "s" || c.RegionName() != "eu-west-1" || hook.IsZero() {
		t.Errorf("%q %q, region %q, %v", found.ID, string(found.Secret), c.RegionName(), err)
	}
}

// Every file that says what the program does, or holds a secret, is read by the one function that looks whose it is.
func TestReadTrusted(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	with := func(set func(c *Config), env map[string]string) *Config {
		c := New(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
		if set != nil {
			set(c)
		}
		return c
	}
	systemd := map[string]string{"CREDENTIALS_DIRECTORY": dir}
	root := &cobra.Command{}
	New(nil).Declare(root, Full)
	readers := map[string]func() error{
		"--config": func() error {
			_, err := with(func(c *Config) { c.File = file }, nil).readFile(root)
			return err
		},
		"--client-secret-file": func() error {
			_, err := with(func(c *Config) { c.ClientSecretFile = file }, nil).Credentials()
			return err
		},
		"--notify-url-file": func() error {
			_, err := with(func(c *Config) { c.NotifyURLFile = file }, systemd).Webhook()
			return err
		},
		"--env-file":                    func() error { return with(func(c *Config) { c.EnvFile = file }, nil).ReadEnvFile() },
		"systemd credential client_id":  func() error { _, err := with(nil, systemd).Credentials(); return err },
		"systemd credential notify_url": func() error { _, err := with(nil, systemd).Webhook(); return err },
	}
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			if credential, ok := strings.CutPrefix(name, "systemd credential "); ok {
				file = filepath.Join(dir, credential)
			} else {
				file = filepath.Join(dir, "file")
			}
			content := "https://example.com/\n"
			switch name {
			case "--config":
				content = "region: eu-west-1\n"
			case "--env-file":
				content = "GENESYSCLOUD_REGION=eu-west-1\n"
			}
			put := func(content string, mode fs.FileMode) {
				t.Helper()
				if err := errors.Join(os.RemoveAll(file), os.WriteFile(file, []byte(content), 0o600), os.Chmod(file, mode)); err != nil {
					t.Fatal(err)
				}
			}
			untrusted := func(want string) {
				t.Helper()
				err := read()
				if e, ok := errors.AsType[*UntrustedError](err); !ok || !errors.As(err, new(*Error)) || !strings.Contains(err.Error(), name+": "+want) {
					t.Errorf("%v (%+v), want %s: %s", err, e, name, want)
				}
			}
			put(content, 0o600)
			if err := read(); err != nil && !strings.Contains(err.Error(), "no credentials") {
				t.Errorf("private: %v", err)
			}
			put(content, 0o622)
			want := "everybody can write "
			if strings.HasPrefix(name, "--") && name != "--config" {
				want = "others can read "
			}
			untrusted(want)
			if os.Geteuid() == 0 { // nobody else may give files away
				put(content, 0o600)
				if err := os.Chown(file, 12345, 0); err != nil {
					t.Fatal(err)
				}
				untrusted(file + " belongs to user id 12345, and usersyncd runs as 0")
				put(content, 0o620)
				if err := os.Chown(file, 0, 12345); err != nil {
					t.Fatal(err)
				}
				if want == "everybody can write " {
					want = "group id 12345 can write "
				}
				untrusted(want)
			}
			put(strings.Repeat("#", maxTrusted+1), 0o600)
			if err := read(); err == nil || !strings.Contains(err.Error(), "is larger than 1024 KiB") {
				t.Errorf("large: %v", err)
			}
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		})
	}
	if _, err := with(func(c *Config) { c.File = os.DevNull }, nil).readFile(root); err != nil {
		t.Errorf("an empty configuration: %v", err)
	}
}

func TestWorkTree(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string) string { return filepath.Join(base, path) }
	write(t, at("repo/.git/HEAD"), "ref: refs/heads/main\n")
	write(t, at("repo/users/madrid/a.yaml"), "")
	write(t, at("worktree/.git"), "gitdir: ../repo/.git/worktrees/worktree\n")
	write(t, at("worktree/users/a.yaml"), "")
	write(t, at("broken/users/a.yaml"), "")
	write(t, at("plain/users/a.yaml"), "")
	for link, to := range map[string]string{"current": "worktree", "plain/in": "../repo/users", "repo/out": "../plain", "broken/.git": "nowhere"} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]string{
		"repo": "repo", "repo/users/madrid": "repo", "repo/.git": "repo", "worktree/users": "worktree",
		"current/users": "worktree", "plain/in/madrid": "repo", "broken/users": "broken",
		"plain": "", "plain/users": "", "repo/out/users": "", "plain/missing/users": "", "repo/missing/users": "repo",
	} {
		if want != "" {
			want = at(want)
		}
		if got, err := workTree(at(dir)); got != want || err != nil {
			t.Errorf("%s: %q, %v, not %q", dir, got, err, want)
		}
	}
}

// A setting whose file a commit can change is told, wherever links lead.
func TestInCheckout(t *testing.T) {
	base := t.TempDir()
	at := func(path string) string { return filepath.Join(base, path) }
	write(t, at("repo/.git/HEAD"), "ref: refs/heads/main\n")
	write(t, at("repo/users/a.yaml"), "")
	write(t, at("repo/config.yaml"), "")
	write(t, at("etc/config.yaml"), "")
	write(t, at("plain/users/config.yaml"), "")
	write(t, at("other/.git/HEAD"), "ref: refs/heads/main\n")
	write(t, at("other/config.yaml"), "")
	for link, to := range map[string]string{"etc/in.yaml": "../repo/config.yaml", "repo/out.yaml": "../etc/config.yaml", "current": "repo"} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		dir, config, url, state, home string
		want                          []string // of flags
	}{
		{"repo/users", "etc/config.yaml", "etc/url", "var/u.db", "", nil},
		{"repo/users", "repo/config.yaml", "etc/url", "var/u.db", "", []string{"--config"}},
		{"current/users", "repo/config.yaml", "etc/url", "var/u.db", "", []string{"--config"}},
		{"repo/users", "current/config.yaml", "etc/url", "var/u.db", "", []string{"--config"}},
		{"repo/users", "etc/in.yaml", "etc/url", "var/u.db", "", []string{"--config"}},
		{"repo/users", "repo/out.yaml", "etc/url", "var/u.db", "", []string{"--config"}},
		{"repo/users", "etc/config.yaml", "repo/url", "repo/new/u.db", "", []string{"--notify-url-file", "--state"}},
		{"repo/users", "", "", "", "repo/home", []string{"--state"}},
		{"repo/users", "", "", "", "home", nil},
		{"repo/users", "other/config.yaml", "", "var/u.db", "", nil}, // /etc may be a work tree of etckeeper
		{"plain/users", "plain/users/config.yaml", "", "plain/u.db", "", []string{"--config"}},
		{"missing/users", "etc/config.yaml", "", "var/u.db", "", nil},
	} {
		full := func(path string) string {
			if path == "" {
				return ""
			}
			return at(path)
		}
		c := New(func(name string) (string, bool) { return full(test.home), name == "HOME" })
		c.File, c.State, c.NotifyURLFile, c.Dir = full(test.config), full(test.state), full(test.url), at(test.dir)
		var got []string
		for _, setting := range c.FilesInCheckout() {
			flag, _, _ := strings.Cut(setting, " ")
			got = append(got, flag)
		}
		if strings.Join(got, " ") != strings.Join(test.want, " ") {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

// write puts a file there, with the folders above it.
func write(t testing.TB, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}
