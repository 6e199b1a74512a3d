package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
)

// What comes from elsewhere than from flags needs a restart, too, and is named without its value.
func TestReloadNamesWhatIsNoFlag(t *testing.T) {
	dir := t.TempDir()
	file, secret, account := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "secret"), filepath.Join(dir, "account")
	if err := os.WriteFile(account, []byte("GENESYSCLOUD_REGION=us-east-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func(text, region, key string) *settings {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(secret, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		env := map[string]string{"GENESYSCLOUD_REGION": region, "GENESYSCLOUD_OAUTHCLIENT_ID": "demo", "STATE_DIRECTORY": dir}
		c := config.New(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
		cmd := &cobra.Command{}
		c.Declare(cmd, config.Full|config.Socket|config.Webhook|config.Daemon)
		err := cmd.ParseFlags([]string{"--config=" + file, "--client-secret-file=" + secret})
		if err := errors.Join(err, c.Load(cmd), c.ReadEnvFile()); err != nil {
			t.Fatal(err)
		}
		s, err := newSettings(c, "")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := read("dir: /srv/a", "eu-west-1", "one")
	for _, test := range []struct {
		config, region, key string
		want                []string
	}{
		{"dir: /srv/a", "eu-west-1", "one", nil},
		{"dir: /srv/b", "eu-west-1", "one", []string{"dir"}},
		{"dir: /srv/a", "us-east-1", "one", []string{"region"}},
		{"dir: /srv/a\nregion: us-east-1", "eu-west-1", "one", []string{"region"}},
		{"dir: /srv/a\nenv-file: " + account, "", "one", []string{"env-file"}},
		{"dir: /srv/a\nstate: /tmp/x.db", "eu-west-1", "two", []string{"credentials", "state"}},
	} {
		changed, restart := before.differences(read(test.config, test.region, test.key))
		if len(changed) > 0 || !slices.Equal(restart, test.want) {
			t.Errorf("%+v: %q, %q", test, changed, restart)
		}
	}
}
