package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/joho/godotenv"

	"usersyncd/spec/text"
)

// account returns the value of one of AccountVariables, which the env file gives if the environment does not, and where
// it was found. An env file gives no other variable: who may write it may not be who configures the program.
func (c *Config) account(name string) (value, source string) {
	if value, source = c.Getenv(name); source != "" {
		return strings.TrimSpace(value), source
	}
	if v := strings.TrimSpace(c.Account.values[name]); v != "" {
		return v, name + " in " + c.Account.Path
	}
	return "", ""
}

// AccountVariables are what an env file may give: an OAuth client and the region of its organization, under the names
// that the vendor's own tools use.
func AccountVariables() []string {
	return []string{"GENESYSCLOUD_OAUTHCLIENT_ID", "GENESYSCLOUD_OAUTHCLIENT_SECRET", "GENESYSCLOUD_REGION"}
}

// AccountFile is an env file: NAME=value lines for AccountVariables. Other variables in it are ignored.
type AccountFile struct {
	Path    string   // "": there is none
	Ignored []string // names of its other variables, sorted
	Unread  error    // why the .env that is there is not read; nil if it is

	values map[string]string // of AccountVariables
}

// ReadEnvFile reads the file of --env-file into c.Account. Without the flag it is the .env of the working directory,
// which is left unread if it may have come with the specs in c.Dir, or if others can read it.
func (c *Config) ReadEnvFile() (err error) {
	c.Account, err = c.findEnvFile()
	return err
}

func (c *Config) findEnvFile() (AccountFile, error) {
	path, stat, named := ".env", os.Lstat, false // a link may lead to a file that was meant for another program
	if c.EnvFile != "" {
		path, stat, named = c.EnvFile, os.Stat, true
	}
	var data []byte
	var f AccountFile
	info, err := stat(path)
	switch {
	case !named && errors.Is(err, fs.ErrNotExist):
		return AccountFile{}, nil
	case err != nil:
	case !info.Mode().IsRegular(): // opening a named pipe would wait for its writer
		err = fmt.Errorf("%s is not a regular file", path)
	case !named:
		err = mayComeWith(c.Dir)
	}
	if err == nil {
		data, err = readTrusted(path, true)
	}
	if err == nil {
		f, err = parseEnvFile(path, data)
	}
	switch {
	case err == nil:
		return f, nil
	case named:
		return AccountFile{}, Errorf("%s: %w", c.Source("env-file"), err)
	}
	return AccountFile{Path: path, Unread: err}, nil
}

// mayComeWith says why the .env of the working directory may have come with the specs in dir; nil if it has not.
func mayComeWith(dir string) error {
	root, err := workTree(".")
	in, wrong := root != "", "it is in the git work tree "+root+", so a commit may have put it there"
	if err == nil && !in && dir != "" {
		root, in, err = within(".", dir)
		wrong = "it is in the directory of specs, " + root + ", so it may have come with them"
	}
	if err != nil {
		in, wrong = true, fmt.Sprintf("it may have come with the specs (%v)", err)
	}
	if !in {
		return nil
	}
	return &UntrustedError{wrong, "add", "--env-file .env"}
}

func parseEnvFile(path string, data []byte) (AccountFile, error) {
	all, err := godotenv.UnmarshalBytes(data)
	if err != nil {
		// The parser's error quotes the line, which may be a secret.
		return AccountFile{}, fmt.Errorf("%s: cannot be parsed; write one NAME=value per line", path)
	}
	f := AccountFile{Path: path, values: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if slices.Contains(AccountVariables(), name) {
			f.values[name] = all[name]
		} else {
			f.Ignored = append(f.Ignored, text.Escape(name))
		}
	}
	return f, nil
}

// Names are those of the variables that the file gives.
func (f AccountFile) Names() string { return strings.Join(slices.Sorted(maps.Keys(f.values)), ", ") }

// Note completes an error about what is missing: an env file might have been meant to give it.
func (f AccountFile) Note() string {
	switch {
	case f.Unread != nil:
		return fmt.Sprintf("; %s is not read: %v", f.Path, f.Unread)
	case len(f.Ignored) > 0:
		return fmt.Sprintf("; not read from %s: %s; settings belong in the environment or in the --config file", f.Path, text.List(f.Ignored, 5, len(f.Ignored)))
	}
	return ""
}

// Log logs which variables were read, and which were not; never a value.
func (f AccountFile) Log(log *slog.Logger) {
	switch {
	case f.Unread != nil:
		log.Warn("env file not read", "file", f.Path, "reason", f.Unread)
	case f.Path != "":
		log.Info("env file read", "file", f.Path, "variables", f.Names())
	}
	if len(f.Ignored) > 0 {
		log.Warn("variables of an env file ignored: settings belong in the environment or in the --config file", "file", f.Path, "ignored", strings.Join(f.Ignored, ", "))
	}
}
