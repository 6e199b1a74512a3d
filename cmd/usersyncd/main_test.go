package main

import (
	"errors"
	"flag"
	"os"
	"runtime/debug"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"usersyncd/spec/memtemp"
)

// long reports whether the tests with a choice are to take their full size: with LONG=1, as in .ci/run.
func long() bool { return os.Getenv("LONG") != "" }

// TestMain lets the test binary be the program, too: tests that need a process run "usersyncd" from PATH.
func TestMain(m *testing.M) {
	err := errors.Join(
		// These tests wait for processes that wait for the rate limit; hardly any needs a processor.
		flag.Set("test.parallel", "16"),
		// A process under the race detector would wait a second before it exits.
		os.Setenv("GORACE", "atexit_sleep_ms=0"),
	)
	if err != nil {
		panic(err)
	}
	debug.SetGCPercent(400) // the tests allocate much and keep little
	testscript.Main(memtemp.M{M: m}, map[string]func(){"usersyncd": start})
}
