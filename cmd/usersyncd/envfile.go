package main

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

// envName is the variable that sets a flag.
func envName(flag string) string {
	return "USERSYNCD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// environment looks up the variables of the process, and those few that an env file may give.
type environment struct {
	lookup func(string) (string, bool)
	file   envFile
}

// get returns the value of a variable of the process and where it was found; empty counts as not set. An env
// file never gives one: who may write it may not be who configures the program.
func (e environment) get(name string) (value, source string) {
	if v, ok := e.lookup(name); ok && v != "" {
		return v, "environment variable " + name
	}
	return "", ""
}

// account is get for one of accountVariables, which the env file gives if the process does not.
func (e environment) account(name string) (value, source string) {
	if value, source = e.get(name); source != "" {
		return value, source
	}
	if v := e.file.values[name]; v != "" {
		return v, name + " in " + e.file.path
	}
	return "", ""
}

// accountVariables are what an env file may give: an OAuth client and the region of its organization, under
// the names that the vendor's own tools use.
func accountVariables() []string {
	return []string{"GENESYSCLOUD_OAUTHCLIENT_ID", "GENESYSCLOUD_OAUTHCLIENT_SECRET", "GENESYSCLOUD_REGION"}
}

// An envFile holds accountVariables, one NAME=value a line. Whatever else it sets is ignored.
type envFile struct {
	path    string            // "": there is none
	values  map[string]string // of accountVariables
	ignored []string          // the names of its other variables, sorted
	unread  error             // why the .env that is there is not read; nil if it is
}

// findEnvFile reads the file of --env-file. Without the flag it is the .env of the working directory, which is
// left unread if it may have come with the specs in dir, or if others can read it. dir is "" if no specs are read.
func (c *config) findEnvFile(dir string) (envFile, error) {
	path, stat, named := ".env", os.Lstat, false // a link may lead to a file that was meant for another program
	if c.envFile != "" {
		path, stat, named = c.envFile, os.Stat, true
	}
	info, err := stat(path)
	switch {
	case !named && errors.Is(err, fs.ErrNotExist):
		return envFile{}, nil
	case err != nil:
	case !info.Mode().IsRegular(): // opening a named pipe would wait for its writer
		err = fmt.Errorf("%s is not a regular file", path)
	case !named:
		err = mayComeWith(dir)
	}
	var data []byte
	if err == nil {
		data, err = readTrusted(path, true)
	}
	var f envFile
	if err == nil {
		f, err = parseEnvFile(path, data)
	}
	switch {
	case err == nil:
		return f, nil
	case named:
		return envFile{}, usage("%s--env-file: %w", c.at("env-file"), err)
	}
	return envFile{path: path, unread: err}, nil
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
	return &mistrustError{wrong, "add", "--env-file .env"}
}

func parseEnvFile(path string, data []byte) (envFile, error) {
	all, err := godotenv.UnmarshalBytes(data)
	if err != nil {
		// The parser's error quotes the line, which may be a secret.
		return envFile{}, fmt.Errorf("%s: not understood; write one NAME=value a line", path)
	}
	f := envFile{path: path, values: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if slices.Contains(accountVariables(), name) {
			f.values[name] = all[name]
		} else {
			f.ignored = append(f.ignored, text.Escape(name))
		}
	}
	return f, nil
}

// names are those of the variables that the file gives.
func (f envFile) names() string { return strings.Join(slices.Sorted(maps.Keys(f.values)), ", ") }

// note completes an error about what is missing: an env file might have been meant to give it.
func (f envFile) note() string {
	switch settings := f.settings(); {
	case f.unread != nil:
		return fmt.Sprintf("; %s is not read: %v", f.path, f.unread)
	case settings != "":
		return "; " + settings
	}
	return ""
}

// settings names the ignored variables that are settings of usersyncd, and says where they belong; "" if none is.
func (f envFile) settings() string {
	names := slices.DeleteFunc(slices.Clone(f.ignored), func(name string) bool { return !strings.HasPrefix(name, envName("")) })
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("not read from %s: %s; settings belong in the environment or in the --config file", f.path, strings.Join(names, ", "))
}

// report logs which variables were read, and which were not; never a value.
func (f envFile) report(log *slog.Logger) {
	switch {
	case f.path == "":
		return
	case f.unread != nil:
		log.Warn("an env file is not read", "file", f.path, "reason", f.unread)
		return
	}
	log.Info("env file read", "file", f.path, "variables", f.names())
	if len(f.ignored) == 0 {
		return
	}
	attrs := []any{"file", f.path, "ignored", strings.Join(f.ignored, ", ")}
	if settings := f.settings(); settings != "" {
		attrs = append(attrs, "settings", settings)
	}
	log.Warn("an env file gives credentials and region, and nothing else", attrs...)
}
