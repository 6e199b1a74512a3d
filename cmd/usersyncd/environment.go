package main

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/joho/godotenv"
)

// envName is the variable that sets a flag.
func envName(flag string) string {
	return "USERSYNCD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// environment looks a variable up in the process's environment, then in the .env of the working
// directory, which is read only if nobody but its owner can read it.
type environment struct {
	lookup func(string) (string, bool)
	dotEnv map[string]string
}

func newEnvironment(lookup func(string) (string, bool)) (environment, error) {
	e := environment{lookup: lookup}
	info, err := os.Lstat(".env")
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err != nil {
		return e, err
	}
	if !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return e, usage(".env holds secrets and others can read it: run \"chmod 600 .env\"")
	}
	e.dotEnv, err = godotenv.Read(".env")
	if err != nil {
		// The parser's error quotes the line, which may be a secret.
		return e, usage(".env: not understood; write one NAME=value a line")
	}
	return e, nil
}

// get returns the variable's value and where it was found; empty counts as not set.
func (e environment) get(name string) (value, source string) {
	if v, ok := e.lookup(name); ok && v != "" {
		return v, "environment variable " + name
	}
	if v := e.dotEnv[name]; v != "" {
		return v, name + " in .env"
	}
	return "", ""
}
