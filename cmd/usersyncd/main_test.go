package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary is the program, too: tests that need a process of its own run "usersyncd" from PATH.
func TestMain(m *testing.M) {
	// A process under the race detector would wait a second before it exits.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"usersyncd": main})
}
