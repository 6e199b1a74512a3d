package main

import "strings"

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
